/** Songs in rows: the one that was chosen on the map, the map as a list, and what was said of songs and concepts. */

import { forgetting, press } from "./beliefs.js";
import { html, icon, svg } from "./elements.js";
import { kindOf, mark, said } from "./map.js";
import { standing } from "./words.js";

/** The song that was chosen on the map, and what can be done with it. */
export function selected(track) {
  const kind = kindOf(track);
  const from = track.number ? ` · playlist ${track.number}` : "";
  return [
    html(
      "p",
      { class: "selected-title" },
      svg("svg", { class: `legend-mark dot-${kind}`, viewBox: "-8 -8 16 16", "aria-hidden": "true" }, mark(kind)),
      html("span", {}, track.title),
    ),
    html("p", { class: "selected-prompt" }, `${track.prompt}${from} · ${said(track)}`),
    html(
      "p",
      { class: "selected-actions" },
      songButton(track, { action: "play", key: "selected play", label: "Play" }),
      songButton(track, {
        action: track.forgotten ? "remember-track" : "forget-track",
        key: "selected forget",
        label: track.forgotten ? "Remember this song" : "Forget this song",
      }),
    ),
  ];
}

/** A song of the list that says what the map shows. */
export function listed(track) {
  return html(
    "li",
    { class: track.forgotten ? "witness witness-forgotten" : "witness" },
    html(
      "button",
      { type: "button", class: "witness-play", "data-taste": "play", "data-song": track.id, "data-key": `list ${track.id}` },
      track.rating ? icon(track.rating === 1 ? "like" : "dislike") : null,
      html("span", { class: "visually-hidden" }, "Play "),
      html("span", {}, track.title),
      html("span", { class: "visually-hidden" }, `, ${said(track)}`),
    ),
    forgetting(track, `list-forget ${track.id}`),
  );
}

/** Everything the listener has said, each with the way back: wishes for concepts, and forgotten songs. */
export function saidRows(wishes, forgotten, { time }) {
  const row = (name, words, button) => html("li", { class: "said" }, html("span", {}, html("b", {}, name), `: ${words}`), button);
  return [
    ...wishes.map((wish) => row(wish.concept, standing(wish, { time }), press("withdraw", wish.concept, "Take back"))),
    ...forgotten.map((track) =>
      row(track.title, "teaches nothing", songButton(track, { action: "remember-track", key: `remember ${track.id}`, label: "Take back" })),
    ),
  ];
}

function songButton(track, { action, key, label }) {
  return html("button", { type: "button", class: "quiet-button", "data-taste": action, "data-song": track.id, "data-key": key }, label);
}
