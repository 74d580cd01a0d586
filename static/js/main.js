/** Puts the parts together, once; pages come and go by `enter`. */

import { Announcer } from "./announce.js";
import { Api } from "./api.js";
import { bindClicks, makeCommands } from "./commands.js";
import { Concert } from "./concert.js";
import { copyLink } from "./copying.js";
import { DuetPage } from "./duet.js";
import { Help } from "./help.js";
import { Listens } from "./listens.js";
import { Live } from "./live.js";
import { bindMediaKeys } from "./media_keys.js";
import { bindNavigation, markCurrent } from "./navigation.js";
import { embedded, furnish, playlistOf, turnTo } from "./pages.js";
import { Player } from "./player.js";
import { PlayerView } from "./player_view.js";
import { ProgressView } from "./progress.js";
import { RatingQueue } from "./queue.js";
import { Ratings } from "./ratings.js";
import { Rounds } from "./rounds.js";
import { recount, showCurrent, showRating } from "./rows.js";
import { bindShortcuts } from "./shortcuts.js";
import { browserStorage, Storage } from "./storage.js";
import { Taste } from "./taste/page.js";
import { bindTheme } from "./theme.js";

const find = (selector) => document.querySelector(selector);
const mainElement = () => document.getElementById("main");
const { rateUrl, listensUrl, evolveUrl, cancelUrl, stateUrl, playlistsUrl, socketPath } = document.body.dataset;

const storage = new Storage(browserStorage());
const announcer = new Announcer({ region: find("[data-announcer]"), notices: find("[data-notices]") });
const say = (text) => announcer.say(text);
const api = new Api({ rate: rateUrl, listens: listensUrl, evolve: evolveUrl, cancel: cancelUrl, state: stateUrl, playlists: playlistsUrl });

/** Who listens; pages that know nobody (an error's) do not make us forget it. */
let listener = null;

const queue = new RatingQueue({
  storage,
  key: () => `ratings.${listener ?? mainElement().dataset.listener ?? "visitor"}`,
  send: api.rate,
  online: () => navigator.onLine,
});
const ratings = new Ratings({ queue });
const player = new Player();
const concert = new Concert({ player, ratings });
const hearings = new RatingQueue({
  storage,
  key: () => `listens.${listener ?? mainElement().dataset.listener ?? "visitor"}`,
  send: api.listen,
  online: () => navigator.onLine,
});
const listens = new Listens({ queue: hearings, player, concert });
const rounds = new Rounds({ fetchPlaylist: api.playlist, known: undefined });
const view = new PlayerView({ section: find("[data-player]"), player, ratings });
const progress = new ProgressView({ say });
const help = new Help({ dialog: find("[data-help]"), storage });
const live = new Live({
  url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${socketPath}`,
  api,
  rounds,
  indicator: find("[data-connection]"),
  say,
  restored: flush,
});

const duet = new DuetPage({
  api,
  say,
  warn: (text) => announcer.warn(text),
  asking: (asked) => { rounds.asked = asked; },
  wire: (element) => globalThis.htmx.process(element),
});

function flush() {
  queue.flush();
  hearings.flush();
}
const taste = new Taste({ api, player, concert, ratings, storage, announcer, connected: () => live.connected });

async function evolve() {
  if (rounds.active || listener === null) return;
  rounds.asked = true;
  try {
    const { round } = await api.evolve();
    if (rounds.asked) rounds.begun(round);
    live.refresh();
  } catch (error) {
    rounds.asked = false;
    announcer.warn(error.message);
  }
}

async function cancel() {
  if (!rounds.active || listener === null) return;
  try {
    const { round, playlist, rated, needed } = await api.cancel();
    rounds.asked = false;
    await rounds.take({ round, playlist, rated, needed });
  } catch (error) {
    announcer.warn(error.message);
  }
}

async function playFrom(list, track) {
  const { playlist: id, playlistNumber: number } = list.dataset;
  if (concert.sequence?.playlist.id === id && concert.sequence.at(track).track.id === track) {
    if (player.track.id === track && player.state !== "ready") player.toggle();
    else concert.go(track);
    return;
  }
  try {
    const playlist = playlistOf(list) ?? (await api.playlist(id));
    ratings.learn(playlist.tracks);
    await concert.take(playlist, { track, play: true });
  } catch (error) {
    announcer.warn(`Playlist ${number} could not be fetched. ${error.message}`);
  }
}

function playAll() {
  const list = mainElement().querySelector("[data-playlist]");
  return playFrom(list, list.querySelector("[data-track]").dataset.track);
}

/** @param from  the element whose use led here; null after a whole page load */
function enter(main, { from }) {
  markCurrent(find("#site-nav"), main.dataset.page);
  furnish(main, { ratings, current: player.track?.id });
  progress.mount(main.querySelector("[data-round]"));
  taste.enter(main);
  duet.enter(main);
  if (!main.dataset.listener) return;
  listener = main.dataset.listener;
  if (main.dataset.page === "listen") enterListening(main, { play: from !== null && navigator.userActivation?.hasBeenActive !== false });
  const state = embedded(main, "state-json");
  if (state) rounds.take(state);
  live.start();
  flush();
}

function enterListening(main, { play }) {
  const playlist = embedded(main, "playlist-json");
  if (!concert.sequence) {
    rounds.shown(playlist?.id ?? null);
    // Coming from the Start button is a gesture; coming back by a link to a silent player is not a wish for music.
    if (playlist) concert.take(playlist, { play: play && !player.started });
  } else if (playlist) {
    rounds.receive({ type: "playlist.ready", playlist });
  }
}

player.setVolume(storage.get("volume", 0.8));
player.addEventListener("volume", () => storage.set("volume", player.volume));
find("[data-volume]").addEventListener("input", (event) => player.setVolume(event.target.valueAsNumber / 100));

concert.addEventListener("track", ({ detail: { sequence } }) => {
  view.showTrack(sequence);
  showCurrent(mainElement(), sequence.track.id);
});
concert.addEventListener("playlist", ({ detail: { playlist } }) => {
  if (playlist.id === rounds.state.playlist) turnTo(mainElement(), playlist, { ratings, current: null });
});
concert.addEventListener("offer", ({ detail: { playlist } }) => view.showOffer(playlist));
concert.addEventListener("finished", () => {
  view.showEnd();
  say(rounds.active ? "The playlist is over. The next one is being made." : "The playlist is over. Rate more tracks, or press Evolve.");
});

queue.addEventListener("change", ({ detail }) => view.showPending(detail.size, { soon: !navigator.onLine }));
queue.addEventListener("sent", ({ detail: { answer } }) => {
  rounds.counted(answer);
  if (answer.evolving) live.refresh();
});
queue.addEventListener("refused", ({ detail: { error } }) => announcer.warn(`A rating was not accepted. ${error.message}`));
ratings.addEventListener("change", ({ detail: { track, value, never } }) => {
  showRating(mainElement(), track, value, never);
  recount(mainElement());
});

rounds.addEventListener("change", ({ detail: { state } }) => progress.show(state));
rounds.addEventListener("trouble", ({ detail: { message } }) => announcer.warn(message));
rounds.addEventListener("playlist", ({ detail: { playlist, news } }) => {
  ratings.learn(playlist.tracks);
  taste.refresh();
  const decision = concert.arrived(playlist, { asked: rounds.asked, news });
  // How many ratings the new playlist needs is in the state only.
  if (news) live.refresh();
  if (news) say(decision === "play" ? `Playlist ${playlist.number} begins.` : `Playlist ${playlist.number} is ready.`);
});

const commands = {
  ...makeCommands({ player, concert, ratings, say, evolve, playFrom, playAll, help, view }),
  cancel,
  "compose-duet": () => duet.compose(),
  "copy-invitation": () => duet.copy(),
  "copy-link": (button) => copyLink(button, say),
};
bindClicks(commands);
bindShortcuts({
  run: (name) => commands[name](),
  enabled: (name) => help.keysWanted && (name === "help" || (!help.open && (name === "evolve" || player.track !== null))),
});
bindMediaKeys({ player, concert, icon: find("link[rel=icon]").href });
bindTheme({ button: find("[data-action=theme]"), storage, onChange: () => view.repaint() });
bindNavigation({ entered: enter, failed: () => announcer.warn("That page could not be reached. The music goes on.") });
live.addEventListener("message", ({ detail: { type } }) => {
  if (type === "taste.ready") taste.refresh();
  if (type === "state") taste.caughtUp();
});
addEventListener("online", flush);
addEventListener("pagehide", () => listens.leave());
view.showPending(queue.size);
enter(mainElement(), { from: null });
