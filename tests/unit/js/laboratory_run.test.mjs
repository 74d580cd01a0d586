import assert from "node:assert/strict";
import { test } from "node:test";
import { Hearing } from "../../../static/js/laboratory/hearing.js";
import { roundLines } from "../../../static/js/laboratory/run_figures.js";
import { RunState } from "../../../static/js/laboratory/run_state.js";
import * as words from "../../../static/js/laboratory/words.js";
import { heard, settle } from "./doubles.mjs";

const measured = (best) => ({ best, mean: best - 0.2, median: best - 0.25, worst: best - 0.5 });
const generation = (id, index) => ({ id, index, fitness: measured(0.1 * index) });
const pulse = (count, more = {}) => ({
  run: { id: 1, status: "running", message: "" },
  progress: { round: 1, rounds: 2, round_status: "evolving", generation: count, generations: 4, done: count, planned: 8, seconds_left: 12.4 },
  totals: { generations: count, evaluations: 10 * count, player_seconds: 1.25, seconds: 3, best: 0.3 },
  rounds: [],
  ...more,
});

test("a generation that comes is put behind those that are known", () => {
  const state = new RunState();
  const changes = heard(state, "change");
  state.take({ type: "state", ...pulse(1), generations: [generation(5, 1)] });
  state.take({ type: "generation", ...pulse(2), generations: [generation(6, 2)] });
  assert.deepEqual(state.generations.map(({ id }) => id), [5, 6]);
  assert.equal(state.torn, false);
  assert.deepEqual(state.before(6), generation(5, 1));
  assert.equal(state.before(5), null);
  assert.deepEqual(changes, [{ grew: true }, { grew: true }]);
});

test("a generation that comes twice is there once", () => {
  const state = new RunState();
  state.take({ type: "state", ...pulse(1), generations: [generation(5, 1)] });
  state.take({ type: "generation", ...pulse(1), generations: [generation(5, 1)] });
  assert.equal(state.generations.length, 1);
});

test("a generation that was lost on the way is noticed, by the next one or by the pulse", () => {
  const state = new RunState();
  state.take({ type: "state", ...pulse(1), generations: [generation(5, 1)] });
  state.take({ type: "generation", ...pulse(3), generations: [generation(7, 3)] });
  assert.equal(state.torn, true);
  state.take({ type: "state", ...pulse(1), generations: [generation(5, 1)] });
  state.take({ type: "pulse", ...pulse(2) });
  assert.equal(state.torn, true);
});

test("a pulse keeps the generations, and a whole state replaces them", () => {
  const state = new RunState();
  state.take({ type: "state", ...pulse(2), generations: [generation(5, 1), generation(6, 2)] });
  const changes = heard(state, "change");
  state.take({ type: "pulse", ...pulse(2, { run: { id: 1, status: "paused", message: "" } }) });
  assert.equal(state.generations.length, 2);
  assert.equal(state.running, false);
  assert.deepEqual(changes, [{ grew: false }]);
  state.take({ type: "state", ...pulse(1), generations: [generation(5, 1)] });
  assert.equal(state.generations.length, 1);
});

test("messages about something else change nothing", () => {
  const state = new RunState();
  const changes = heard(state, "change");
  state.take({ type: "candidate.ready", candidate: "c" });
  state.take({ type: "error", message: "no" });
  assert.deepEqual(changes, []);
});

test("figures are read as people write them", () => {
  const told = words.figures(pulse(2));
  assert.deepEqual([told.round, told.generation, told.left, told.best], ["1 of 2", "2 of 4", "about 12 seconds", "0.300"]);
  const empty = words.figures(pulse(0, { progress: { ...pulse(0).progress, rounds: null, seconds_left: null }, totals: { ...pulse(0).totals, best: null } }));
  assert.deepEqual([empty.round, empty.left, empty.best], ["1", "–", "–"]);
});

test("a zero is a score, nothing is a dash", () => {
  assert.equal(words.score(0), "0.000");
  assert.equal(words.score(null), "–");
});

test("curves are told from where they began to where they are", () => {
  assert.equal(words.curves([], "fitness"), "Nothing was heard yet.");
  assert.match(words.curves([generation(5, 1), generation(6, 2)], "fitness"), /^After 2 generations: best fitness from 0\.100 to 0\.200/);
});

test("the taste is told where it is known", () => {
  const rounds = [
    { number: 1, spearman: 0.1, auc: 0.5, cosine: 0.7, loss: null, liked: 0, disliked: 0 },
    { number: 2, spearman: 0.4, auc: 0.6, cosine: 0.8, loss: 0.5, liked: 3, disliked: 1 },
  ];
  assert.match(words.taste(rounds, "truth"), /in round 2: Spearman 0\.400 \(0\.100 in round 1\), AUC 0\.600/);
  assert.match(words.taste(rounds, "loss"), /0\.500 in round 2/);
  assert.equal(words.taste(rounds, "likes"), "Liked of the rated tracks, by round: 2: 3 of 4.");
  assert.deepEqual(roundLines(rounds, "likes")[0].values, [null, 3]);
  assert.deepEqual(roundLines(rounds, "truth").map(({ values }) => values[1]), [0.4, 0.6, 0.8]);
});

function asking({ answer, there = async () => false }) {
  const posted = [];
  const hearing = new Hearing({ post: async (url) => { posted.push(url); return answer(); }, exists: there });
  return { hearing, posted, told: heard(hearing, "change") };
}

const one = { id: "c", hear_url: "/hear/c" };
const waiting = () => ({ status: "asked", audio_url: "/audio/c", message: "It is being played." });

test("what was recorded before is ready at once", async () => {
  const { hearing, told } = asking({ answer: () => ({ status: "ready", audio_url: "/audio/c" }) });
  await hearing.ask(one);
  assert.deepEqual(told.map(({ status, audio_url }) => [status, audio_url]), [["asked", null], ["ready", "/audio/c"]]);
});

test("what has to be played is ready when the socket says so, and asked for once", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { hearing, posted, told } = asking({ answer: waiting });
  await hearing.ask(one);
  await hearing.ask(one);
  hearing.receive({ type: "candidate.ready", candidate: "other", audio_url: "/audio/other" });
  assert.equal(told.at(-1).message, "It is being played.");
  hearing.receive({ type: "candidate.ready", candidate: "c", audio_url: "/audio/c" });
  assert.deepEqual([told.at(-1).status, told.at(-1).audio_url], ["ready", "/audio/c"]);
  assert.deepEqual(posted, ["/hear/c"]);
});

test("what is ready before the answer to the question came is ready", async () => {
  let answer;
  const { hearing, told } = asking({ answer: () => new Promise((resolve) => { answer = resolve; }) });
  const asked = hearing.ask(one);
  await settle();
  hearing.receive({ type: "candidate.ready", candidate: "c", audio_url: "/audio/c" });
  answer(waiting());
  await asked;
  assert.equal(told.at(-1).status, "ready");
});

test("a word that was lost is made up for by looking", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { hearing, told } = asking({ answer: waiting, there: async (url) => url === "/audio/c" });
  await hearing.ask(one);
  t.mock.timers.tick(4000);
  await settle();
  assert.equal(told.at(-1).status, "ready");
});

test("waiting comes to an end, with a sentence, and one may ask again", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { hearing, posted, told } = asking({ answer: waiting });
  await hearing.ask(one);
  t.mock.timers.tick(90_000);
  assert.equal(told.at(-1).status, "failed");
  assert.match(told.at(-1).message, /not played within 90 seconds/);
  await hearing.ask(one);
  assert.equal(posted.length, 2);
  hearing.receive({ type: "candidate.failed", candidate: "c", message: "no player is up." });
});

test("a refusal is told", async () => {
  const { hearing, told } = asking({ answer: () => { throw new Error("The broker does not answer."); } });
  await hearing.ask(one);
  assert.deepEqual([told.at(-1).status, told.at(-1).message], ["failed", "The broker does not answer."]);
});
