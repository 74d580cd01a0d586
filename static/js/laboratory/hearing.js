/**
 * Has candidates played: asks, waits for the socket's word (or looks itself, in case that is lost), gives up in time.
 *
 * Event "change" {candidate: its id, status: "asked" | "ready" | "failed", message, audio_url}.
 */

/** Milliseconds. */
const PATIENCE = 90_000;
const LOOK_EVERY = 4000;

export class Hearing extends EventTarget {
  #post;
  #exists;
  #waiting = new Map();

  /**
   * @param post    url => promise of the answer; rejects with an Error whose message is a sentence
   * @param exists  url => promise of whether there is something at the address
   */
  constructor({ post, exists }) {
    super();
    this.#post = post;
    this.#exists = exists;
  }

  /** Ask for a candidate {id, hear_url}; asking again while it is being played changes nothing. */
  async ask({ id, hear_url: url }) {
    if (this.#waiting.has(id)) return;
    this.#waiting.set(id, []);
    this.#tell(id, "asked", { message: "Asking for it." });
    try {
      const answer = await this.#post(url);
      if (!this.#waiting.has(id)) return;
      if (answer.status === "ready") this.#end(id, "ready", answer);
      else this.#wait(id, answer);
    } catch (error) {
      this.#end(id, "failed", { message: error.message });
    }
  }

  /** A message of the socket: "candidate.ready" or "candidate.failed"; others are none of ours. */
  receive({ type, candidate, ...more }) {
    if (!this.#waiting.has(candidate)) return;
    if (type === "candidate.ready") this.#end(candidate, "ready", more);
    if (type === "candidate.failed") this.#end(candidate, "failed", more);
  }

  #wait(id, { audio_url: url, message }) {
    this.#tell(id, "asked", { message });
    const look = async () => {
      if ((await this.#exists(url)) && this.#waiting.has(id)) this.#end(id, "ready", { audio_url: url });
    };
    const giveUp = () => this.#end(id, "failed", {
      message: `It was not played within ${PATIENCE / 1000} seconds. The players may be busy: ask again later.`,
    });
    this.#waiting.set(id, [setInterval(look, LOOK_EVERY), setTimeout(giveUp, PATIENCE)]);
  }

  #end(id, status, { message = "", audio_url = null }) {
    for (const timer of this.#waiting.get(id) ?? []) clearTimeout(timer);
    this.#waiting.delete(id);
    this.#tell(id, status, { message, audio_url });
  }

  #tell(candidate, status, { message = "", audio_url = null }) {
    this.dispatchEvent(new CustomEvent("change", { detail: { candidate, status, message, audio_url } }));
  }
}
