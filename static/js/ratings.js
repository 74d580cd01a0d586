/**
 * What the listener thinks of each track, shown at once and sent when possible.
 *
 * Events: "change" {track, value}, "undoable" {possible}.
 */

import { uuid4 } from "./identity.js";

export class Ratings extends EventTarget {
  #queue;
  #values = new Map();
  #mine = new Set();
  #past = [];
  #now;

  /** @param queue  a RatingQueue */
  constructor({ queue, now = () => new Date() }) {
    super();
    this.#queue = queue;
    this.#now = now;
    for (const { track, value } of queue.waiting) {
      this.#mine.add(track);
      this.#values.set(track, value);
    }
  }

  /** Take over what the server knows, except for tracks rated here: those ratings are newer. */
  learn(tracks) {
    for (const track of tracks) {
      if (!this.#mine.has(track.id)) this.#values.set(track.id, track.rating ?? null);
    }
  }

  /** 1, 0, -1, or null when the track was never rated. */
  of(track) {
    return this.#values.get(track) ?? null;
  }

  get undoable() {
    return this.#past.length > 0;
  }

  /** Like (1) or dislike (-1); the same again takes it back (0). */
  press({ track, value, seconds }) {
    this.give({ track, value: this.of(track) === value ? 0 : value, seconds });
  }

  give({ track, value, seconds }) {
    this.#past.push({ track, previous: this.of(track) ?? 0 });
    this.#set(track, value, seconds);
  }

  /** The track ended without a word: "no opinion", which nobody wants to undo. */
  pass({ track, seconds }) {
    if (this.of(track) === null) this.#set(track, 0, seconds);
  }

  /** Take back the last rating; returns {track, value}, or null when there is none. */
  undo(secondsOf) {
    const last = this.#past.pop();
    if (!last) return null;
    this.#set(last.track, last.previous, secondsOf(last.track));
    return { track: last.track, value: last.previous };
  }

  #set(track, value, seconds) {
    this.#mine.add(track);
    this.#values.set(track, value);
    this.#queue.add({
      id: uuid4(),
      track,
      value,
      seconds: Math.round(seconds * 100) / 100,
      given_at: this.#now().toISOString(),
    });
    this.dispatchEvent(new CustomEvent("change", { detail: { track, value } }));
    this.dispatchEvent(new CustomEvent("undoable", { detail: { possible: this.undoable } }));
  }
}
