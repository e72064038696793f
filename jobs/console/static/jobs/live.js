/**
 * The live connection of a page: a websocket, and polling where websockets do not get through.
 *
 *   const feed = new LiveFeed({ wsUrl: "/ws/jobs/7", pollUrl: "/api/v1/jobs/7", single: true });
 *   feed.addEventListener("job", (event) => render(event.detail.job));
 *   feed.start();
 *
 * Events, each with its `detail`:
 *   mode      {mode, since}  the connection changed; `since` is the Date of the newest data, null before any
 *   snapshot  {jobs}         these are all jobs now; whatever else is shown has to go
 *   job       {job}          one job, new or newer than before; it replaces the former body
 *   gone      {id}           the job was deleted or has left the list
 *
 * Modes:
 *   connecting    nothing has arrived yet
 *   live          the socket brings every change
 *   reconnecting  the socket is lost and tried again, at random within growing pauses of up to 30 s
 *   polling       the socket does not get through, but requests every 2 to 5 s do; it is still tried
 *   resting       a single job has failed where the socket does not get through; nothing is asked until somebody
 *                 looks at the page again, for it may have been retried
 *   done          a single job was completed, cancelled or deleted; nothing is asked any more
 *   signedout     the session has ended; nothing is asked any more
 *   denied        the account may not see this; nothing is asked any more
 */

const OVER = new Set(["completed", "cancelled"]);
const CLOSED_FOR_GOOD = new Map([[4401, "signedout"], [4403, "denied"], [4404, "done"]]);
const REFUSED = new Map([[401, "signedout"], [403, "denied"], [404, "done"]]);
const OPEN = 1;

const CONNECT_MS = 10_000;
const QUIET_MS = 15_000;
const ANSWER_MS = 10_000;
const LONGEST_PAUSE_MS = 30_000;
const FIRST_PAUSE_MS = 500;
const POLL_MS = [2_000, 5_000];
const FAILURES_BEFORE_POLLING = 3;

export class LiveFeed extends EventTarget {
  /** Addresses may be relative; `pollUrl` may be left out; `single`: it is about one job, and ends with it. */
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

  /** Connect, and stay connected. */
  start() {
    const { signal } = this.ended;
    const comeBack = () => document.hidden || this.hurry();
    document.addEventListener("visibilitychange", comeBack, { signal });
    globalThis.addEventListener("online", () => this.hurry(), { signal });
    globalThis.addEventListener("pageshow", (event) => event.persisted && this.hurry(), { signal });
    this.setMode("connecting");
    this.connect();
  }

  /** End for good, in this mode. */
  stop(mode = "done") {
    this.ended.abort();
    for (const name of Object.keys(this.timers)) this.cancel(name);
    this.drop();
    this.setMode(mode);
  }

  get isStopped() {
    return this.ended.signal.aborted;
  }

  /** The network or the reader is back: do not wait for the next try. */
  hurry() {
    if (this.isStopped) return;
    if (this.mode === "resting") this.wake();
    else if (this.socket?.readyState === OPEN) this.askForNewer();
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
    socket.onmessage = (event) => this.socket === socket && this.hear(JSON.parse(event.data));
    socket.onclose = (event) => this.socket === socket && this.closed(event.code);
  }

  closed(code) {
    const mode = CLOSED_FOR_GOOD.get(code);
    if (mode) this.stop(mode);
    else this.lost();
  }

  /** Try again soon, at a random moment, so that many pages do not come back all at once. */
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

  /** Nothing was heard for a while, though pings should have come: ask, and give up without an answer. */
  askForNewer() {
    this.send({ type: "sync", revisions: Object.fromEntries(this.revisions) });
    this.after("quiet", ANSWER_MS, () => this.lost());
  }

  hear(message) {
    this.after("quiet", QUIET_MS, () => this.askForNewer());
    if (message.type === "snapshot") this.hearSnapshot(message.jobs);
    else if (message.type === "job") this.hearJob(message.job);
    else if (message.type === "gone") this.hearGone(message.id);
    else if (message.type === "ping") this.send({ type: "pong" });
  }

  hearSnapshot(jobs) {
    this.failures = 0;
    this.cancel("poll");
    this.revisions = new Map(jobs.map((job) => [job.id, job.revision]));
    this.since = new Date();
    this.setMode("live");
    this.emit("snapshot", { jobs });
    this.send({ type: "ack" });
    if (this.single) jobs.forEach((job) => this.endWith(job));
  }

  hearJob(job) {
    this.show(job);
    this.send({ type: "ack", id: job.id, revision: job.revision });
    if (this.single) this.endWith(job);
  }

  hearGone(id) {
    this.revisions.delete(id);
    this.since = new Date();
    this.emit("gone", { id });
    if (this.single) this.stop();
  }

  /** Render a job unless what is shown is as new. */
  show(job) {
    this.since = new Date();
    if (job.revision <= (this.revisions.get(job.id) ?? -1)) return;
    this.revisions.set(job.id, job.revision);
    this.emit("job", { job });
  }

  /** A failed job can be retried by somebody: the socket stays, polling for that would go on for ever. */
  endWith(job) {
    this.isSettled = job.status === "failed";
    if (OVER.has(job.status)) this.stop();
  }

  /** It has failed and no socket would tell that it goes on: ask for nothing until somebody looks. */
  rest() {
    for (const name of ["poll", "retry"]) this.cancel(name);
    this.drop();
    this.setMode("resting");
  }

  wake() {
    [this.isSettled, this.etag] = [false, null];
    this.connect();
    this.poll();
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
      if (!this.isStopped && this.mode !== "live") this.hearPolled(response, body);
    } catch {
      if (!this.isStopped && this.mode !== "live") this.setMode("reconnecting");
    }
  }

  hearPolled(response, body) {
    const mode = REFUSED.get(response.status);
    if (mode) return void this.stop(mode);
    if (!body && response.status !== 304) return void this.setMode("reconnecting");
    this.etag = response.headers.get("ETag") ?? this.etag;
    this.since = new Date();
    if (body) this.hearBodies(body.results ?? [body]);
    if (this.isStopped) return;
    if (this.isSettled) this.rest();
    else this.setMode("polling");
  }

  hearBodies(jobs) {
    jobs.forEach((job) => this.show(job));
    if (this.single) jobs.forEach((job) => this.endWith(job));
  }

  // --- helpers ------------------------------------------------------------------------------------

  /** Say so when the mode changes; while polling also that the data are newer. */
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

const between = (least, most) => least + Math.random() * (most - least);

/** ws: for http:, wss: for https:, relative to the page. */
function socketAddress(address) {
  const url = new URL(address, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return url.href;
}
