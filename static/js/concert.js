/**
 * What is played, from which playlist, and what follows: joins the player, the ratings and the playlists.
 *
 * Events: "track" {sequence, skipped: the one before was left by "next"}, "ended" {track} (before what follows it),
 *         "playlist" {playlist} (moved to another one), "offer" {playlist or null},
 *         "finished" (the playlist is over and nothing follows yet).
 */

import { handover } from "./handover.js";
import { Sequence } from "./sequence.js";

/** Within these seconds "previous" goes to the track before; later it starts the track again. */
const RESTART_AFTER = 3;

export class Concert extends EventTarget {
  #player;
  #ratings;
  sequence = null;
  offered = null;
  finished = false;

  constructor({ player, ratings }) {
    super();
    this.#player = player;
    this.#ratings = ratings;
    player.addEventListener("ended", ({ detail }) => this.#ended(detail));
    player.addEventListener("state", () => {
      if (player.state !== "playing") return;
      this.finished = false;
      player.prepare((this.offered?.tracks ?? [])[0] ?? this.sequence?.following);
    });
  }

  /** Put a playlist into the player: at `track`, else at its first unrated track. */
  take(playlist, { track = null, play, skipped = false }) {
    const start = new Sequence(playlist);
    this.sequence = track ? start.at(track) : start.atFirstUnrated((id) => this.#ratings.of(id) !== null);
    this.finished = false;
    if (this.offered?.id === playlist.id) this.#offer(null);
    this.#tell("playlist", { playlist });
    return this.#load(play, { skipped });
  }

  /** A playlist has become known; see `handover` for what happens. Returns the decision. */
  arrived(playlist, { asked, news }) {
    if (!playlist.tracks.length) return "leave";
    const decision = handover({
      playing: this.#player.playing,
      loaded: this.sequence !== null,
      started: this.#player.started,
      finished: this.finished,
      asked,
      shared: Boolean(playlist.partner),
      news,
    });
    if (decision === "play") this.take(playlist, { play: true });
    else if (decision === "show") this.take(playlist, { play: false });
    else if (decision === "offer") this.#offer(playlist);
    return decision;
  }

  takeOffer({ skipped = false } = {}) {
    return this.offered ? this.take(this.offered, { play: true, skipped }) : undefined;
  }

  /** Go to a track of the present playlist and play it. */
  go(track) {
    this.sequence = this.sequence.at(track);
    return this.#load(true);
  }

  next() {
    if (!this.sequence) return undefined;
    if (!this.sequence.atEnd) return this.#step(this.sequence.next(), { skipped: true });
    return this.takeOffer({ skipped: true });
  }

  previous() {
    if (!this.sequence) return undefined;
    if (this.#player.time > RESTART_AFTER || this.sequence.atStart) return this.#player.seek(0);
    return this.#step(this.sequence.previous());
  }

  #step(sequence, { skipped = false } = {}) {
    this.sequence = sequence;
    // Stepping while paused stays paused, but a playlist that is over starts again.
    return this.#load(this.#player.playing || this.finished || !this.#player.started, { skipped });
  }

  #load(play, { skipped = false } = {}) {
    this.finished = false;
    this.#player.load(this.sequence.track);
    this.#tell("track", { sequence: this.sequence, skipped });
    return play ? this.#player.play() : undefined;
  }

  #ended({ track, heard }) {
    this.#ratings.pass({ track: track.id, seconds: heard });
    this.#tell("ended", { track });
    if (this.offered) {
      this.takeOffer();
    } else if (this.sequence && !this.sequence.atEnd) {
      this.sequence = this.sequence.next();
      this.#load(true);
    } else {
      this.finished = true;
      this.#tell("finished");
    }
  }

  #offer(playlist) {
    this.offered = playlist;
    this.#tell("offer", { playlist });
  }

  #tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
