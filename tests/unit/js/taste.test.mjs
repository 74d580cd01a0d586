import assert from "node:assert/strict";
import { test } from "node:test";
import { counted, remarks, silence, withEdit, withTrack } from "../../../static/js/taste/content.js";
import { Edits, inverse } from "../../../static/js/taste/edits.js";
import { contour, field } from "../../../static/js/taste/landscape.js";
import { bounds, nearest, neighbour, onScreen, spread } from "../../../static/js/taste/places.js";
import { curvePlaces, thinned } from "../../../static/js/taste/proof.js";
import { beginning, Snippet } from "../../../static/js/taste/snippet.js";
import { done, standing, wished } from "../../../static/js/taste/words.js";
import { heard, SilentAudio } from "./doubles.mjs";

const track = (id, change = {}) => ({ id, title: id, rating: null, dot: true, x: 0, forgotten: false, ...change });
const content = (change = {}) => ({
  made_at: "2026-01-01T00:00:00Z", pending: false, believes: true, ratings: 3, beliefs: [], wishes: [], heard: 1,
  tracks: [track("one")], slots: [{ slot: "mood", heading: "Moods", concepts: [{ name: "calm", lean: 0.4, edit: null }] }], ...change,
});

test("the map shows everything that is on it, upwards being up", () => {
  const box = bounds([[-1, -0.5], [1, 0.5]], { margin: 0 });
  assert.deepEqual(onScreen([-1, 0.5], box, { width: 200, height: 100 }), { x: 0, y: 0 });
  assert.deepEqual(onScreen([1, -0.5], box, { width: 200, height: 100 }), { x: 200, y: 100 });
});

test("a single song, or none, has a map of an ordinary size", () => {
  for (const points of [[], [[3, 3]]]) {
    const { left, right, bottom, top } = bounds(points);
    assert.ok(right - left >= 0.2 && top - bottom >= 0.2 && [left, right, bottom, top].every(Number.isFinite));
  }
});

test("songs on the very same spot are pushed apart, the same way every time, and stay on the map", () => {
  const places = new Array(12).fill({ x: 100, y: 60 });
  const room = { apart: 14, width: 200, height: 120, inset: 10 };
  const apart = spread(places, room);
  assert.deepEqual(apart, spread(places, room));
  assert.equal(new Set(apart.map(({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`)).size, 12);
  assert.ok(apart.every(({ x, y }) => x >= 10 && x <= 190 && y >= 10 && y <= 110));
  assert.deepEqual(places[0], { x: 100, y: 60 });
});

test("a pointer means the nearest dot within reach, and none beyond", () => {
  const places = [{ x: 0, y: 0 }, { x: 20, y: 0 }];
  assert.equal(nearest(places, { x: 12, y: 2 }, 26), 1);
  assert.equal(nearest(places, { x: 90, y: 90 }, 26), -1);
  assert.equal(nearest([], { x: 0, y: 0 }, 26), -1);
});

test("an arrow goes to the nearest dot that way, and stays where there is none", () => {
  const places = [{ x: 50, y: 50 }, { x: 90, y: 55 }, { x: 60, y: 90 }, { x: 10, y: 50 }];
  assert.equal(neighbour(places, 0, "ArrowRight"), 1);
  assert.equal(neighbour(places, 0, "ArrowDown"), 2);
  assert.equal(neighbour(places, 0, "ArrowLeft"), 3);
  assert.equal(neighbour(places, 0, "ArrowUp"), 0);
  assert.equal(neighbour(places, 2, "Home"), 0);
  assert.equal(neighbour(places, 0, "End"), 3);
  assert.equal(neighbour(places, 0, "l"), -1);
});

test("the land is high where songs are liked, low where they are not, and flat where nothing is known", () => {
  const map = { width: 400, height: 200 };
  const land = field([{ x: 60, y: 100, likeness: 0.5 }, { x: 250, y: 100, likeness: -0.25 }], map);
  const at = (x, y) => land.values[Math.round((y / map.height) * (land.rows - 1)) * land.columns + Math.round((x / map.width) * (land.columns - 1))];
  assert.ok(at(60, 100) > 0.95 && at(250, 100) < -0.3);
  assert.ok(Math.abs(at(395, 5)) < 0.01);
  assert.ok(field([], map).values.every((value) => value === 0));
});

test("a line of equal height goes round a hill, and nowhere on flat land", () => {
  const values = Float32Array.from([0, 0, 0, 0, 1, 0, 0, 0, 0]);
  const line = contour({ values, columns: 3, rows: 3 }, 0.5);
  assert.equal(line.length, 4);
  assert.ok(line.flat().every((place) => place >= 0.5 && place <= 1.5));
  assert.deepEqual(contour({ values: new Float32Array(9), columns: 3, rows: 3 }, 0.5), []);
});

test("an edit is sent at once, and taking it back brings what stood before", async () => {
  const sent = [];
  const answers = [{ edit: { kind: "lean", wanted: 0.5, until: null }, before: { kind: "forget", wanted: 0, until: null } }];
  const edits = new Edits({ editUrl: "/edits/", post: async (url, said) => { sent.push([url, said]); return answers.shift() ?? { edit: null, before: null }; } });
  const undoable = heard(edits, "undoable");
  await edits.say({ concept: "calm", kind: "lean", wanted: 0.5 }, { text: "Calm: more of it" });
  assert.equal(edits.undoable, "Calm: more of it");
  await edits.undo();
  assert.deepEqual(sent, [["/edits/", { concept: "calm", kind: "lean", wanted: 0.5 }], ["/edits/", { concept: "calm", kind: "forget", wanted: 0 }]]);
  assert.deepEqual(undoable.map(({ text }) => text), ["Calm: more of it", null]);
});

test("what was said of a concept of which nothing was said before is withdrawn", () => {
  assert.deepEqual(inverse({ concept: "calm" }, null), { concept: "calm", kind: "withdrawn", wanted: 0 });
});

test("a slider that is moved in steps is taken back in one", async () => {
  let standing = null;
  const post = async (_, said) => {
    const before = standing;
    standing = said.kind === "withdrawn" ? null : { kind: said.kind, wanted: said.wanted, until: null };
    return { edit: standing, before };
  };
  let now = 0;
  const edits = new Edits({ editUrl: "/", post, now: () => now });
  for (const wanted of [0.1, 0.2, 0.3]) {
    now += 200;
    await edits.say({ concept: "calm", kind: "lean", wanted }, { text: "moved" });
  }
  await edits.undo();
  assert.equal(standing, null);
  assert.equal(edits.undoable, null);
});

test("of what is said of a concept while an edit is on its way only the last is sent", async () => {
  const sent = [];
  const edits = new Edits({ editUrl: "/", post: async (_, said) => { sent.push(said.wanted); return { edit: null, before: null }; } });
  await Promise.all([0.1, 0.2, 0.3].map((wanted) => edits.say({ concept: "calm", kind: "lean", wanted }, { text: "" })));
  assert.deepEqual(sent, [0.3]);
});

test("an edit that cannot be kept is told, and nothing of it can be taken back", async () => {
  const edits = new Edits({ editUrl: "/", post: async () => { throw new Error("The server could not be reached."); } });
  const troubles = heard(edits, "trouble");
  await edits.say({ concept: "calm", kind: "forget", wanted: 0 }, { text: "" });
  assert.deepEqual(troubles, [{ message: "The server could not be reached." }]);
  assert.equal(edits.undoable, null);
});

test("a way back that fails can be tried again", async () => {
  let works = true;
  const edits = new Edits({ editUrl: "/", post: async () => { if (!works) throw new Error("no"); return {}; } });
  await edits.forget(track("one", { forget_url: "/one/" }), true, { text: "one teaches nothing any more" });
  works = false;
  await edits.undo();
  assert.equal(edits.undoable, "one teaches nothing any more");
});

test("what was said is shown in the sliders, the beliefs and the list, until the server's next word", () => {
  const belief = { name: "calm", edit: null };
  const said = withEdit(content({ beliefs: [belief] }), "calm", { kind: "forget", wanted: 0, until: null });
  assert.equal(said.slots[0].concepts[0].edit.kind, "forget");
  assert.equal(said.beliefs[0].edit.kind, "forget");
  assert.deepEqual(said.wishes.map(({ concept }) => concept), ["calm"]);
  assert.equal(said.pending, true);
  assert.deepEqual(withEdit(said, "calm", null).wishes, []);
});

test("a track that is forgotten is marked, the others are as they were", () => {
  const changed = withTrack(content({ tracks: [track("one"), track("two")] }), "two", { forgotten: true });
  assert.deepEqual(changed.tracks.map(({ forgotten }) => forgotten), [false, true]);
});

test("where there is no belief the page says why", () => {
  assert.equal(silence(content({ beliefs: [{}] })), "");
  assert.match(silence(content({ ratings: 0 })), /Rate a few songs/);
  assert.match(silence(content({ made_at: null })), /are being read/);
  assert.match(silence(content({ believes: false })), /no words/);
  assert.match(silence(content()), /Nothing is clear enough/);
});

test("the map says what is not on it, and that all likes tell little", () => {
  const liked = Array.from({ length: 6 }, (_, index) => track(`${index}`, { rating: 1, ...(index === 0 && { dot: false, x: null }) }));
  const said = remarks({ tracks: liked, heard: 900 }).join(" ");
  assert.match(said, /6 of the 900/);
  assert.match(said, /One song has no place/);
  assert.match(said, /liked everything/);
  assert.deepEqual(remarks({ tracks: [track("one", { rating: 1 })], heard: 1 }), []);
});

test("no opinion counts as not rated", () => {
  assert.deepEqual(counted([track("a", { rating: 1 }), track("b", { rating: 0 }), track("c", { rating: -1 }), track("d")]), { liked: 1, disliked: 1, unrated: 2 });
});

test("a wish reads as it was meant", () => {
  assert.deepEqual([1, 0.3, 0, -0.3, -1].map(wished), ["much more of it", "more of it", "neither more nor less of it", "less of it", "none of it"]);
  assert.equal(done({ concept: "calm", kind: "lean", wanted: 1 }), "Calm: much more of it");
  assert.equal(standing({ kind: "not now", until: "x" }, { time: () => "22:10" }), "not until 22:10");
});

test("a snippet begins after the introduction and never later than it can last", () => {
  assert.equal(beginning(20), 6);
  assert.equal(beginning(5), 1);
  assert.equal(beginning(2), 0);
});

test("a snippet sounds at the player's volume, and never while the player plays", async () => {
  const made = [];
  const player = { playing: false, muted: true, volume: 0.3 };
  const snippet = new Snippet({ player, makeAudio: () => made[made.push(new SilentAudio()) - 1] });
  const dwelt = () => new Promise((resolve) => setTimeout(resolve, 260));
  snippet.play({ audio_url: "/a", seconds: 12 });
  await dwelt();
  assert.deepEqual([made.length, made[0].src, made[0].volume, made[0].muted], [1, "/a", 0.3, true]);
  player.playing = true;
  snippet.play({ audio_url: "/b", seconds: 12 });
  player.playing = false;
  snippet.wanted = false;
  snippet.play({ audio_url: "/c", seconds: 12 });
  snippet.wanted = true;
  snippet.play({ audio_url: "/d", seconds: 12 });
  snippet.stop();
  await dwelt();
  assert.equal(made.length, 1);
});

test("the curve reaches from the first to the last rating, and its table is short", () => {
  const curve = Array.from({ length: 30 }, (_, index) => ({ ratings: index + 1, accuracy: index / 29 }));
  const places = curvePlaces(curve, (point) => point.accuracy, 600);
  assert.ok(places[0][0] < places.at(-1)[0] && places[0][1] > places.at(-1)[1]);
  const few = thinned(curve, 12);
  assert.ok(few.length <= 12);
  assert.equal(few.at(-1), curve.at(-1));
});
