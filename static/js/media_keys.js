/** The system's media keys and lock screen (Media Session API), where the browser has them. */

const STEP = 10;

export function bindMediaKeys({ player, concert, icon, session = navigator.mediaSession }) {
  if (!session) return;
  const act = (name, handler) => {
    try {
      session.setActionHandler(name, handler);
    } catch {
      // An action that this browser does not know.
    }
  };
  act("play", () => player.play());
  act("pause", () => player.pause());
  act("previoustrack", () => concert.previous());
  act("nexttrack", () => concert.next());
  act("seekbackward", ({ seekOffset }) => player.seek(player.time - (seekOffset ?? STEP)));
  act("seekforward", ({ seekOffset }) => player.seek(player.time + (seekOffset ?? STEP)));
  act("seekto", ({ seekTime }) => player.seek(seekTime));

  concert.addEventListener("track", ({ detail: { sequence } }) => {
    const { track, playlist } = sequence;
    session.metadata = new MediaMetadata({
      title: track.title,
      artist: track.prompt,
      album: playlist.number ? `EvoMusic, playlist ${playlist.number}` : "EvoMusic",
      artwork: [{ src: icon, type: "image/svg+xml", sizes: "any" }],
    });
  });
  player.addEventListener("state", () => {
    session.playbackState = player.playing ? "playing" : player.track ? "paused" : "none";
  });
  player.addEventListener("time", () => {
    if (player.duration > 0) {
      session.setPositionState?.({ duration: player.duration, position: Math.min(player.time, player.duration), playbackRate: 1 });
    }
  });
}
