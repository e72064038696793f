/**
 * Keeps a live page current: figures over the live connection, lists by loading the page again. It also
 * updates the connection badge and the data clock, and binds the keys of a live page.
 */

import { LiveFeed } from "./live.js";
import { styleOf, showAges, showJob } from "./figures.js";
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
  reworking: "is completed, and some items are done again",
  completed: "completed",
  partial: "completed, partial",
  failed: "failed",
  cancelled: "was cancelled",
};

const live = document.getElementById("live");
const badge = document.getElementById("badge");
const clock = document.getElementById("data-clock");
const held = document.getElementById("held");
const announcement = document.getElementById("announcement");
const isSingle = live.dataset.single === "yes";
const known = new Map();
const waiting = new Map();
let isPaused = false;
let isEndAnnounced = false;
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

// --- incoming data ------------------------------------------------------------------------------------

feed.addEventListener("mode", ({ detail }) => {
  const wasAway = ["reconnecting", "polling", "resting"].includes(mode);
  const changed = mode !== detail.mode;
  mode = detail.mode;
  showBadge();
  const isKnown = mode === "connecting" || (mode === "live" && !wasAway) || (mode === "done" && isEndAnnounced);
  if (changed && !isKnown) announce(modeText());
  if (wasAway && mode === "live") refresh();
  if (mode === "signedout" || mode === "denied" || mode === "done") sections.stop();
});

feed.addEventListener("snapshot", ({ detail }) => {
  const ids = new Set(detail.jobs.map((job) => job.id));
  const isNew = known.size > 0 && [...known.keys()].some((id) => !ids.has(id));
  detail.jobs.forEach((job) => receive(job, { first: known.size === 0 }));
  if (isNew) refresh();
});

feed.addEventListener("job", ({ detail }) => receive(detail.job));

feed.addEventListener("gone", ({ detail }) => {
  known.delete(detail.id);
  refresh();
});

/** Show the figures of a new or newer job at once; refresh the lists if its status changed. */
function receive(job, { first = false } = {}) {
  showClock();
  if (isPaused) return void waiting.set(job.id, job);
  const before = known.get(job.id);
  known.set(job.id, { style: styleOf(job), revision: job.revision });
  showJob(job);
  if (before && before.style !== styleOf(job) && ENDS[styleOf(job)]) announceEnd(job);
  if (isSingle) refreshSingle(job, before, first);
  else if (first ? !isShown(job) : before?.style !== styleOf(job)) refresh();
}

function refreshSingle(job, before, first) {
  const isNewer = first ? String(job.revision) !== revisionShown : before?.revision !== job.revision;
  if (isNewer && ENDS[styleOf(job)] && !job.reworking) sections.now();
  else if (isNewer) refresh();
}

const revisionShown = document.querySelector("[data-section] [data-field=revision]")?.textContent;
const isShown = (job) => document.querySelector(`[data-job="${job.id}"]`) !== null || styleOf(job) === "completed";
const refresh = () => isPaused || sections.later();
// The socket reports when an ended job continues.
const isAtRest = () => isSingle && [...known.values()].some((job) => ENDS[job.style] && job.style !== "reworking");

// --- badge, clock, announcements ---------------------------------------------------------------------

function showBadge() {
  const shown = isPaused ? "paused" : mode;
  badge.dataset.mode = shown;
  badge.querySelector("[data-mode-word]").textContent = WORDS[shown] ?? shown;
}

function modeText() {
  if (mode === "polling") return "Polling: the live connection is blocked";
  if (mode === "resting") return "Resting. The page loads new data when you return to it.";
  return mode === "signedout" ? "Signed out. Load the page again to sign in." : WORDS[mode];
}

function showClock() {
  showMoment(clock, new Date(serverNow() - (feed.since ? Date.now() - feed.since.getTime() : 0)));
}

function announce(text) {
  announcement.textContent = text;
}

/** Announce that a job has ended; the end of the connection that follows is not announced again. */
function announceEnd(job) {
  announce(`${job.name} ${ENDS[styleOf(job)]}`);
  isEndAnnounced = true;
}

// --- keys --------------------------------------------------------------------------------------------

bind({ key: "p", does: "pause or resume updates", act: togglePause });
bind({ key: "r", does: "show held changes now", act: showNow });

held.addEventListener("click", () => sections.apply());

function togglePause() {
  isPaused = !isPaused;
  showBadge();
  if (isPaused) return;
  for (const job of waiting.values()) receive(job);
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
