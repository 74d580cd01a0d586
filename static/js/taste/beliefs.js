/** What is believed, in sentences, each with how sure it is, the songs that told it, and what can be said against it. */

import { html, icon, opinion } from "./elements.js";
import { standing } from "./words.js";

/** @param content  the page's; @param time  (ISO moment) => the hour as it is written here */
export function beliefs(content, { time }) {
  const tracks = new Map(content.tracks.map((track) => [track.id, track]));
  return content.beliefs.map((belief) => row(belief, belief.evidence.map((id) => tracks.get(id)).filter(Boolean), { time, pending: content.pending }));
}

function row(belief, evidence, { time, pending }) {
  const { name, sentence, edit } = belief;
  // Once the taste was read again, what the listener said is in the words already.
  const follows = pending ? " The words follow when the taste is read again. " : " ";
  return html(
    "li",
    { class: edit && pending ? "belief belief-edited" : "belief", "data-concept": name },
    html("h3", { class: "belief-sentence" }, sentence),
    sureness(belief),
    evidence.length ? because(belief, evidence) : html("p", { class: "belief-because" }, "No single song says so; all of them together do."),
    edit
      ? html("p", { class: "belief-standing" }, `You said: ${standing(edit, { time })}.${follows}`, press("withdraw", name, "Take that back"))
      : html("p", { class: "belief-actions" }, press("forget", name, "Forget this"), press("not-now", name, "Not this session")),
  );
}

function sureness({ name, sure, confidence }) {
  const value = Math.round(100 * sure);
  return html(
    "p",
    { class: "belief-sure" },
    html("meter", { min: 50, max: 100, value, "aria-label": `How sure about ${name}` }, `${value} %`),
    html("span", {}, confidence),
  );
}

function because(belief, evidence) {
  return html(
    "div",
    { class: "belief-because" },
    html("p", {}, evidence.length === 1 ? "This song told it:" : `These ${evidence.length} songs told it:`),
    html("ul", { class: "evidence" }, ...evidence.map((track) => witness(belief, track))),
  );
}

function witness({ name }, track) {
  const key = `${name} ${track.id}`;
  return html(
    "li",
    { class: track.forgotten ? "witness witness-forgotten" : "witness" },
    html(
      "button",
      { type: "button", class: "witness-play", "data-taste": "play", "data-song": track.id, "data-key": `play ${key}` },
      track.rating ? icon(track.rating === 1 ? "like" : "dislike") : null,
      html("span", { class: "visually-hidden" }, "Play "),
      html("span", {}, track.title),
      html("span", { class: "visually-hidden" }, `, ${opinion(track.rating)}`),
    ),
    forgetting(track, `forget ${key}`),
  );
}

/** The button that lets a song teach nothing, or teach again. */
export function forgetting(track, key) {
  const label = track.forgotten ? `Remember ${track.title} again` : `Forget what ${track.title} told`;
  return html(
    "button",
    { type: "button", class: "witness-forget", "data-taste": track.forgotten ? "remember-track" : "forget-track", "data-song": track.id, "data-key": key, "aria-label": label, title: label },
    icon(track.forgotten ? "undo" : "close"),
  );
}

/** A button that says something of a concept. */
export function press(action, concept, label) {
  return html("button", { type: "button", class: "quiet-button", "data-taste": action, "data-concept": concept, "data-key": `${action} ${concept}` }, label);
}
