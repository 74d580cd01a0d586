/** The player's section of the page: shows what the player and the ratings say. It decides nothing. */

import { Waveform } from "./waveform.js";
import { clock, plural } from "./format.js";

export class PlayerView {
  #section;
  #player;
  #ratings;
  #wave;
  #following = false;
  #pendingTimer = null;

  constructor({ section, player, ratings }) {
    this.#section = section;
    this.#player = player;
    this.#ratings = ratings;
    this.#wave = new Waveform({ slider: this.#find("[data-waveform]"), seek: (seconds) => player.seek(seconds) });
    player.addEventListener("state", () => this.#showState());
    player.addEventListener("time", () => this.#showTime());
    player.addEventListener("volume", () => this.#showVolume());
    ratings.addEventListener("change", ({ detail }) => detail.track === player.track?.id && this.#showRating());
    ratings.addEventListener("undoable", ({ detail }) => this.#allowUndo(detail.possible));
    this.#showState();
    this.#showVolume();
  }

  showTrack({ playlist, track, index }) {
    const name = playlist.number ? `Playlist ${playlist.number}` : playlist.title ?? "Playlist";
    this.#section.hidden = false;
    this.#section.dataset.track = track.id;
    this.#section.dataset.playlist = playlist.id;
    this.#put("[data-player-context]", `${name} · ${index + 1} of ${playlist.tracks.length}`);
    this.#put("[data-player-title]", track.title);
    this.#put("[data-player-prompt]", track.prompt);
    const download = this.#find("[data-player-download]");
    download.href = track.download_url;
    download.setAttribute("aria-label", "Download this track");
    this.#wave.show(track.peaks);
    this.#showRating();
    this.#showTime();
  }

  showOffer(playlist) {
    this.#find("[data-offer]").hidden = playlist === null;
    if (playlist) this.#put("[data-offer-text]", `Playlist ${playlist.number} is ready. It follows this track.`);
  }

  showEnd() {
    this.#put("[data-player-trouble]", "end of the playlist");
  }

  /** @param soon  false: the sending is under way and will hardly take long enough to be worth a word */
  showPending(count, { soon = true } = {}) {
    const line = this.#find("[data-pending]");
    clearTimeout(this.#pendingTimer);
    line.dataset.count = count;
    if (count) line.textContent = `${plural(count, "rating")} waiting to be sent`;
    if (count === 0 || soon) line.hidden = count === 0;
    else this.#pendingTimer = setTimeout(() => { line.hidden = false; }, PENDING_AFTER);
  }

  toggleMore() {
    const open = this.#section.toggleAttribute("data-more");
    this.#find("[data-action=more]").setAttribute("aria-expanded", open);
  }

  repaint() {
    this.#wave.repaint();
  }

  #showState() {
    const { state, playing } = this.#player;
    this.#section.dataset.state = state;
    const button = this.#find("[data-action=toggle]");
    button.setAttribute("aria-label", playing ? "Pause" : "Play");
    button.dataset.shows = playing ? "pause" : "play";
    this.#put("[data-player-trouble]", TROUBLE[state] ?? "");
    if (playing && !this.#following) this.#follow();
  }

  // The element's own "timeupdate" comes four times a second: too seldom for a line that moves.
  #follow() {
    this.#following = this.#player.playing;
    if (!this.#following) return;
    requestAnimationFrame(() => {
      this.#wave.move({ time: this.#player.time, duration: this.#player.duration });
      this.#follow();
    });
  }

  #showTime() {
    const { time, duration } = this.#player;
    this.#put("[data-elapsed]", clock(time));
    this.#put("[data-duration]", clock(duration));
    this.#wave.move({ time, duration });
  }

  #showVolume() {
    const { volume, muted } = this.#player;
    this.#find("[data-volume]").value = Math.round(volume * 100);
    const button = this.#find("[data-action=mute]");
    button.setAttribute("aria-pressed", muted);
    button.dataset.shows = muted || volume === 0 ? "muted" : "sound";
  }

  #showRating() {
    const track = this.#player.track?.id;
    const value = this.#ratings.of(track);
    this.#section.dataset.rating = value ?? "";
    this.#find("[data-action=like]").setAttribute("aria-pressed", value === 1);
    this.#find("[data-action=dislike]").setAttribute("aria-pressed", value === -1);
    for (const button of this.#section.querySelectorAll("[data-action=never]")) button.setAttribute("aria-pressed", this.#ratings.never(track));
  }

  #allowUndo(possible) {
    const button = this.#find("[data-action=undo]");
    if (!possible && document.activeElement === button) this.#find("[data-action=like]").focus();
    button.disabled = !possible;
  }

  #find(selector) {
    return this.#section.querySelector(selector);
  }

  #put(selector, text) {
    const element = this.#find(selector);
    if (element.textContent !== text) element.textContent = text;
  }
}

/** Milliseconds. */
const PENDING_AFTER = 1500;

const TROUBLE = {
  loading: "loading",
  refused: "press Play to begin",
  failed: "this track cannot be played now",
};
