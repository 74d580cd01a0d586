/**
 * The sound: one audio element outside the page's tree, so that no page change can stop it.
 *
 * Events: "state" (state changed), "time", "ended" {track, heard}, "volume".
 * States: empty, ready (loaded, never played), refused (the browser wants a gesture first),
 *         loading, playing, paused, failed.
 */

/** A larger step of the clock than this is a seek, not listening (seconds). */
const LARGEST_STEP = 1.5;

export class Player extends EventTarget {
  #audio;
  #makeAudio;
  #ahead = null;
  #track = null;
  #state = "empty";
  #heard = new Map();
  #last = 0;
  started = false;

  /** @param makeAudio  () => an HTMLAudioElement */
  constructor({ makeAudio = () => new Audio() } = {}) {
    super();
    this.#makeAudio = makeAudio;
    this.#audio = makeAudio();
    this.#audio.preload = "auto";
    this.#listen();
  }

  get state() { return this.#state; }
  get track() { return this.#track; }
  get playing() { return this.#state === "playing" || this.#state === "loading"; }
  get time() { return this.#audio.currentTime || 0; }
  get volume() { return this.#audio.volume; }
  get muted() { return this.#audio.muted; }

  /** Seconds: what the file says once known, else what the server said. */
  get duration() {
    return Number.isFinite(this.#audio.duration) ? this.#audio.duration : this.#track?.seconds ?? 0;
  }

  /** Seconds of this track that were really heard since the page was loaded. */
  heard(track) {
    return this.#heard.get(track) ?? 0;
  }

  load(track) {
    this.#track = track;
    this.#last = 0;
    this.#audio.src = track.audio_url;
    this.#become("ready");
    this.#tell("time");
  }

  async play() {
    if (!this.#track) return;
    if (this.#state === "failed") this.#audio.load();
    this.#become("loading");
    try {
      await this.#audio.play();
      this.started = true;
    } catch (error) {
      // AbortError: another track was loaded meanwhile, which has its own state by now.
      if (error.name === "NotAllowedError") this.#become("refused");
      else if (error.name !== "AbortError") this.#become("failed");
    }
  }

  pause() { this.#audio.pause(); }
  toggle() { return this.playing ? this.pause() : this.play(); }

  seek(seconds) {
    if (!this.#track) return;
    this.#last = Math.min(Math.max(0, seconds), Math.max(0, this.duration - 0.05));
    this.#audio.currentTime = this.#last;
    this.#tell("time");
  }

  replay() {
    this.seek(0);
    return this.play();
  }

  setVolume(volume) {
    this.#audio.volume = Math.min(1, Math.max(0, volume));
    if (volume > 0) this.#audio.muted = false;
    this.#tell("volume");
  }

  setMuted(muted) {
    this.#audio.muted = muted;
    this.#tell("volume");
  }

  /** Have the browser fetch the coming track, so that the change is without a gap. */
  prepare(track) {
    if (!track || this.#ahead?.id === track.id) return;
    const audio = this.#makeAudio();
    audio.preload = "auto";
    audio.src = track.audio_url;
    this.#ahead = { id: track.id, audio };
  }

  #listen() {
    const on = (type, act) => this.#audio.addEventListener(type, act);
    on("playing", () => this.#become("playing"));
    on("waiting", () => this.playing && this.#become("loading"));
    on("pause", () => !this.#audio.ended && this.#state !== "ready" && this.#become("paused"));
    on("error", () => this.#track && this.#become("failed"));
    on("timeupdate", () => this.#advance());
    on("seeking", () => { this.#last = this.#audio.currentTime; });
    on("durationchange", () => this.#tell("time"));
    on("ended", () => {
      this.#advance();
      this.#become("paused");
      this.#tell("ended", { track: this.#track, heard: this.heard(this.#track.id) });
    });
  }

  #advance() {
    const step = this.#audio.currentTime - this.#last;
    this.#last = this.#audio.currentTime;
    if (this.#track && step > 0 && step < LARGEST_STEP) {
      this.#heard.set(this.#track.id, this.heard(this.#track.id) + step);
    }
    this.#tell("time");
  }

  #become(state) {
    if (this.#state === state) return;
    this.#state = state;
    this.#tell("state");
  }

  #tell(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
