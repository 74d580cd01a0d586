/**
 * What the listener says of their taste: sent at once, one after another, each with the way back.
 *
 * Events: "stored" {edit, answer} or {track, forgotten}, "trouble" {message}, "undoable" {text or null}.
 */

/** Edits of the same concept within so many milliseconds are one step to take back: a slider that is being moved. */
const ONE_STEP = 1500;

/** The edit that brings back what stood before one: {concept, kind, wanted}. */
export function inverse({ concept }, before) {
  if (before === null) return { concept, kind: "withdrawn", wanted: 0 };
  return { concept, kind: before.kind, wanted: before.wanted };
}

export class Edits extends EventTarget {
  #post;
  #editUrl;
  #now;
  #past = [];
  #last = Promise.resolve();
  #newest = new Map();

  /** @param post  async (url, content) => answer */
  constructor({ post, editUrl, now = Date.now }) {
    super();
    this.#post = post;
    this.#editUrl = editUrl;
    this.#now = now;
  }

  get undoable() {
    return this.#past.at(-1)?.text ?? null;
  }

  /** Say something of a concept: {concept, kind, wanted}. `text` names it for whoever takes it back. */
  say(edit, { text }) {
    this.#newest.set(edit.concept, edit);
    return this.#inTurn(() => this.#send(edit, { text }));
  }

  /** Let a track {id, title, forget_url} teach nothing, or teach again. */
  forget(track, forgotten, { text }) {
    return this.#inTurn(async () => {
      await this.#post(track.forget_url, { forgotten });
      this.#past.push({ text, back: () => this.#setTrack(track, !forgotten) });
      this.#tell("stored", { track: track.id, forgotten });
    });
  }

  /** Take back the last thing said. */
  undo() {
    return this.#inTurn(async () => {
      const step = this.#past.pop();
      if (!step) return;
      try {
        await step.back();
      } catch (error) {
        this.#past.push(step);
        throw error;
      }
    });
  }

  async #send(edit, { text }) {
    // While it waited its turn, something newer was said of the same concept.
    if (this.#newest.get(edit.concept) !== edit) return;
    const answer = await this.#post(this.#editUrl, edit);
    this.#remember(edit, answer, text);
    this.#tell("stored", { edit, answer });
  }

  #remember(edit, answer, text) {
    const last = this.#past.at(-1);
    if (last?.concept === edit.concept && edit.kind === "lean" && last.kind === "lean" && this.#now() - last.at < ONE_STEP) {
      Object.assign(last, { text, at: this.#now() });
      return;
    }
    const back = async () => {
      const way = inverse(edit, answer.before);
      this.#newest.set(edit.concept, way);
      this.#tell("stored", { edit: way, answer: await this.#post(this.#editUrl, way) });
    };
    this.#past.push({ text, back, concept: edit.concept, kind: edit.kind, at: this.#now() });
  }

  async #setTrack(track, forgotten) {
    await this.#post(track.forget_url, { forgotten });
    this.#tell("stored", { track: track.id, forgotten });
  }

  #inTurn(act) {
    this.#last = this.#last.then(act).then(
      () => this.#tell("undoable", { text: this.undoable }),
      (error) => this.#tell("trouble", { message: error.message }),
    );
    return this.#last;
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
