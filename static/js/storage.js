/** Local storage under one prefix; falls back to memory where the browser forbids storage. */

export class Storage {
  #backing;
  #prefix;
  #memory = new Map();

  /** @param backing  an object with getItem, setItem, removeItem, or null */
  constructor(backing, prefix = "evomusic.") {
    this.#backing = backing;
    this.#prefix = prefix;
  }

  /** The stored value, or `fallback` when there is none or it cannot be read. */
  get(key, fallback = null) {
    try {
      const text = this.#backing?.getItem(this.#prefix + key) ?? this.#memory.get(key);
      return text == null ? fallback : JSON.parse(text);
    } catch {
      return this.#memory.has(key) ? JSON.parse(this.#memory.get(key)) : fallback;
    }
  }

  set(key, value) {
    const text = JSON.stringify(value);
    this.#memory.set(key, text);
    try {
      this.#backing?.setItem(this.#prefix + key, text);
    } catch {
      // Full or forbidden: the value lives as long as the page.
    }
  }
}

/** The browser's own storage, or null where reaching for it is already an error. */
export function browserStorage() {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null;
  }
}
