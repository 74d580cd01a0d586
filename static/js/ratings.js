/**
 * What the listener thinks of each track, shown at once and sent when possible.
 *
 * Events: "change" {track, value, never}, "undoable" {possible}.
 */

import { uuid4 } from "./identity.js";

export class Ratings extends EventTarget {
  #queue;
  #values = new Map();
  #never = new Set();
  #mine = new Set();
  #past = [];
  #now;
  #last = -Infinity;

  /** @param queue  a RatingQueue */
  constructor({ queue, now = () => new Date() }) {
    super();
    this.#queue = queue;
    this.#now = now;
    for (const { track, value, never } of queue.waiting) {
      this.#mine.add(track);
      this.#keep(track, value, never);
    }
  }

  /** Take over what the server knows, except for tracks rated here: those ratings are newer. */
  learn(tracks) {
    for (const track of tracks) {
      if (!this.#mine.has(track.id)) this.#keep(track.id, track.rating ?? null, track.never);
    }
  }

  /** 1, 0, -1, or null when the track was never rated. */
  of(track) {
    return this.#values.get(track) ?? null;
  }

  /** Whether the dislike of this track means "never again". */
  never(track) {
    return this.#never.has(track);
  }

  get undoable() {
    return this.#past.length > 0;
  }

  /** Like (1) or dislike (-1); the same again takes it back (0). */
  press({ track, value, seconds }) {
    this.give({ track, value: this.of(track) === value ? 0 : value, seconds });
  }

  /** "Never again", a dislike that weighs more; the same again takes it back (0). */
  pressNever({ track, seconds }) {
    const taken = this.never(track);
    this.give({ track, value: taken ? 0 : -1, never: !taken, seconds });
  }

  give({ track, value, never = false, seconds }) {
    this.#past.push({ track, value: this.of(track) ?? 0, never: this.never(track) });
    this.#set(track, value, never, seconds);
  }

  /** The track ended without a word: "no opinion", which nobody wants to undo. */
  pass({ track, seconds }) {
    if (this.of(track) === null) this.#set(track, 0, false, seconds);
  }

  /** Take back the last rating; returns {track, value}, or null when there is none. */
  undo(secondsOf) {
    const last = this.#past.pop();
    if (!last) return null;
    this.#set(last.track, last.value, last.never, secondsOf(last.track));
    return { track: last.track, value: last.value };
  }

  /** Now; after what was said last even when the clock was set back since, for the latest word counts. */
  #moment() {
    this.#last = Math.max(this.#now().getTime(), this.#last + 1);
    return new Date(this.#last);
  }

  #keep(track, value, never) {
    this.#values.set(track, value);
    if (never) this.#never.add(track);
    else this.#never.delete(track);
  }

  #set(track, value, never, seconds) {
    this.#mine.add(track);
    this.#keep(track, value, never);
    this.#queue.add({
      id: uuid4(),
      track,
      value,
      never,
      seconds: Math.round(seconds * 100) / 100,
      given_at: this.#moment().toISOString(),
    });
    this.dispatchEvent(new CustomEvent("change", { detail: { track, value, never } }));
    this.dispatchEvent(new CustomEvent("undoable", { detail: { possible: this.undoable } }));
  }
}
