import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Api, ApiError, cookie } from "../../../static/js/api.js";
import { waitBefore } from "../../../static/js/backoff.js";
import { clock, spokenTime, timeLeft } from "../../../static/js/format.js";
import { uuid4 } from "../../../static/js/identity.js";
import { LiveSocket } from "../../../static/js/socket.js";
import { heard, TestSocket } from "./doubles.mjs";

function line({ online = true } = {}) {
  const sockets = [];
  const live = new LiveSocket({
    url: "ws://here/ws/",
    open: () => sockets[sockets.push(new TestSocket()) - 1],
    online: () => online,
    random: () => 0,
  });
  return { live, sockets };
}

test("waits double, stay under the limit, and are never the same for everybody", () => {
  const whole = [0, 1, 2, 3, 50].map((attempt) => waitBefore(attempt, { base: 500, limit: 30_000, random: () => 1 }));
  assert.deepEqual(whole, [500, 1000, 2000, 4000, 30_000]);
  for (let attempt = 0; attempt < 12; attempt++) {
    const [soonest, latest] = [0, 1].map((chance) => waitBefore(attempt, { random: () => chance }));
    assert.equal(soonest * 2, latest);
  }
});

test("a lost connection comes back by itself, after growing pauses", (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const { live, sockets } = line();
  const statuses = heard(live, "status");
  live.start();
  sockets[0].opens();
  sockets[0].loses();
  mock.timers.tick(250);
  assert.equal(sockets.length, 2);
  sockets[1].loses();
  mock.timers.tick(499);
  assert.equal(sockets.length, 2);
  mock.timers.tick(1);
  assert.equal(sockets.length, 3);
  sockets[2].opens();
  assert.deepEqual(statuses.map(({ status }) => status), ["live", "connecting", "connecting", "live"]);
});

test("the news that the network is back ends the pause", (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const { live, sockets } = line();
  live.start();
  sockets[0].loses();
  live.retry();
  assert.equal(sockets.length, 2);
  sockets[1].opens();
  live.retry();
  mock.timers.tick(60_000);
  assert.equal(sockets.length, 2);
});

test("nothing is sent without a connection, and the sender is told", () => {
  const { live, sockets } = line();
  live.start();
  assert.equal(live.send({ type: "state" }), false);
  sockets[0].opens();
  assert.equal(live.send({ type: "state" }), true);
  assert.deepEqual(sockets[0].sent, [{ type: "state" }]);
});

test("a message that is not JSON is dropped and the next one arrives", () => {
  const { live, sockets } = line();
  const messages = heard(live, "message");
  live.start();
  sockets[0].opens();
  sockets[0].brings("{broken");
  sockets[0].brings('{"type": "state"}');
  assert.deepEqual(messages, [{ type: "state" }]);
});

test("a replaced socket that closes late does not disturb its successor", () => {
  const { live, sockets } = line();
  live.start();
  live.retry();
  sockets[1].opens();
  sockets[0].loses();
  assert.equal(live.status, "live");
});

test("a stopped connection stays closed until it is started again", (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const { live, sockets } = line();
  live.start();
  sockets[0].opens();
  live.stop();
  sockets[0].loses();
  mock.timers.tick(60_000);
  assert.equal(sockets.length, 1);
  assert.equal(live.send({ type: "state" }), false);
  live.start();
  sockets[1].opens();
  assert.equal(live.send({ type: "state" }), true);
});

test("somebody who is logged out is not connected again and again", (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const { live, sockets } = line();
  live.start();
  sockets[0].opens();
  sockets[0].loses(4401);
  mock.timers.tick(60_000);
  live.retry();
  assert.deepEqual([live.status, sockets.length], ["idle", 1]);
});

const urls = { rate: "/r", evolve: "/e", state: "/s", playlists: "/p/" };

test("a call carries the token of the moment", async () => {
  const calls = [];
  let cookies = "a=1; csrftoken=old";
  const api = new Api(urls, {
    cookies: () => cookies,
    fetch: async (url, options) => {
      calls.push([url, options.method, options.headers["X-CSRFToken"]]);
      return Response.json({ ok: true });
    },
  });
  await api.rate({});
  cookies = "csrftoken=new";
  await api.evolve();
  await api.playlist("a/b");
  assert.deepEqual(calls, [["/r", "POST", "old"], ["/e", "POST", "new"], ["/p/a%2Fb/", "GET", undefined]]);
});

test("an error carries the server's sentence and whether trying again is of use", async () => {
  const failing = (answer) => new Api(urls, { cookies: () => "", fetch: async () => answer }).state();
  await assert.rejects(failing(Response.json({ error: "A rating is 1, 0 or -1." }, { status: 400 })), { message: "A rating is 1, 0 or -1.", final: true });
  for (const status of [401, 403, 408, 429, 500, 503]) {
    await assert.rejects(failing(new Response("<html>", { status })), (error) => error instanceof ApiError && !error.final, String(status));
  }
});

test("an unreachable server, or a page in place of an answer, is not final", async () => {
  const unreachable = new Api(urls, { cookies: () => "", fetch: async () => { throw new TypeError("Failed to fetch"); } });
  await assert.rejects(unreachable.state(), { status: 0, final: false });
  const portal = new Api(urls, { cookies: () => "", fetch: async () => new Response("<html>Please log in to the hotel", { status: 200 }) });
  await assert.rejects(portal.state(), { final: false });
});

test("cookies are found by their whole name and decoded", () => {
  assert.equal(cookie("csrftoken", "xcsrftoken=no; csrftoken=a%3Db=c"), "a=b=c");
  assert.equal(cookie("csrftoken", ""), "");
});

test("an id is a version 4 UUID with and without the browser's own function", () => {
  const form = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  assert.match(uuid4(), form);
  const plain = { getRandomValues: (bytes) => crypto.getRandomValues(bytes) };
  const made = Array.from({ length: 200 }, () => uuid4(plain));
  for (const id of made) assert.match(id, form);
  assert.equal(new Set(made).size, 200);
});

test("times are written for the eye and for the ear", () => {
  assert.deepEqual([0, 7.9, 65, 3661, NaN].map(clock), ["0:00", "0:07", "1:05", "1:01:01", "0:00"]);
  assert.deepEqual([0, 1, 60, 125].map(spokenTime), ["0 seconds", "1 second", "1 minute", "2 minutes 5 seconds"]);
  assert.deepEqual([null, 0.4, 12.2, 300].map(timeLeft), ["", "a moment left", "about 12 seconds left", "about 5 minutes left"]);
});
