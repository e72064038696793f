// The states of the live connection, with a socket, a network and a clock of our own. Run by `node --test`.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { beforeEach, mock, test } from "node:test";

const source = await readFile(new URL("../../../jobs/console/static/jobs/live.js", import.meta.url), "utf8");
const { LiveFeed } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

const settle = () => new Promise((resolve) => setImmediate(resolve));
const body = (revision, status = "processing") => ({ id: 7, revision, status });
let page, sockets, answers, requests;

class Socket {
  constructor(url) {
    Object.assign(this, { url, readyState: 0, sent: [] });
    sockets.push(this);
  }
  send(text) { this.sent.push(JSON.parse(text)); }
  close() { this.readyState = 3; }
  open(...messages) { this.readyState = 1; messages.forEach((message) => this.say(message)); }
  say(message) { this.onmessage({ data: JSON.stringify(message) }); }
  end(code) { this.readyState = 3; this.onclose({ code }); }
}

async function answer(url, { headers }) {
  requests.push({ url, headers });
  const next = answers.length > 1 ? answers.shift() : answers[0];
  if (!next) throw new TypeError("no network");
  return { status: next.status ?? 200, headers: new Headers(next.headers), json: async () => next.body };
}

function start(options = {}) {
  const feed = new LiveFeed({ wsUrl: "/ws/jobs/7", pollUrl: "/api/v1/jobs/7", single: true, ...options });
  const heard = [];
  for (const type of ["mode", "snapshot", "job", "gone"]) {
    feed.addEventListener(type, (event) => heard.push(type === "mode" ? event.detail.mode : [type, event.detail]));
  }
  feed.start();
  return { feed, heard };
}

async function pass(milliseconds) {
  for (let left = milliseconds; left > 0; left -= 500) {
    mock.timers.tick(Math.min(500, left));
    await settle();
  }
}

async function loseThreeTimes() {
  for (let failures = 0; failures < 3; failures += 1) {
    sockets.at(-1).end(1006);
    if (failures < 2) await pass(4_000);
  }
  await settle();
}

beforeEach(() => {
  [sockets, answers, requests] = [[], [], []];
  page = Object.assign(new EventTarget(), { hidden: false });
  const network = new EventTarget();
  Object.assign(globalThis, {
    WebSocket: Socket, fetch: answer, document: page, location: { href: "https://site.example/admin/" }, network,
    addEventListener: network.addEventListener.bind(network),
  });
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

test("the snapshot makes it live and is acknowledged", () => {
  const { feed, heard } = start();
  sockets[0].open({ type: "snapshot", jobs: [body(3)] });
  assert.equal(sockets[0].url, "wss://site.example/ws/jobs/7");
  assert.deepEqual(heard, ["connecting", "live", ["snapshot", { jobs: [body(3)] }]]);
  assert.deepEqual(sockets[0].sent, [{ type: "ack" }]);
  assert.ok(feed.since instanceof Date);
});

test("each job is acknowledged, and only newer ones are shown", () => {
  const { heard } = start();
  sockets[0].open({ type: "snapshot", jobs: [body(3)] });
  for (const revision of [5, 4, 5, 6]) sockets[0].say({ type: "job", job: body(revision) });
  const shown = heard.filter(([type]) => type === "job").map(([, { job }]) => job.revision);
  assert.deepEqual(shown, [5, 6]);
  assert.deepEqual(sockets[0].sent.slice(1).map(({ revision }) => revision), [5, 4, 5, 6]);
});

test("a ping is answered", () => {
  start();
  sockets[0].open({ type: "ping" });
  assert.deepEqual(sockets[0].sent, [{ type: "pong" }]);
});

test("after 15 s of silence it asks for what is newer, and without an answer connects anew", async () => {
  const { heard } = start();
  sockets[0].open({ type: "snapshot", jobs: [body(3)] });
  await pass(15_000);
  assert.deepEqual(sockets[0].sent.at(-1), { type: "sync", revisions: { 7: 3 } });
  await pass(10_000);
  assert.equal(heard.at(-1), "reconnecting");
  await pass(1_000);
  assert.equal(sockets.length, 2);
});

test("a socket that does not open within 10 s is given up", async () => {
  start();
  await pass(12_000);
  assert.ok(sockets.length >= 2);
});

for (const [code, mode] of [[4401, "signedout"], [4403, "denied"], [4404, "done"]]) {
  test(`close ${code} means ${mode}, and nothing is asked any more`, async () => {
    const { heard } = start();
    sockets[0].open();
    sockets[0].end(code);
    await pass(120_000);
    assert.equal(heard.at(-1), mode);
    assert.deepEqual([sockets.length, requests.length], [1, 0]);
  });
}

for (const status of ["completed", "cancelled"]) {
  test(`after ${status} of a single job nothing is asked any more`, async () => {
    const { heard } = start();
    sockets[0].open({ type: "snapshot", jobs: [body(3)] }, { type: "job", job: body(4, status) });
    assert.deepEqual(sockets[0].sent.at(-1), { type: "ack", id: 7, revision: 4 });
    await pass(120_000);
    globalThis.network.dispatchEvent(new Event("online"));
    page.dispatchEvent(new Event("visibilitychange"));
    assert.equal(heard.at(-1), "done");
    assert.deepEqual([sockets.length, requests.length], [1, 0]);
  });
}

for (const [why, more] of [["is done again", { reworking: 7 }], ["has a leased item", { phases: [{ processing: 1 }] }]]) {
  test(`a completed job that ${why} stays live, and ends when that is over`, () => {
    const { feed, heard } = start();
    sockets[0].open({ type: "snapshot", jobs: [{ ...body(4, "completed"), ...more }] });
    assert.equal(feed.mode, "live");
    sockets[0].say({ type: "job", job: body(5, "completed") });
    assert.equal(heard.at(-1), "done");
  });
}

test("a list goes on when a job of it is completed", () => {
  const { heard } = start({ single: false });
  sockets[0].open({ type: "snapshot", jobs: [] }, { type: "job", job: body(4, "completed") });
  assert.deepEqual(heard.at(-1)[0], "job");
});

test("a failed job stays live for its retry", () => {
  const { feed } = start();
  sockets[0].open({ type: "snapshot", jobs: [body(3)] }, { type: "job", job: body(4, "failed") });
  sockets[0].say({ type: "job", job: body(5) });
  assert.equal(feed.mode, "live");
});

test("a deleted job is gone, and a single one done", () => {
  const { heard } = start();
  sockets[0].open({ type: "snapshot", jobs: [body(3)] }, { type: "gone", id: 7 });
  assert.deepEqual(heard.slice(-2), [["gone", { id: 7 }], "done"]);
});

test("after three failures it polls every 2 to 5 s with the ETag, and the socket is still tried", async () => {
  answers = [{ body: body(4), headers: { ETag: '"4"' } }, { status: 304 }];
  const { feed, heard } = start();
  await loseThreeTimes();
  assert.equal(feed.mode, "polling");
  assert.deepEqual(heard.filter(([type]) => type === "job"), [["job", { job: body(4) }]]);
  await pass(20_000);
  assert.ok(requests.length >= 5 && requests.length <= 11, `${requests.length} requests`);
  assert.deepEqual(requests.at(-1), { url: "/api/v1/jobs/7", headers: { "If-None-Match": '"4"' } });
  while (!feed.socket) await pass(500);
  const asked = requests.length;
  sockets.at(-1).open({ type: "snapshot", jobs: [body(5)] });
  await pass(10_000);
  assert.deepEqual([feed.mode, requests.length], ["live", asked]);
});

test("polling a list shows each job of the page", async () => {
  answers = [{ body: { results: [body(4), { ...body(1), id: 8 }], next: null } }];
  const { heard } = start({ single: false });
  await loseThreeTimes();
  assert.deepEqual(heard.filter(([type]) => type === "job").map(([, { job }]) => job.id), [7, 8]);
});

for (const status of ["completed", "cancelled", "failed"]) {
  test(`polling ends with a ${status} job`, async () => {
    answers = [{ body: body(4, status) }];
    const { feed } = start();
    await loseThreeTimes();
    await pass(60_000);
    assert.deepEqual([sockets.length, requests.length], [3, 1]);
    assert.equal(feed.mode, status === "failed" ? "resting" : "done");
  });
}

test("polling of a failed job goes on when somebody looks at the page and it was retried", async () => {
  answers = [{ body: body(4, "failed"), headers: { ETag: '"4"' } }, { body: body(4, "failed") }, { body: body(5) }];
  const { feed, heard } = start();
  await loseThreeTimes();
  page.dispatchEvent(new Event("visibilitychange"));
  await pass(60_000);
  assert.deepEqual([feed.mode, requests.length, requests[1].headers], ["resting", 2, {}]);
  page.dispatchEvent(new Event("visibilitychange"));
  await pass(20_000);
  assert.equal(feed.mode, "polling");
  assert.ok(requests.length > 5, `${requests.length} requests`);
  assert.deepEqual(heard.filter(([type]) => type === "job").at(-1), ["job", { job: body(5) }]);
});

test("a failed job that rests is live again where the socket gets through", async () => {
  answers = [{ body: body(4, "failed") }];
  const { feed } = start();
  await loseThreeTimes();
  globalThis.network.dispatchEvent(new Event("online"));
  sockets.at(-1).open({ type: "snapshot", jobs: [body(4, "failed")] });
  sockets.at(-1).say({ type: "job", job: body(5) });
  await pass(20_000);
  assert.deepEqual([feed.mode, requests.length], ["live", 2]);
});

test("a page that made room for a newer one of its account rests until it is shown again", async () => {
  const { feed } = start({ pollUrl: null });
  sockets[0].open({ type: "snapshot", jobs: [body(3)] });
  sockets[0].end(4429);
  await pass(60_000);
  assert.deepEqual([feed.mode, sockets.length], ["resting", 1]);
  page.dispatchEvent(new Event("visibilitychange"));
  sockets.at(-1).open({ type: "snapshot", jobs: [body(4)] });
  assert.deepEqual([feed.mode, sockets.length, requests.length], ["live", 2, 0]);
});

test("polling without a session means signed out", async () => {
  answers = [{ status: 401 }];
  const { feed } = start();
  await loseThreeTimes();
  assert.equal(feed.mode, "signedout");
});

test("with the server down it says reconnecting, not polling", async () => {
  const { feed } = start();
  await loseThreeTimes();
  await pass(20_000);
  assert.equal(feed.mode, "reconnecting");
});

test("a hidden page does not poll", async () => {
  answers = [{ body: body(4) }];
  page.hidden = true;
  start();
  await loseThreeTimes();
  await pass(20_000);
  assert.equal(requests.length, 0);
});

for (const [name, happen] of [
  ["online", () => globalThis.network.dispatchEvent(new Event("online"))],
  ["becoming visible", () => page.dispatchEvent(new Event("visibilitychange"))],
]) {
  test(`${name} connects at once`, () => {
    start();
    sockets[0].end(1006);
    happen();
    assert.equal(sockets.length, 2);
  });
}

test("the pauses grow to 30 s and are random in full", async () => {
  const random = mock.method(Math, "random", () => 0.999);
  const { feed } = start({ pollUrl: null });
  const pauses = [];
  for (let failures = 1; failures <= 8; failures += 1) {
    const number = sockets.length;
    sockets.at(-1).end(1006);
    let waited = 0;
    while (sockets.length === number) { await pass(500); waited += 500; }
    pauses.push(waited);
  }
  random.mock.restore();
  assert.deepEqual(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  feed.stop();
});
