/** The taste page: lives as long as the site does, and shows itself whenever its page is entered. */

import { beliefs } from "./beliefs.js";
import { counted, remarks, songs, silence, withEdit, withTrack } from "./content.js";
import { Edits } from "./edits.js";
import { keepingFocus } from "./elements.js";
import { MapView } from "./map.js";
import { showProof } from "./proof.js";
import { Sliders } from "./sliders.js";
import { Snippet } from "./snippet.js";
import { listed, saidRows, selected } from "./songs.js";
import { done } from "./words.js";
import { embedded } from "../pages.js";
import { plural } from "../format.js";

/** Milliseconds until a report that is being made is asked for, with and without a socket that would tell. */
const ASK_AGAIN = { live: 15_000, otherwise: 4000 };
const MOST_ASKED = 20;
const FOLLOWS = "Your next playlist follows it.";

export class Taste {
  #api;
  #player;
  #concert;
  #ratings;
  #storage;
  #announcer;
  #connected;
  #snippet;
  #edits = null;
  #main = null;
  #content = null;
  #map = null;
  #sliders = null;
  #selected = null;
  #timer = null;
  #asked = 0;
  #changes = 0;

  /** @param connected  () => whether the socket would tell of a newer report */
  constructor({ api, player, concert, ratings, storage, announcer, connected }) {
    this.#api = api;
    this.#player = player;
    this.#concert = concert;
    this.#ratings = ratings;
    this.#storage = storage;
    this.#announcer = announcer;
    this.#connected = connected;
    this.#snippet = new Snippet({ player });
    this.#snippet.wanted = storage.get("snippets", true);
    player.addEventListener("state", () => player.playing && this.#snippet.stop());
    concert.addEventListener("track", () => this.#map?.playing(player.track?.id));
    ratings.addEventListener("change", ({ detail }) => this.#rated(detail));
    const repaint = () => this.#map?.repaint();
    new MutationObserver(repaint).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  }

  /** A page was entered: ours, or another one. */
  enter(main) {
    this.#leave();
    if (main.dataset.page !== "taste") return;
    this.#main = main;
    this.#content = embedded(main, "taste-json");
    const { editUrl } = this.#find("[data-taste-page]").dataset;
    this.#edits = new Edits({ post: this.#api.post, editUrl });
    this.#edits.addEventListener("stored", ({ detail }) => this.#stored(detail));
    this.#edits.addEventListener("trouble", ({ detail }) => this.#trouble(detail.message));
    this.#edits.addEventListener("undoable", ({ detail }) => { this.#find("[data-taste=undo]").hidden = detail.text === null; });
    const time = (moment) => clockTime(moment);
    this.#map = new MapView({
      root: this.#find("[data-map]"),
      point: (track, { by }) => this.#pointed(track, by),
      choose: (track) => this.#play(track),
    });
    this.#sliders = new Sliders({ root: this.#find("[data-sliders]"), time, want: (concept, wanted) => this.#want(concept, wanted) });
    this.#bind(main);
    this.#take(this.#content);
  }

  /** The socket is there from now on: what it would have said before was missed. */
  caughtUp() {
    if (this.#main && this.#content.pending) this.refresh();
  }

  /** The server says that a newer report is there, or a playlist with new songs. */
  async refresh() {
    if (!this.#main) return;
    const [main, changes] = [this.#main, this.#changes];
    clearTimeout(this.#timer);
    try {
      const content = await this.#api.get(this.#find("[data-taste-page]").dataset.contentUrl);
      if (this.#main !== main) return;
      // Something was said meanwhile that this answer cannot know; the news it came for may be the last.
      if (this.#changes !== changes) return void this.refresh();
      const news = content.made_at !== this.#content.made_at;
      this.#take(content);
      if (news) this.#announcer.say("What is believed of your taste was read again.");
    } catch {
      this.#askLater();
    }
  }

  #leave() {
    clearTimeout(this.#timer);
    this.#snippet.stop();
    this.#main = this.#map = this.#sliders = this.#edits = this.#content = this.#selected = null;
    this.#asked = 0;
  }

  #bind(main) {
    const page = this.#find("[data-taste-page]");
    page.addEventListener("click", (event) => {
      const button = event.target.closest("[data-taste]");
      if (button) this.#pressed(button);
    });
    const snippets = this.#find("[data-snippets]");
    snippets.checked = this.#snippet.wanted;
    snippets.addEventListener("change", () => {
      this.#snippet.wanted = snippets.checked;
      this.#storage.set("snippets", snippets.checked);
      this.#snippet.stop();
    });
    this.#find("[data-map-list]").addEventListener("toggle", () => this.#showList());
    this.#find("[data-find-concept]").addEventListener("input", ({ target }) => {
      const found = this.#sliders.find(target.value);
      this.#find("[data-found]").textContent = target.value.trim() ? `${plural(found, "concept")} found` : "";
    });
    main.addEventListener("keydown", (event) => event.key === "Escape" && this.#snippet.stop());
  }

  #pressed(button) {
    const { taste: action, concept, song: id } = button.dataset;
    const track = this.#content.tracks.find((one) => one.id === id);
    if (action === "undo") this.#edits.undo();
    else if (action === "play") this.#play(track);
    else if (action === "forget-track" || action === "remember-track") this.#forgetTrack(track, action === "forget-track");
    else if (action === "forget") this.#say({ concept, kind: "forget", wanted: 0 });
    else if (action === "not-now") this.#say({ concept, kind: "not now", wanted: 0 });
    else if (action === "withdraw") this.#say({ concept, kind: "withdrawn", wanted: 0 });
  }

  #want(concept, wanted) {
    this.#say({ concept, kind: "lean", wanted: Math.round(wanted * 100) / 100 });
  }

  #say(edit) {
    this.#busy();
    return this.#edits.say(edit, { text: done(edit) });
  }

  #forgetTrack(track, forgotten) {
    this.#busy();
    return this.#edits.forget(track, forgotten, { text: toldOf(track, forgotten) });
  }

  /** An edit, or the taking back of one, is with the server. */
  #stored({ edit, answer, track: id, forgotten }) {
    if (!this.#main) return;
    this.#changes += 1;
    this.#asked = 0;
    if (edit) {
      this.#tell(done(edit));
      this.#content = withEdit(this.#content, edit.concept, answer.edit);
    } else {
      this.#tell(toldOf(this.#content.tracks.find((one) => one.id === id), forgotten));
      this.#content = { ...withTrack(this.#content, id, { forgotten }), pending: true };
    }
    this.#render();
    this.#askLater();
  }

  #trouble(message) {
    this.#announcer.warn(`That could not be kept. ${message}`);
    if (!this.#main) return;
    this.#find("[data-told-text]").textContent = "That could not be kept.";
    this.#render();
  }

  #tell(text) {
    this.#find("[data-told]").hidden = false;
    this.#find("[data-told-text]").textContent = `${text}. ${FOLLOWS}`;
  }

  /** Something is on its way to the server. */
  #busy() {
    this.#find("[data-told]").hidden = false;
    this.#find("[data-told-text]").textContent = "Keeping that …";
  }

  #rated({ track, value }) {
    if (!this.#content?.tracks.some((one) => one.id === track)) return;
    this.#content = withTrack(this.#content, track, { rating: value });
    this.#render();
  }

  #take(content) {
    this.#ratings.learn(content.tracks);
    // A rating that is still on its way is newer than what the server says.
    const tracks = content.tracks.map((track) => ({ ...track, rating: this.#ratings.of(track.id) }));
    this.#content = { ...content, tracks };
    this.#render();
    if (content.pending) this.#askLater();
  }

  #askLater() {
    clearTimeout(this.#timer);
    if (!this.#content.pending || this.#asked >= MOST_ASKED) return;
    this.#asked += 1;
    this.#timer = setTimeout(() => this.refresh(), this.#connected() ? ASK_AGAIN.live : ASK_AGAIN.otherwise);
  }

  #render() {
    const content = this.#content;
    this.#find("[data-headline]").textContent = content.headline;
    this.#find("[data-reading]").hidden = !content.pending || !content.made_at;
    this.#showMap(content);
    const silent = silence(content);
    this.#find("[data-silence]").textContent = silent;
    this.#find("[data-silence]").hidden = !silent;
    this.#fill("[data-beliefs]", beliefs(content, { time: clockTime }));
    this.#find("[data-concepts]").hidden = !content.slots.length;
    this.#sliders.show(content.slots);
    this.#showWishes(content);
    showProof(this.#find("[data-proof]"), content.proof);
  }

  #showMap(content) {
    const { liked, disliked, unrated } = counted(songs(content));
    for (const [kind, count] of Object.entries({ liked, disliked, unrated })) this.#find(`[data-count-${kind}]`).textContent = count;
    this.#find("[data-map-filled]").hidden = !content.tracks.length;
    this.#find("[data-map-empty]").hidden = content.tracks.length > 0;
    this.#map.show({ tracks: content.tracks.filter((track) => track.dot), landscape: content.landscape });
    this.#map.playing(this.#player.track?.id);
    this.#find("[data-remarks]").textContent = remarks(content).join(" ");
    this.#showList();
    if (this.#selected) this.#showSelected(content.tracks.find((track) => track.id === this.#selected));
  }

  #showList() {
    const details = this.#find("[data-map-list]");
    if (details.open) this.#fill("[data-map-rows]", songs(this.#content).map(listed));
  }

  #showWishes({ wishes, tracks }) {
    const forgotten = tracks.filter((track) => track.forgotten);
    this.#find("[data-said]").hidden = !wishes.length && !forgotten.length;
    this.#fill("[data-said-rows]", saidRows(wishes, forgotten, { time: clockTime }));
  }

  #pointed(track, by) {
    if (track === null || by === "focus") this.#snippet.stop();
    else this.#snippet.play(track);
    if (track && by !== "pointer") this.#showSelected(track);
  }

  #showSelected(track) {
    const place = this.#find("[data-selected]");
    this.#selected = track?.id ?? null;
    place.hidden = !track;
    if (!track) return;
    this.#fill("[data-selected]", selected(track));
  }

  /** Play a track in its own playlist, so that the others of it follow. */
  async #play(track) {
    if (!track) return;
    this.#snippet.stop();
    this.#showSelected(track);
    if (this.#player.track?.id === track.id && this.#player.state !== "ready") return void this.#player.toggle();
    let playlist = { id: "taste", number: null, title: "Your map", tracks: [{ ...track, position: 1 }] };
    try {
      const whole = track.playlist ? await this.#api.playlist(track.playlist) : playlist;
      if (whole.tracks.some((one) => one.id === track.id)) playlist = whole;
      this.#ratings.learn(playlist.tracks);
    } catch {
      // The song alone, then.
    }
    await this.#concert.take(playlist, { track: track.id, play: true });
  }

  #fill(selector, children) {
    const place = this.#find(selector);
    keepingFocus(place, () => place.replaceChildren(...children), this.#find("h1"));
  }

  #find(selector) {
    return this.#main.querySelector(selector);
  }
}

function toldOf({ title }, forgotten) {
  return forgotten ? `${title} teaches nothing any more` : `${title} teaches again`;
}

function clockTime(moment) {
  return new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" }).format(new Date(moment));
}
