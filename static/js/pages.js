/** What a page brings along when it is entered: its playlist, its ratings, its times and its section of progress. */

import { dress, replace, showCurrent, showRating } from "./rows.js";

/** The value of a json_script element, or null. */
export function embedded(root, id) {
  const script = root.querySelector(`#${CSS.escape(id)}`);
  return script ? JSON.parse(script.textContent) : null;
}

/** The playlist of a list of rows: from the page's JSON (favourites are a bare list of tracks), or null. */
export function playlistOf(list) {
  const found = list.dataset.source ? embedded(document, list.dataset.source) : null;
  if (Array.isArray(found)) return { id: list.dataset.playlist, number: null, title: "Favourites", tracks: found };
  return found;
}

/** Everything in `main` that needs no answer from elsewhere. */
export function furnish(main, { ratings, current }) {
  for (const list of main.querySelectorAll("[data-playlist]")) {
    const tracks = playlistOf(list)?.tracks ?? [];
    dress(list, tracks);
    const rows = [...list.querySelectorAll("[data-track]")];
    ratings.learn(rows.map(ratingOf));
    for (const { dataset: { track } } of rows) showRating(list, track, ratings.of(track), ratings.never(track));
  }
  showCurrent(main, current);
  localTimes(main);
}

/** Put another playlist on the listening page. Does nothing on other pages. */
export function turnTo(main, playlist, { ratings, current }) {
  const list = main.querySelector("[data-programme]");
  if (!list || list.dataset.playlist === playlist.id) return;
  const heading = main.querySelector("[data-programme-heading]");
  const inside = list.contains(document.activeElement);
  replace(list, main.querySelector("[data-track-template]"), playlist);
  for (const { id } of playlist.tracks) showRating(list, id, ratings.of(id), ratings.never(id));
  showCurrent(list, current);
  heading.textContent = `Playlist ${playlist.number}`;
  main.querySelector("[data-programme-empty]").hidden = true;
  const time = document.createElement("time");
  time.dateTime = playlist.made_at;
  time.dataset.localTime = "";
  main.querySelector("[data-programme-note]").replaceChildren(time);
  localTimes(main);
  document.title = `Playlist ${playlist.number} · EvoMusic`;
  // The row that had the focus is gone.
  if (inside) heading.focus({ preventScroll: true });
}

/** What a row that the server rendered says of its track. */
function ratingOf({ dataset }) {
  return { id: dataset.track, rating: dataset.rating === "" ? null : Number(dataset.rating), never: "never" in dataset };
}

/** Moments as this browser's people write them. */
export function localTimes(root) {
  const written = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long", timeStyle: "short" });
  for (const time of root.querySelectorAll("time[data-local-time]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.valueOf())) time.textContent = written.format(moment);
  }
}
