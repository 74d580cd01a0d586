/** The page of shared music: one player for all pieces; when one is over the next begins. */

import { clock } from "./format.js";
import { drawWave } from "./rows.js";

const sound = document.querySelector("[data-sound]");
const state = document.querySelector("[data-state]");
const rows = [...document.querySelectorAll("[data-piece]")];
const pieces = JSON.parse(document.getElementById("shared-json").textContent);
let current = null;

const title = (row) => row.querySelector(".track-title").textContent;

/** Mark the row that plays, and say on each button what it does now. */
function show() {
  for (const row of rows) {
    const playing = row === current && !sound.paused;
    if (row === current) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
    row.querySelector("[data-verb]").textContent = playing ? "Pause" : "Play";
  }
}

async function play(row) {
  if (row === current && !sound.error) {
    if (sound.paused) await start();
    else sound.pause();
    return;
  }
  current = row;
  sound.src = row.dataset.audio;
  await start();
}

async function start() {
  try {
    await sound.play();
    state.textContent = `${title(current)} is playing.`;
  } catch (error) {
    // Whoever presses another piece while one is still loading interrupts it: that is no fault.
    if (error.name !== "AbortError") state.textContent = "This piece cannot be played now. Is the link still there?";
  }
}

rows.forEach((row, index) => {
  drawWave(row.querySelector("[data-wave]"), pieces[index].peaks);
  const length = row.querySelector("[data-seconds]");
  length.textContent = clock(Math.round(Number(length.dataset.seconds)));
  row.querySelector("[data-play]").addEventListener("click", () => play(row));
});

sound.addEventListener("play", () => {
  // Its own button was pressed before any piece's.
  if (current === null) play(rows[0]);
  else show();
});
sound.addEventListener("pause", show);
sound.addEventListener("ended", () => {
  const next = rows[rows.indexOf(current) + 1];
  if (next) play(next);
  else state.textContent = "That was all of it.";
});
if (rows.length) {
  current = rows[0];
  sound.src = current.dataset.audio;
}
show();
