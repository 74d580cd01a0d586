/** A run's page: puts its parts together. */

import { plural } from "../format.js";
import { Card } from "./card.js";
import { CURVES, roundLines, table } from "./run_figures.js";
import { Hearing } from "./hearing.js";
import { LineChart } from "./line_chart.js";
import { PointChart } from "./point_chart.js";
import { PopulationTable } from "./population_table.js";
import { exists, getJson, postForJson } from "./requests.js";
import { RunSocket } from "./run_socket.js";
import { RunState } from "./run_state.js";
import * as words from "./words.js";

const root = document.querySelector("[data-run]");
const find = (selector) => root.querySelector(selector);
const chosen = (name) => find(`input[name=${name}]:checked`).value;
const { dataUrl, socketPath } = root.dataset;

const state = new RunState();
const socket = new RunSocket({ path: socketPath, dataUrl, state });
const curves = new LineChart({ place: find("[data-chart=curves]") });
const taste = new LineChart({ place: find("[data-chart=taste]") });
const points = new PointChart({ place: find("[data-chart=points]") });
const hearing = new Hearing({ post: postForJson, exists });
const card = new Card({ root: find("[data-card]"), choose, hear: (candidate) => {
  following = false;
  hearing.ask(candidate);
} });
const population = new PopulationTable({ root: find("[data-population]") });

/** The candidates of a generation by its id, as the server describes them; fetched once. */
const described = new Map();

function candidatesOf(generation) {
  if (!described.has(generation)) {
    const asked = getJson(`${dataUrl}?generation=${generation}`).then(({ candidates }) => candidates);
    asked.catch(() => described.delete(generation));
    described.set(generation, asked);
  }
  return described.get(generation);
}

let wanted = null;
/** Until somebody takes a candidate into their hands, the card shows the fittest of the newest generation. */
let following = true;

function choose(key, { hear = false } = {}) {
  following = false;
  return show(key, { hear, say: true });
}

function fittest({ id, points: scores }) {
  return { generation: id, position: scores.fitness.indexOf(Math.max(...scores.fitness)) };
}

async function show({ generation: id, position }, { hear = false, say = false } = {}) {
  const generation = state.generation(id);
  if (!generation) return;
  wanted = `${id}:${position}`;
  points.select({ generation: id, index: generation.index, position });
  const said = find("[data-words=points]");
  try {
    const candidate = (await candidatesOf(id)).find((one) => one.position === position);
    if (wanted !== `${id}:${position}` || !candidate) return;
    card.show(candidate, { generation, before: state.before(id) });
    if (say) said.textContent = words.candidate(candidate, generation.index);
    if (hear) hearing.ask(candidate);
  } catch (error) {
    said.textContent = error.message;
  }
}

function showHead() {
  const { run } = state.known;
  for (const [name, text] of Object.entries(words.figures(state.known))) put(find(`[data-figure=${name}]`), text);
  find("[data-figure=status]").className = `state state-${run.status}`;
  for (const form of root.querySelectorAll("[data-for-status]")) form.hidden = !form.dataset.forStatus.split(" ").includes(run.status);
  const message = find("[data-message]");
  put(message, run.message);
  message.hidden = !run.message;
  const { done, planned } = state.known.progress;
  const bar = find("[data-progress]");
  bar.max = planned ?? Math.max(1, done);
  bar.value = done;
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function showCurves() {
  const measure = chosen("measure");
  const { generations } = state;
  const said = words.curves(generations, measure);
  put(find("[data-words=curves]"), said);
  curves.show({
    xs: generations.map(({ index }) => index),
    lines: CURVES.map(({ name, ...look }) => ({ ...look, label: name, values: generations.map((one) => one[measure][name]) })),
    across: "Generation",
    words: said,
  });
}

function showTaste() {
  const shown = chosen("taste");
  const { rounds } = state.known;
  const said = words.taste(rounds, shown);
  put(find("[data-words=taste]"), said);
  taste.show({ xs: rounds.map(({ number }) => number), lines: roundLines(rounds, shown), across: "Round", words: said });
}

function showPoints() {
  points.show(state.generations, { across: chosen("across") });
  const count = state.generations.reduce((sum, one) => sum + (one.points?.fitness.length ?? 0), 0);
  find("[data-chart=points]").setAttribute("aria-label", `${plural(count, "candidate")} by fitness and ${chosen("across")}`);
}

let roundsShown = "";

function showGenerations() {
  table(find("[data-rows=generations]"), state.generations.toReversed(), ({ index, round, fitness, seconds, played }) => [
    index, round, ...["best", "mean", "median", "worst"].map((name) => words.score(fitness[name])), seconds.toFixed(1), played,
  ]);
}

function showRounds() {
  const text = JSON.stringify(state.known.rounds);
  if (text === roundsShown) return;
  roundsShown = text;
  showTaste();
  table(find("[data-rows=rounds]"), state.known.rounds, (one) => [
    one.number, one.status, one.liked, one.disliked, one.tracks, one.ratings,
    ...["spearman", "auc", "cosine", "loss"].map((name) => words.score(one[name])),
  ]);
}

state.addEventListener("change", ({ detail: { grew } }) => {
  showHead();
  showRounds();
  if (!grew) return;
  showGenerations();
  showCurves();
  showPoints();
  const newest = state.generations.at(-1);
  if (!newest) return;
  population.offer(newest);
  if (following) show(fittest(newest));
});

socket.addEventListener("message", ({ detail }) => hearing.receive(detail));
socket.addEventListener("status", ({ detail: { status } }) => {
  const line = find("[data-connection]");
  line.hidden = status === "live";
  put(line, { idle: "This page gets no news any more. Load it again.", offline: "Offline: the page goes on when the network is back." }[status] ?? "Connecting …");
});
hearing.addEventListener("change", ({ detail }) => card.hearing(detail));
points.addEventListener("select", ({ detail: { key } }) => choose(key));
points.addEventListener("play", ({ detail: { key } }) => choose(key, { hear: true }));
population.addEventListener("choose", ({ detail: { key } }) => choose(key));
population.addEventListener("trouble", ({ detail: { message } }) => put(find("[data-words=points]"), message));
find("[data-switch=measure]").addEventListener("change", showCurves);
find("[data-switch=taste]").addEventListener("change", showTaste);
find("[data-switch=across]").addEventListener("change", showPoints);
socket.start();
