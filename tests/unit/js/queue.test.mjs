import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { ApiError } from "../../../static/js/api.js";
import { RatingQueue } from "../../../static/js/queue.js";
import { Ratings } from "../../../static/js/ratings.js";
import { Storage } from "../../../static/js/storage.js";
import { heard, MapStorage, settle } from "./doubles.mjs";

const rating = (id) => ({ id, track: `track of ${id}`, value: 1, seconds: 2, given_at: "2026-01-01T00:00:00Z" });

function queueWith(send, { backing = new MapStorage(), online = () => true } = {}) {
  return new RatingQueue({ storage: new Storage(backing), key: () => "ratings.me", send, online, random: () => 0 });
}

test("ratings are sent one at a time in the order they were given", async () => {
  const order = [];
  let running = 0;
  const queue = queueWith(async ({ id }) => {
    assert.equal(++running, 1);
    await settle();
    running--;
    order.push(id);
    return {};
  });
  queue.add(rating("a"));
  queue.add(rating("b"));
  await queue.add(rating("c"));
  while (queue.size) await settle();
  assert.deepEqual(order, ["a", "b", "c"]);
});

test("a rating given offline is kept and not even tried", async () => {
  let online = false;
  const sent = [];
  const queue = queueWith(async ({ id }) => sent.push(id), { online: () => online });
  await queue.add(rating("a"));
  assert.equal(queue.size, 1);
  assert.deepEqual(sent, []);
  online = true;
  await queue.flush();
  assert.deepEqual(sent, ["a"]);
  assert.equal(queue.size, 0);
});

test("what waits survives the page", async () => {
  const backing = new MapStorage();
  await queueWith(async () => {}, { backing, online: () => false }).add(rating("a"));
  const sent = [];
  await queueWith(async ({ id }) => sent.push(id), { backing }).flush();
  assert.deepEqual(sent, ["a"]);
});

test("a failure that may pass keeps the rating, its id and its place, and tries again later", async (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const tried = [];
  let broken = true;
  const queue = queueWith(async ({ id }) => {
    tried.push(id);
    if (broken) throw new ApiError("no answer", 0);
    return {};
  });
  await queue.add(rating("a"));
  await queue.add(rating("b"));
  assert.deepEqual(new Set(tried), new Set(["a"]));
  assert.equal(queue.size, 2);
  broken = false;
  tried.length = 0;
  mock.timers.tick(60_000);
  while (queue.size) await settle();
  assert.deepEqual(tried, ["a", "b"]);
});

test("a final refusal drops that rating alone, and says so", async () => {
  const queue = queueWith(async ({ id }) => {
    if (id === "bad") throw new ApiError("There is no such track.", 404);
    return { rated: 1 };
  }, { online: () => true });
  const refused = heard(queue, "refused");
  const sent = heard(queue, "sent");
  queue.add(rating("bad"));
  await queue.add(rating("good"));
  while (queue.size) await settle();
  assert.deepEqual(refused.map(({ rating: { id }, error }) => [id, error.message]), [["bad", "There is no such track."]]);
  assert.deepEqual(sent.map(({ rating: { id } }) => id), ["good"]);
});

test("a rating that another tab has sent meanwhile is not sent again", async () => {
  const backing = new MapStorage();
  const here = queueWith(async () => assert.fail("sent twice"), { backing, online: () => false });
  await here.add(rating("a"));
  await queueWith(async () => ({}), { backing }).flush();
  assert.equal(here.size, 0);
});

test("spoilt storage counts as empty", () => {
  const backing = new MapStorage();
  backing.setItem("evomusic.ratings.me", "{not json");
  assert.equal(queueWith(async () => {}, { backing }).size, 0);
  backing.setItem("evomusic.ratings.me", '{"an": "object"}');
  assert.equal(queueWith(async () => {}, { backing }).size, 0);
});

test("where storage is forbidden, ratings live as long as the page", async () => {
  const forbidden = { getItem() { throw new Error("no"); }, setItem() { throw new Error("no"); }, removeItem() {} };
  const sent = [];
  let online = false;
  const queue = queueWith(async ({ id }) => sent.push(id), { backing: forbidden, online: () => online });
  await queue.add(rating("a"));
  assert.equal(queue.size, 1);
  online = true;
  await queue.flush();
  assert.deepEqual(sent, ["a"]);
});

function ratingsOffline() {
  const queue = queueWith(async () => {}, { online: () => false });
  return { queue, ratings: new Ratings({ queue, now: () => new Date(0) }) };
}

test("pressing like twice takes the like back", () => {
  const { queue, ratings } = ratingsOffline();
  ratings.press({ track: "t", value: 1, seconds: 1 });
  ratings.press({ track: "t", value: 1, seconds: 2 });
  assert.equal(ratings.of("t"), 0);
  assert.deepEqual(queue.waiting.map(({ value }) => value), [1, 0]);
});

test("undo gives the value before as a new rating, as often as there is one", () => {
  const { queue, ratings } = ratingsOffline();
  ratings.learn([{ id: "s", rating: -1 }]);
  ratings.press({ track: "s", value: 1, seconds: 1 });
  ratings.press({ track: "t", value: -1, seconds: 1 });
  assert.deepEqual(ratings.undo(() => 3), { track: "t", value: 0 });
  assert.deepEqual(ratings.undo(() => 3), { track: "s", value: -1 });
  assert.equal(ratings.undo(() => 3), null);
  assert.equal(ratings.undoable, false);
  assert.deepEqual(queue.waiting.map(({ track, value }) => [track, value]), [["s", 1], ["t", -1], ["t", 0], ["s", -1]]);
  assert.equal(new Set(queue.waiting.map(({ id }) => id)).size, 4);
});

test("a track that ends unrated is passed once, without anything to undo; a rated one is left alone", () => {
  const { queue, ratings } = ratingsOffline();
  ratings.learn([{ id: "liked", rating: 1 }, { id: "new", rating: null }]);
  ratings.pass({ track: "liked", seconds: 12 });
  ratings.pass({ track: "new", seconds: 11.987 });
  ratings.pass({ track: "new", seconds: 12 });
  assert.deepEqual(queue.waiting.map(({ track, value, seconds }) => [track, value, seconds]), [["new", 0, 11.99]]);
  assert.equal(ratings.undoable, false);
});

test("what the server says does not overwrite a rating that it has not got yet", () => {
  const { ratings } = ratingsOffline();
  ratings.press({ track: "t", value: 1, seconds: 1 });
  ratings.learn([{ id: "t", rating: null }, { id: "u", rating: -1 }]);
  assert.equal(ratings.of("t"), 1);
  assert.equal(ratings.of("u"), -1);
});

test("ratings that waited from an earlier page are shown", async () => {
  const backing = new MapStorage();
  await queueWith(async () => {}, { backing, online: () => false }).add({ ...rating("a"), track: "t", value: -1 });
  const ratings = new Ratings({ queue: queueWith(async () => {}, { backing, online: () => false }) });
  assert.equal(ratings.of("t"), -1);
});

test("a change of mind is later than what was said before, although the clock was set back", () => {
  const given = [];
  const clock = [1000, 1000, 400, 5000];
  const queue = { waiting: [], add: (rating) => given.push(Date.parse(rating.given_at)) };
  const ratings = new Ratings({ queue, now: () => new Date(clock.shift()) });
  for (const value of [1, -1, 0, 1]) ratings.give({ track: "a", value, seconds: 1 });
  assert.deepEqual(given, [1000, 1001, 1002, 5000]);
});
