/**
 * Keeps an operators' page current: figures by the live connection, lists by asking for the page again,
 * the badge, the clock of the data, and the keys of a live page.
 */

import { LiveFeed } from "./live.js";
import { faceOf, showAges, showJob } from "./figures.js";
import { tickAgain } from "./grid.js";
import { bind } from "./keys.js";
import { Sections } from "./sections.js";
import { serverNow, showMoment } from "./times.js";

const LISTS_MS = 30_000;
const WORDS = {
  connecting: "Connecting",
  live: "Live",
  reconnecting: "Reconnecting",
  polling: "Polling",
  resting: "Resting",
  done: "Done",
  signedout: "Signed out",
  denied: "Not permitted",
  paused: "Paused",
};
const ENDS = {
  completed: "completed",
  partial: "completed, partial",
  failed: "failed",
  cancelled: "was cancelled",
};

const live = document.getElementById("live");
const badge = document.getElementById("badge");
const clock = document.getElementById("data-clock");
const held = document.getElementById("held");
const said = document.getElementById("said");
const isSingle = live.dataset.single === "yes";
const known = new Map();
const waiting = new Map();
let isPaused = false;
let endIsSaid = false;
let mode = "connecting";

const sections = new Sections({
  onHeld: (count) => {
    held.hidden = count === 0;
    held.textContent = `${count} ${count === 1 ? "list has" : "lists have"} changed, press r`;
  },
  onShown: () => {
    showAges(serverNow());
    tickAgain();
  },
  onLost: () => feed.stop("signedout"),
});

const feed = new LiveFeed({ wsUrl: live.dataset.socket, pollUrl: live.dataset.poll, single: isSingle });

// --- what arrives ------------------------------------------------------------------------------------

feed.addEventListener("mode", ({ detail }) => {
  const wasAway = ["reconnecting", "polling", "resting"].includes(mode);
  const changed = mode !== detail.mode;
  mode = detail.mode;
  showBadge();
  const isKnown = mode === "connecting" || (mode === "live" && !wasAway) || (mode === "done" && endIsSaid);
  if (changed && !isKnown) say(saidMode());
  if (wasAway && mode === "live") refresh();
  if (mode === "signedout" || mode === "denied" || mode === "done") sections.stop();
});

feed.addEventListener("snapshot", ({ detail }) => {
  const ids = new Set(detail.jobs.map((job) => job.id));
  const isNew = known.size > 0 && [...known.keys()].some((id) => !ids.has(id));
  detail.jobs.forEach((job) => take(job, { first: known.size === 0 }));
  if (isNew) refresh();
});

feed.addEventListener("job", ({ detail }) => take(detail.job));

feed.addEventListener("gone", ({ detail }) => {
  known.delete(detail.id);
  refresh();
});

/** A job, new or newer: its figures at once, the lists soon if it has another state or more than figures. */
function take(job, { first = false } = {}) {
  showClock();
  if (isPaused) return void waiting.set(job.id, job);
  const before = known.get(job.id);
  known.set(job.id, { face: faceOf(job), revision: job.revision });
  showJob(job);
  if (before && before.face !== faceOf(job) && ENDS[faceOf(job)]) sayEnd(job);
  if (isSingle) refreshSingle(job, before, first);
  else if (first ? !isShown(job) : before?.face !== faceOf(job)) refresh();
}

function refreshSingle(job, before, first) {
  const isNews = first ? String(job.revision) !== revisionShown : before?.revision !== job.revision;
  if (isNews && ENDS[faceOf(job)]) sections.now();
  else if (isNews) refresh();
}

const revisionShown = document.querySelector("[data-section] [data-field=revision]")?.textContent;
const isShown = (job) => document.querySelector(`[data-job="${job.id}"]`) !== null || faceOf(job) === "completed";
const refresh = () => isPaused || sections.later();
const isAtRest = () => isSingle && [...known.values()].some((job) => ENDS[job.face]); // the socket tells when it goes on

// --- badge, clock, announcements ---------------------------------------------------------------------

function showBadge() {
  const shown = isPaused ? "paused" : mode;
  badge.dataset.mode = shown;
  badge.querySelector("[data-mode-word]").textContent = WORDS[shown] ?? shown;
}

function saidMode() {
  if (mode === "polling") return "Polling, the live connection does not get through";
  if (mode === "resting") return "Resting. Nothing more is asked until somebody looks at this page again.";
  return mode === "signedout" ? "Signed out. Load the page again to sign in." : WORDS[mode];
}

function showClock() {
  showMoment(clock, new Date(serverNow() - (feed.since ? Date.now() - feed.since.getTime() : 0)));
}

function say(text) {
  said.textContent = text;
}

/** That a job is over; the end of the connection that follows from it is no news after that. */
function sayEnd(job) {
  say(`${job.name} ${ENDS[faceOf(job)]}`);
  endIsSaid = true;
}

// --- keys --------------------------------------------------------------------------------------------

bind({ key: "p", does: "pause the page, and go on", act: pauseOrGoOn });
bind({ key: "r", does: "show what has changed now", act: showNow });

held.addEventListener("click", () => sections.apply());

function pauseOrGoOn() {
  isPaused = !isPaused;
  showBadge();
  if (isPaused) return;
  for (const job of waiting.values()) take(job);
  waiting.clear();
  if (mode !== "done") refresh();
}

function showNow() {
  sections.apply();
  if (mode === "live" || mode === "polling") sections.now();
}

const isCurrent = () => mode === "live" || mode === "polling";
setInterval(() => document.hidden || !isCurrent() || isAtRest() || refresh(), LISTS_MS);
feed.start();
