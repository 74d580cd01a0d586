/**
 * Ratings on their way to the server: kept in storage until it has confirmed them, sent one after
 * another in the order they were given. Each carries an id made here, so sending one twice stores it once.
 *
 * Events: "change" (the number waiting changed), "sent" {rating, answer}, "refused" {rating, error}.
 */

import { waitBefore } from "./backoff.js";

export class RatingQueue extends EventTarget {
  #storage;
  #key;
  #send;
  #online;
  #random;
  #timer = null;
  #attempt = 0;
  #sending = false;

  /**
   * @param key     () => the name under which the present listener's ratings are stored
   * @param send    async (rating) => answer; throws an error whose `final` says whether to give up
   * @param online  () => boolean: false means that trying is pointless now
   */
  constructor({ storage, key, send, online = () => true, random = Math.random }) {
    super();
    this.#storage = storage;
    this.#key = key;
    this.#send = send;
    this.#online = online;
    this.#random = random;
  }

  get size() {
    return this.waiting.length;
  }

  /** The ratings not yet confirmed, in the order they were given. */
  get waiting() {
    const stored = this.#storage.get(this.#key(), []);
    return Array.isArray(stored) ? stored : [];
  }

  add(rating) {
    this.#store([...this.waiting, rating]);
    return this.flush();
  }

  /** Send what waits. Safe to call at any time: only one sending runs. Resolves when it stops. */
  async flush() {
    if (this.#sending) return;
    this.#sending = true;
    clearTimeout(this.#timer);
    try {
      while (this.size && this.#online()) {
        if (!(await this.#sendFirst())) break;
      }
    } finally {
      this.#sending = false;
    }
  }

  async #sendFirst() {
    const [rating] = this.waiting;
    try {
      const answer = await this.#send(rating);
      this.#attempt = 0;
      this.#remove(rating.id);
      this.#tell("sent", { rating, answer });
      return true;
    } catch (error) {
      if (error.final) {
        this.#remove(rating.id);
        this.#tell("refused", { rating, error });
        return true;
      }
      this.#timer = setTimeout(() => this.flush(), waitBefore(this.#attempt++, { base: 1000, random: this.#random }));
      return false;
    }
  }

  // Storage is read again each time: another tab may have added or sent ratings meanwhile.
  #remove(id) {
    this.#store(this.waiting.filter((rating) => rating.id !== id));
  }

  #store(ratings) {
    this.#storage.set(this.#key(), ratings);
    this.#tell("change", { size: ratings.length });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
