/** Small real objects that stand where the browser has its own. */

/** Storage as the browser's: strings only. */
export class MapStorage {
  items = new Map();
  getItem(key) { return this.items.get(key) ?? null; }
  setItem(key, value) { this.items.set(key, String(value)); }
  removeItem(key) { this.items.delete(key); }
}

/** An audio element without sound: plays when asked, unless `refusal` names the error it answers with. */
export class SilentAudio extends EventTarget {
  src = "";
  currentTime = 0;
  duration = NaN;
  volume = 1;
  muted = false;
  ended = false;
  refusal = null;

  async play() {
    if (this.refusal) throw Object.assign(new Error(this.refusal), { name: this.refusal });
    this.ended = false;
    this.emit("playing");
  }

  pause() { this.emit("pause"); }
  load() {}
  emit(type) { this.dispatchEvent(new Event(type)); }

  /** Let the music go on to `time` in the steps of a browser. */
  run(time, step = 0.25) {
    while (this.currentTime < time) {
      this.currentTime = Math.min(time, this.currentTime + step);
      this.emit("timeupdate");
    }
  }

  finish(time) {
    this.run(time);
    this.ended = true;
    this.emit("ended");
  }
}

/** A socket whose other end is the test. */
export class TestSocket extends EventTarget {
  sent = [];
  closed = false;
  send(text) { this.sent.push(JSON.parse(text)); }
  close() { this.closed = true; }
  opens() { this.dispatchEvent(new Event("open")); }
  loses(code = 1006) { this.dispatchEvent(Object.assign(new Event("close"), { code })); }
  brings(text) { this.dispatchEvent(new MessageEvent("message", { data: text })); }
}

export function playlistOf(id, number, titles) {
  const tracks = titles.map((title, index) => ({
    id: `${id}-${index + 1}`, position: index + 1, title, prompt: `${title}, slowly`, seconds: 12,
    audio_url: `/audio/${id}-${index + 1}`, download_url: "", peaks: [0.5], rating: null, favourite: false,
  }));
  return { id, number, made_at: "2026-01-01T00:00:00Z", url: `/playlists/${id}/`, tracks };
}

export function heard(target, type) {
  const seen = [];
  target.addEventListener(type, ({ detail }) => seen.push(detail));
  return seen;
}

/** Let all that is already due happen. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));
