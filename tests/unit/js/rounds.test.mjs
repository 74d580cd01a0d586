import assert from "node:assert/strict";
import { test } from "node:test";
import { wording } from "../../../static/js/progress.js";
import { Rounds } from "../../../static/js/rounds.js";
import { places } from "../../../static/js/stave.js";
import { heard, playlistOf } from "./doubles.mjs";

const first = playlistOf("one", 1, ["Dawn"]);
const second = playlistOf("two", 2, ["Dusk"]);
const shelf = new Map([["one", first], ["two", second]]);
const evolving = { number: 2, status: "evolving", message: "Crossing.", generation: 2, generations: 3, best: [0.2, 0.45], seconds_left: 4 };

const state = (part = {}) => ({ round: null, playlist: null, rated: 0, needed: 5, ...part });

function roundsThatKnow(known, fetchPlaylist = async (id) => shelf.get(id)) {
  return new Rounds({ fetchPlaylist, known });
}

test("a pushed playlist is announced once, even when a state names it as well", async () => {
  const rounds = roundsThatKnow("one");
  const announced = heard(rounds, "playlist");
  await rounds.receive({ type: "playlist.ready", playlist: second });
  await rounds.receive({ type: "state", ...state({ playlist: "two" }) });
  assert.deepEqual(announced.map(({ playlist, news }) => [playlist.number, news]), [[2, true]]);
});

test("a playlist whose push was missed is fetched when the next state names it", async () => {
  const rounds = roundsThatKnow("one");
  const announced = heard(rounds, "playlist");
  await rounds.take(state({ playlist: "two" }));
  assert.deepEqual(announced.map(({ playlist }) => playlist.id), ["two"]);
});

test("the first playlist of somebody who had none is news; to a page that knew nothing it is not", async () => {
  for (const [known, news] of [[null, true], [undefined, false]]) {
    const rounds = roundsThatKnow(known);
    const announced = heard(rounds, "playlist");
    await rounds.take(state({ playlist: "one" }));
    assert.deepEqual(announced.map((event) => event.news), [news]);
  }
});

test("a playlist that could not be fetched is asked for again by the next state", async () => {
  let broken = true;
  const rounds = roundsThatKnow("one", async (id) => {
    if (broken) throw new Error("no answer");
    return shelf.get(id);
  });
  const announced = heard(rounds, "playlist");
  await rounds.take(state({ playlist: "two" }));
  assert.equal(announced.length, 0);
  broken = false;
  await rounds.take(state({ playlist: "two" }));
  assert.equal(announced.length, 1);
});

test("enough ratings show a round at once, and a running round is not set back by them", async () => {
  const rounds = roundsThatKnow("one");
  rounds.counted({ rated: 5, needed: 5, evolving: true });
  assert.equal(rounds.state.round.status, "queued");
  assert.equal(rounds.active, true);
  rounds.receive({ type: "round.progress", round: evolving });
  rounds.counted({ rated: 6, needed: 5, evolving: true });
  assert.equal(rounds.state.round.generation, 2);
});

test("late progress of a cancelled round does not wake it; the next round is shown", async () => {
  const rounds = roundsThatKnow("one");
  await rounds.take(state({ round: { ...evolving, status: "cancelled" }, playlist: "one" }));
  await rounds.receive({ type: "round.progress", round: evolving });
  assert.equal(rounds.active, false);
  await rounds.receive({ type: "round.progress", round: { ...evolving, number: 3 } });
  assert.equal(rounds.active, true);
});

test("an error from the server is passed on and changes nothing", () => {
  const rounds = roundsThatKnow("one");
  const before = rounds.state;
  const trouble = heard(rounds, "trouble");
  rounds.receive({ type: "error", message: "What was that?" });
  assert.deepEqual(trouble, [{ message: "What was that?" }]);
  assert.equal(rounds.state, before);
});

test("a message of an unknown type is ignored", () => {
  const rounds = roundsThatKnow("one");
  rounds.receive({ type: "weather", rain: true });
  assert.equal(rounds.state.round, null);
});

test("progress is told with generation, best fitness and the time that is left by now", () => {
  const words = wording(state({ round: evolving }), { elapsed: 1 });
  assert.equal(words.figures, "Generation 2 of 3 · best fitness 0.45 · about 3 seconds left");
  assert.equal(words.busy, true);
});

test("who waits is told how many are before them and when the next step is, and nothing that nobody knows", () => {
  const figures = (queue, part = {}) => wording(state({ round: { ...evolving, generation: 0, best: [], seconds_left: null, queue, ...part } }), { elapsed: 2 }).figures;
  assert.equal(figures({ before: 3, seconds: 12 }), "3 listeners before you · next step in about 10 seconds");
  assert.equal(figures({ before: 1, seconds: null }), "1 listener before you");
  assert.equal(figures({ before: 0, seconds: 1 }), "next step in a moment");
  assert.equal(figures({ before: 0, seconds: null }), "");
  assert.equal(figures(null), "");
  assert.equal(figures({ before: 2, seconds: 12 }, { seconds_left: 8 }), "2 listeners before you · about 6 seconds left");
});

test("a cancelled round is over: the page says what stays and offers to evolve again", () => {
  const rounds = roundsThatKnow("one");
  rounds.receive({ type: "round.progress", round: { ...evolving, status: "cancelled", message: "Cancelled. What you heard stays." } });
  assert.equal(rounds.active, false);
  const words = wording(rounds.state);
  assert.deepEqual([words.button, words.message, words.figures, words.busy], ["Evolve", "Cancelled. What you heard stays.", "", false]);
});

test("without a round the page says how many ratings are missing", () => {
  assert.match(wording(state({ rated: 4 })).message, /^1 more rating and/);
  assert.match(wording(state({ rated: 2 })).message, /^3 more ratings and/);
  assert.match(wording(state({ rated: 5 })).message, /^Enough/);
});

test("a failed round offers another try with the reason, and a waiting one does not", () => {
  const failed = wording(state({ round: { ...evolving, status: "failed", message: "The disk is full." } }));
  assert.deepEqual([failed.button, failed.message, failed.figures, failed.busy], ["Try again", "The disk is full.", "", false]);
  assert.equal(wording(state({ round: { ...evolving, status: "waiting" } })).busy, true);
});

test("the better the fitness, the higher its note, from left to right", () => {
  const notes = places([0.1, 0.5, 0.3], 5);
  assert.ok(notes[0].y > notes[2].y && notes[2].y > notes[1].y);
  assert.ok(notes[0].x < notes[1].x && notes[1].x < notes[2].x);
});

test("one value or equal values stand in the middle of the stave", () => {
  for (const note of [...places([0.4], 3), ...places([-1, -1], 3)]) assert.equal(note.y, 42);
});
