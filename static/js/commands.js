/** Everything that a key or a button can ask for, by name. */

const SEEK = 5;
const VOLUME = 0.05;

export function makeCommands({ player, concert, ratings, say, evolve, playFrom, playAll, help, view }) {
  const rate = (value, track = player.track, title = track?.title) => {
    if (!track) return;
    ratings.press({ track: track.id, value, seconds: player.heard(track.id) });
    const now = ratings.of(track.id);
    say(now === 0 ? `No opinion on ${title}` : `${now === 1 ? "Liked" : "Disliked"} ${title}`);
  };
  const rateRow = (value) => (button) => {
    const row = button.closest("[data-track]");
    rate(value, { id: row.dataset.track }, row.querySelector("[data-field=title]").textContent);
  };
  const never = () => {
    const { track } = player;
    if (!track) return;
    const playing = player.playing;
    ratings.pressNever({ track: track.id, seconds: player.heard(track.id) });
    const meant = ratings.never(track.id);
    // Nobody wants to hear the rest of it.
    if (meant && playing) concert.next();
    if (meant && playing && player.track === track) player.pause();
    const follows = player.track !== track ? ` Now: ${player.track.title}.` : "";
    say(meant ? `Never again: ${track.title}.${follows}` : `No opinion on ${track.title}`);
  };
  const step = (move) => () => {
    const before = player.track;
    move();
    if (player.track !== before) say(player.track.title);
  };
  return {
    toggle: () => player.toggle(),
    back: () => player.seek(player.time - SEEK),
    forward: () => player.seek(player.time + SEEK),
    louder: () => player.setVolume(player.volume + VOLUME),
    softer: () => player.setVolume(player.volume - VOLUME),
    mute: () => player.setMuted(!player.muted),
    replay: () => player.replay(),
    next: step(() => concert.next()),
    previous: step(() => concert.previous()),
    like: () => rate(1),
    dislike: () => rate(-1),
    never,
    undo: () => ratings.undo((track) => player.heard(track)) && say("Taken back"),
    "like-track": rateRow(1),
    "dislike-track": rateRow(-1),
    "play-track": (button) => playFrom(button.closest("[data-playlist]"), button.closest("[data-track]").dataset.track),
    "play-all": playAll,
    "take-offer": () => concert.takeOffer(),
    evolve,
    help: () => help.toggle(),
    "close-help": () => help.close(),
    more: () => view.toggleMore(),
  };
}

/** Run the command of whatever was clicked: one listener for all pages that will ever be swapped in. */
export function bindClicks(commands, root = document) {
  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-action]");
    if (button) commands[button.dataset.action]?.(button);
  });
}
