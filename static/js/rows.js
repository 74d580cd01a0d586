/** The tracks of a page: rows that the server rendered, or that are filled here from its template. */

import { bars } from "./waveform.js";
import { clock } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const WAVE_BARS = 40;

/** Write a track into a row made from the page's template. */
export function fill(row, track) {
  row.dataset.track = track.id;
  const field = (name) => row.querySelector(`[data-field=${name}]`);
  field("position").textContent = track.position;
  field("title").textContent = track.title;
  field("prompt").textContent = track.prompt;
  field("seconds").dataset.seconds = track.seconds;
  field("download").href = track.download_url;
  field("download").setAttribute("aria-label", `Download ${track.title}`);
  row.querySelector("[data-action=like-track]").setAttribute("aria-label", `Like ${track.title}`);
  row.querySelector("[data-action=dislike-track]").setAttribute("aria-label", `Dislike ${track.title}`);
  return row;
}

/** Replace the rows of a list by those of `playlist`. */
export function replace(list, template, playlist) {
  const rows = playlist.tracks.map((track) => fill(template.content.firstElementChild.cloneNode(true), track));
  list.replaceChildren(...rows);
  list.dataset.playlist = playlist.id;
  list.dataset.playlistNumber = playlist.number;
  list.hidden = false;
  dress(list, playlist.tracks);
}

/** What the server's markup leaves to us: lengths as clocks, and the small waveforms where peaks are known. */
export function dress(root, tracks) {
  const known = new Map(tracks.map((track) => [track.id, track]));
  for (const row of root.querySelectorAll("[data-track]")) {
    const length = row.querySelector("[data-field=seconds]");
    length.textContent = clock(Math.round(Number(length.dataset.seconds)));
    const peaks = known.get(row.dataset.track)?.peaks;
    if (peaks?.length) drawWave(row.querySelector("[data-field=wave]"), peaks);
  }
}

/** Show a rating in every row of this track. */
export function showRating(root, track, value, never = false) {
  for (const row of root.querySelectorAll(`[data-track="${CSS.escape(track)}"]`)) {
    row.dataset.rating = value ?? "";
    row.querySelector("[data-action=like-track]").setAttribute("aria-pressed", value === 1);
    const dislike = row.querySelector("[data-action=dislike-track]");
    dislike.setAttribute("aria-pressed", value === -1);
    dislike.title = never ? "Never again" : "Dislike";
    row.toggleAttribute("data-never", never);
  }
}

/** Count the ratings of each past playlist again; "unrated" are those with no opinion as well. */
export function recount(root) {
  for (const tally of root.querySelectorAll("[data-tally]")) {
    const ratings = Array.from(tally.closest("article").querySelectorAll("[data-track]"), (row) => row.dataset.rating);
    for (const number of tally.querySelectorAll("[data-count]")) {
      const wanted = number.dataset.count;
      number.textContent = ratings.filter((rating) => (wanted === "" ? rating === "" || rating === "0" : rating === wanted)).length;
    }
  }
}

/** Mark the rows of the track that is in the player. */
export function showCurrent(root, track) {
  for (const row of root.querySelectorAll("[data-track]")) {
    if (row.dataset.track === track) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
}

/** A small waveform from peaks in [0, 1]. */
export function drawWave(svg, peaks) {
  const path = document.createElementNS(SVG, "path");
  const width = 120 / WAVE_BARS;
  const line = bars(peaks, WAVE_BARS).map((peak, index) => {
    const half = Math.max(0.6, peak * 13);
    return `M${(index + 0.5) * width} ${(14 - half).toFixed(1)}v${(2 * half).toFixed(1)}`;
  });
  path.setAttribute("d", line.join(""));
  svg.replaceChildren(path);
}
