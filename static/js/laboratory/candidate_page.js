/** A candidate's page: hear it and its ancestors, without leaving. */

import { LiveSocket } from "../socket.js";
import { Hearing } from "./hearing.js";
import { exists, postForJson } from "./requests.js";

const root = document.querySelector("[data-run]");
const hearing = new Hearing({ post: postForJson, exists });
const scheme = location.protocol === "https:" ? "wss" : "ws";
const socket = new LiveSocket({ url: `${scheme}://${location.host}${root.dataset.socketPath}?only=heard` });
socket.addEventListener("message", ({ detail }) => hearing.receive(detail));
addEventListener("pagehide", () => socket.stop());
addEventListener("pageshow", (event) => event.persisted && socket.start());

root.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-hear-form]");
  if (!form) return;
  event.preventDefault();
  const { candidate } = form.closest("[data-candidate]").dataset;
  hearing.ask({ id: candidate, hear_url: form.action });
});

hearing.addEventListener("change", ({ detail: { candidate, status, message, audio_url: url } }) => {
  for (const part of root.querySelectorAll(`[data-candidate="${CSS.escape(candidate)}"]`)) {
    const words = part.querySelector("[data-hear-words]");
    words.textContent = message;
    words.dataset.status = status;
    part.querySelector("[data-hear]").setAttribute("aria-busy", String(status === "asked"));
    if (status === "ready") play(part.querySelector("[data-hear-audio]"), url, words);
  }
});

function play(audio, url, words) {
  for (const other of root.querySelectorAll("audio")) if (other !== audio) other.pause();
  audio.hidden = false;
  if (audio.getAttribute("src") !== url) audio.src = url;
  audio.play().catch(() => { words.textContent = "Press play to hear it."; });
}

const tree = root.querySelector(".family-scroll");
tree.scrollLeft = (tree.scrollWidth - tree.clientWidth) / 2;
socket.start();
