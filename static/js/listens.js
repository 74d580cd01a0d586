/**
 * How each hearing ended, sent as ratings are: "finished", "skipped" (on to the next before its end), or "left".
 * A hearing begins when a track is put into the player, or begins again after its end.
 */

import { uuid4 } from "./identity.js";

/** Seconds; less than this is leafing through, which says nothing. The server keeps nothing shorter either. */
const SHORTEST = 1;
/** A track whose end was reached was heard out if so much of it was: else somebody only sought to its end. */
const HEARD_OUT = 0.5;
/** Hearings that may wait for a connection; music does not play for long without one. */
const MOST_WAITING = 200;

export class Listens {
  #queue;
  #player;
  #now;
  #track = null;
  #before = 0;

  /**
   * @param queue    a RatingQueue whose `send` takes hearings
   * @param concert  says which track is in the player, and why
   */
  constructor({ queue, player, concert, now = () => new Date() }) {
    this.#queue = queue;
    this.#player = player;
    this.#now = now;
    concert.addEventListener("ended", ({ detail }) => this.#ended(detail.track));
    concert.addEventListener("track", ({ detail: { sequence, skipped } }) => {
      this.#close(skipped ? "skipped" : "left");
      this.#open(sequence.track);
    });
  }

  /** The page goes. */
  leave() {
    this.#close("left");
    if (this.#track) this.#open(this.#track);
  }

  #open(track) {
    this.#track = track;
    this.#before = this.#player.heard(track.id);
  }

  #ended(track) {
    if (this.#track?.id !== track.id) return;
    this.#close(this.#seconds() >= HEARD_OUT * this.#player.duration ? "finished" : "left");
    this.#open(track);
  }

  #seconds() {
    return this.#player.heard(this.#track.id) - this.#before;
  }

  #close(ending) {
    if (!this.#track || this.#seconds() < SHORTEST || this.#queue.size >= MOST_WAITING) return;
    this.#queue.add({
      id: uuid4(),
      track: this.#track.id,
      ending,
      seconds: Math.round(this.#seconds() * 100) / 100,
      given_at: this.#now().toISOString(),
    });
  }
}
