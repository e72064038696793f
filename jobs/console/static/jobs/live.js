/**
 * Live connection of a page: a websocket, with polling as fallback where websockets are blocked.
 *
 *   const feed = new LiveFeed({ wsUrl: "/ws/jobs/7", pollUrl: "/api/v1/jobs/7", single: true });
 *   feed.addEventListener("job", (event) => render(event.detail.job));
 *   feed.start();
 *
 * Events, each with its `detail`:
 *   mode      {mode, since}  the connection changed; `since` is the Date of the newest data, null before any
 *   snapshot  {jobs}         the complete list of jobs; remove all others
 *   job       {job}          one new or newer job; it replaces the former body
 *   gone      {id}           the job was deleted or has left the list
 *
 * Modes:
 *   connecting    no data yet
 *   live          the socket delivers every change
 *   reconnecting  the socket is lost; retries at random within growing pauses of up to 30 s
 *   polling       the socket is blocked; requests every 2 to 5 s work; the socket is still retried
 *   resting       a single job has failed and the socket is blocked, or the account has too many connections; no
 *                 requests until the page is shown again
 *   done          a single job was completed, cancelled or deleted, and none of its items is done again or leased
 *   signedout     the session has ended; no more requests
 *   denied        the account may not see the job; no more requests
 */

const OVER = new Set(["completed", "cancelled"]);
const CLOSED_FOR_GOOD = new Map([[4401, "signedout"], [4403, "denied"], [4404, "done"]]);
const REFUSED = new Map([[401, "signedout"], [403, "denied"], [404, "done"]]);
const TOO_MANY = 4429;
const OPEN = 1;

const CONNECT_MS = 10_000;
const QUIET_MS = 15_000;
const ANSWER_MS = 10_000;
const LONGEST_PAUSE_MS = 30_000;
const FIRST_PAUSE_MS = 500;
const POLL_MS = [2_000, 5_000];
const FAILURES_BEFORE_POLLING = 3;

export class LiveFeed extends EventTarget {
  /** Addresses may be relative. `pollUrl` is optional. With `single` the feed is about one job and ends with it. */
  constructor({ wsUrl, pollUrl = null, single = false }) {
    super();
    this.wsUrl = socketAddress(wsUrl);
    this.pollUrl = pollUrl;
    this.single = single;
    this.mode = null;
    this.since = null;
    this.revisions = new Map();
    this.socket = null;
    this.failures = 0;
    this.etag = null;
    this.isSettled = false;
    this.timers = {};
    this.ended = new AbortController();
  }

  /** Connect and stay connected. */
  start() {
    const { signal } = this.ended;
    const comeBack = () => document.hidden || this.hurry();
    document.addEventListener("visibilitychange", comeBack, { signal });
    globalThis.addEventListener("online", () => this.hurry(), { signal });
    globalThis.addEventListener("pageshow", (event) => event.persisted && this.hurry(), { signal });
    this.setMode("connecting");
    this.connect();
  }

  /** Stop for good in this mode. */
  stop(mode = "done") {
    this.ended.abort();
    for (const name of Object.keys(this.timers)) this.cancel(name);
    this.drop();
    this.setMode(mode);
  }

  get isStopped() {
    return this.ended.signal.aborted;
  }

  /** Retry at once: the network is back or the page is shown again. */
  hurry() {
    if (this.isStopped) return;
    if (this.mode === "resting") this.wake();
    else if (this.socket?.readyState === OPEN) this.requestNewer();
    else if (!this.socket) this.connect();
  }

  // --- the socket ---------------------------------------------------------------------------------

  connect() {
    this.cancel("retry");
    let socket;
    try {
      socket = new WebSocket(this.wsUrl);
    } catch {
      return void this.lost();
    }
    this.socket = socket;
    this.after("quiet", CONNECT_MS, () => this.lost());
    socket.onmessage = (event) => this.socket === socket && this.onMessage(JSON.parse(event.data));
    socket.onclose = (event) => this.socket === socket && this.closed(event.code);
  }

  closed(code) {
    const mode = CLOSED_FOR_GOOD.get(code);
    if (mode) this.stop(mode);
    else if (code === TOO_MANY) this.rest();
    else this.lost();
  }

  /** Retry after a random pause, so that many pages do not reconnect at the same moment. */
  lost() {
    this.drop();
    this.failures += 1;
    if (this.mode !== "polling") this.setMode("reconnecting");
    if (this.failures >= FAILURES_BEFORE_POLLING && this.pollUrl && !this.isSettled && !this.timers.poll) this.poll();
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.failures);
    this.after("retry", Math.random() * longest, () => this.connect());
  }

  drop() {
    this.cancel("quiet");
    const socket = this.socket;
    this.socket = null;
    socket?.close(1000);
  }

  send(message) {
    if (this.socket?.readyState === OPEN) this.socket.send(JSON.stringify(message));
  }

  /** Check a silent socket (pings are missing): request newer data and reconnect if there is no response. */
  requestNewer() {
    this.send({ type: "sync", revisions: Object.fromEntries(this.revisions) });
    this.after("quiet", ANSWER_MS, () => this.lost());
  }

  onMessage(message) {
    this.after("quiet", QUIET_MS, () => this.requestNewer());
    if (message.type === "snapshot") this.onSnapshot(message.jobs);
    else if (message.type === "job") this.onJob(message.job);
    else if (message.type === "gone") this.onGone(message.id);
    else if (message.type === "ping") this.send({ type: "pong" });
  }

  onSnapshot(jobs) {
    this.failures = 0;
    this.cancel("poll");
    this.revisions = new Map(jobs.map((job) => [job.id, job.revision]));
    this.since = new Date();
    this.setMode("live");
    this.emit("snapshot", { jobs });
    this.send({ type: "ack" });
    if (this.single) jobs.forEach((job) => this.endWith(job));
  }

  onJob(job) {
    this.show(job);
    this.send({ type: "ack", id: job.id, revision: job.revision });
    if (this.single) this.endWith(job);
  }

  onGone(id) {
    this.revisions.delete(id);
    this.since = new Date();
    this.emit("gone", { id });
    if (this.single) this.stop();
  }

  /** Emit a job unless the shown revision is as new. */
  show(job) {
    this.since = new Date();
    if (job.revision <= (this.revisions.get(job.id) ?? -1)) return;
    this.revisions.set(job.id, job.revision);
    this.emit("job", { job });
  }

  /** Stop with a finished job. A failed job can be retried: keep the socket, but do not poll for ever. */
  endWith(job) {
    this.isSettled = job.status === "failed";
    if (isOver(job)) this.stop();
  }

  /**
   * Make no requests until the page is shown again: for a failed job, and where a newer page of the account took the
   * place of this one. To connect again at once would only push out the next page.
   */
  rest() {
    for (const name of ["poll", "retry"]) this.cancel(name);
    this.drop();
    this.setMode("resting");
  }

  wake() {
    [this.isSettled, this.etag] = [false, null];
    this.connect();
    if (this.pollUrl) this.poll();
  }

  // --- polling ------------------------------------------------------------------------------------

  async poll() {
    this.after("poll", between(...POLL_MS), () => this.poll());
    if (document.hidden) return;
    const { signal } = this.ended;
    try {
      const headers = this.etag ? { "If-None-Match": this.etag } : {};
      const response = await fetch(this.pollUrl, { headers, signal, cache: "no-store", credentials: "same-origin" });
      const body = response.status === 200 ? await response.json() : null;
      if (!this.isStopped && this.mode !== "live") this.onPolled(response, body);
    } catch {
      if (!this.isStopped && this.mode !== "live") this.setMode("reconnecting");
    }
  }

  onPolled(response, body) {
    const mode = REFUSED.get(response.status);
    if (mode) return void this.stop(mode);
    if (!body && response.status !== 304) return void this.setMode("reconnecting");
    this.etag = response.headers.get("ETag") ?? this.etag;
    this.since = new Date();
    if (body) this.onBodies(body.results ?? [body]);
    if (this.isStopped) return;
    if (this.isSettled) this.rest();
    else this.setMode("polling");
  }

  onBodies(jobs) {
    jobs.forEach((job) => this.show(job));
    if (this.single) jobs.forEach((job) => this.endWith(job));
  }

  // --- helpers ------------------------------------------------------------------------------------

  /** Emit a changed mode; while polling also emit newer data. */
  setMode(mode) {
    if (mode === this.mode && mode !== "polling") return;
    this.mode = mode;
    this.emit("mode", { mode, since: this.since });
  }

  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  after(name, milliseconds, act) {
    this.cancel(name);
    this.timers[name] = setTimeout(() => {
      delete this.timers[name];
      act();
    }, milliseconds);
  }

  cancel(name) {
    clearTimeout(this.timers[name]);
    delete this.timers[name];
  }
}

/** Return whether a job has ended for good; `job_messages.is_over` decides in the same way. */
function isOver(job) {
  return OVER.has(job.status) && !job.reworking && !job.phases?.some((phase) => phase.processing);
}

const between = (least, most) => least + Math.random() * (most - least);

/** ws: for http:, wss: for https:, relative to the page. */
function socketAddress(address) {
  const url = new URL(address, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return url.href;
}
