/**
 * A few seconds of what is pointed at, beside the player: it never interrupts music that plays, and counts as no
 * listening.
 */

const DWELL = 220; // milliseconds on a dot before it sounds
const LENGTH = 4; // seconds
const FADE = 240; // milliseconds
const STEPS = 8;

/** Where a snippet begins, in seconds: past the introduction, and early enough to last. */
export function beginning(duration) {
  return Math.max(0, Math.min(0.3 * duration, duration - LENGTH));
}

export class Snippet {
  #player;
  #makeAudio;
  #audio = null;
  #timers = [];
  wanted = true;

  /** @param makeAudio  () => an HTMLAudioElement */
  constructor({ player, makeAudio = () => new Audio() }) {
    this.#player = player;
    this.#makeAudio = makeAudio;
  }

  /** Play from a track a moment from now, unless the player plays or snippets are not wanted. */
  play(track) {
    this.stop();
    if (!this.wanted || this.#player.playing) return;
    this.#later(DWELL, () => this.#begin(track));
  }

  stop() {
    this.#timers.splice(0).forEach(clearTimeout);
    this.#audio?.pause();
    this.#audio = null;
  }

  async #begin(track) {
    if (this.#player.playing) return;
    const audio = this.#makeAudio();
    this.#audio = audio;
    audio.muted = this.#player.muted;
    audio.volume = this.#player.volume;
    audio.src = track.audio_url;
    audio.currentTime = beginning(track.seconds);
    try {
      await audio.play();
    } catch {
      return; // The browser wants a gesture first, or the sound is not there: the words are.
    }
    if (this.#audio !== audio) return;
    this.#later(1000 * LENGTH - FADE, () => this.#fade(audio));
  }

  #fade(audio) {
    const full = audio.volume;
    for (let step = 1; step <= STEPS; step += 1) {
      this.#later((FADE * step) / STEPS, () => {
        audio.volume = full * (1 - step / STEPS);
        if (step === STEPS) this.stop();
      });
    }
  }

  #later(milliseconds, act) {
    this.#timers.push(setTimeout(act, milliseconds));
  }
}
