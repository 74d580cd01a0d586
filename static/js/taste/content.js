/** The page's content with something changed, until the server's next word. Pure. */

/** As if the server had said of a concept: `edit` {kind, wanted, until}, or null for nothing. */
export function withEdit(content, concept, edit) {
  const put = (one) => (one.name === concept ? { ...one, edit } : one);
  const others = content.wishes.filter((wish) => wish.concept !== concept);
  const wishes = edit ? [...others, { concept, ...edit }] : others;
  return {
    ...content,
    pending: true,
    beliefs: content.beliefs.map(put),
    slots: content.slots.map((slot) => ({ ...slot, concepts: slot.concepts.map(put) })),
    wishes: wishes.sort((one, other) => (one.concept < other.concept ? -1 : 1)),
  };
}

/** With some fields of a track changed. */
export function withTrack(content, id, change) {
  return { ...content, tracks: content.tracks.map((track) => (track.id === id ? { ...track, ...change } : track)) };
}

/** The songs that were heard, each once: evidence may hold a song that was played again. */
export function songs({ tracks }) {
  return tracks.filter((track) => track.dot || track.x === null);
}

/** How many tracks are liked, disliked, not rated. */
export function counted(tracks) {
  const liked = tracks.filter((track) => track.rating === 1).length;
  const disliked = tracks.filter((track) => track.rating === -1).length;
  return { liked, disliked, unrated: tracks.length - liked - disliked };
}

/** Why there is no belief to show, in words; "" when there is one. */
export function silence({ beliefs, believes, made_at: made, pending, tracks, ratings }) {
  if (beliefs.length) return "";
  if (!ratings && !tracks.some((track) => track.rating)) return "Rate a few songs, and what they tell stands here, in words.";
  if (!made) return "Your ratings are being read. What they tell stands here in a moment.";
  if (!believes) return "The ear that hears this music has no words for it, so nothing can be said in words. It learns from your ratings all the same.";
  if (pending) return "Your ratings are being read again.";
  return "Nothing is clear enough yet to be put into words. More ratings help, dislikes as much as likes.";
}

/** What has to be said beside the map: what is not on it, and what would make it tell more. */
export function remarks({ heard, ...content }) {
  const tracks = songs(content);
  const { liked, disliked } = counted(tracks);
  const homeless = tracks.filter((track) => track.x === null).length;
  return [
    heard > tracks.length && `Shown are ${tracks.length} of the ${heard} songs you have heard: the newest, and those that told something.`,
    homeless > 0 && `${homeless === 1 ? "One song has" : `${homeless} songs have`} no place on the map; the list below has all.`,
    liked >= 5 && !disliked && "You have liked everything you rated. What you dislike tells as much.",
    disliked >= 5 && !liked && "You have disliked everything you rated. The first song you like will tell a lot.",
  ].filter(Boolean);
}
