/**
 * What to do with a playlist that has just arrived: "play" it, "offer" it,
 * "show" it without a sound, or "leave" it.
 *
 * @param playing   sound is coming out now
 * @param loaded    some track is in the player
 * @param started   something has been played since the page was loaded
 * @param finished  the player has played its playlist to the end and waits
 * @param asked     the listener pressed Evolve for it
 * @param shared    it was made for two, and the other one may have asked for it
 * @param news      false when the playlist was there already and only this page did not know
 */
export function handover({ playing, loaded, started, finished, asked, shared = false, news }) {
  if (!loaded) return news && (asked || !shared) ? "play" : "show";
  if (!news) return "leave";
  if (finished) return "play";
  if (playing) return "offer";
  // Nothing sounds. Music must not burst out when the listener has paused, unless they asked for it.
  return asked || !(started || shared) ? "play" : "offer";
}
