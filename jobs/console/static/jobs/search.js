/**
 * The dialog of the global search: `/` or Ctrl-K opens it, results come as you type, arrows choose, Enter opens.
 * Without this script the link in the header leads to the page of the search.
 */

import { bind, describe } from "./keys.js";

const AFTER_MS = 120;

const dialog = document.getElementById("search");

/** Bind the keys and the link in the header. */
export function startSearch() {
  if (!dialog) return;
  bind({ key: "/", does: "search everything", act: open });
  describe({ keys: ["Ctrl", "k"], does: "search everything, also from inside a field" });
  document.addEventListener("keydown", onShortcut);
  for (const link of document.querySelectorAll("[data-search-open]")) link.addEventListener("click", onLink);
  field().addEventListener("input", later);
  dialog.addEventListener("keydown", onKey);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.querySelector("form").addEventListener("submit", onSubmit);
}

const field = () => dialog.querySelector("input");
const results = () => dialog.querySelector("[data-search-results]");
const hits = () => [...results().querySelectorAll("[data-hit]")];

function open() {
  if (!dialog.open) dialog.showModal();
  field().select();
}

function onShortcut(event) {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
  event.preventDefault();
  open();
}

function onLink(event) {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  open();
}

// --- results ---------------------------------------------------------------------------------------

let timer = 0;
let request = null;
let shown = "";

function later() {
  clearTimeout(timer);
  timer = setTimeout(load, AFTER_MS);
}

/** Load the results of the present text; an older request is given up. Resolves to whether they are shown. */
async function load() {
  clearTimeout(timer);
  const text = field().value.trim();
  request?.abort();
  request = new AbortController();
  try {
    const answer = text ? await fetchResults(text, request.signal) : "";
    results().innerHTML = answer;
    shown = text;
    say(text);
    return true;
  } catch (error) {
    if (error.name !== "AbortError") say(text, "The search does not answer. Press Enter for the page of the search.");
    return false;
  }
}

async function fetchResults(text, signal) {
  const answer = await fetch(`${dialog.dataset.results}?q=${encodeURIComponent(text)}`, { signal, redirect: "error" });
  if (!answer.ok) throw new Error(answer.statusText);
  return answer.text();
}

function say(text, problem = "") {
  const count = hits().length;
  const found = count === 1 ? "1 result" : `${count} results`;
  dialog.querySelector("[data-search-status]").textContent = problem || (text ? found : "");
}

// --- keys ------------------------------------------------------------------------------------------

function onKey(event) {
  // A search field clears itself first; here one Escape leaves the dialog.
  if (event.key === "Escape") {
    event.preventDefault();
    dialog.close();
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const all = hits();
  const next = all.indexOf(document.activeElement) + step;
  event.preventDefault();
  (next < 0 ? field() : all[Math.min(next, all.length - 1)])?.focus();
}

/** Enter in the field opens the first result of what is typed; without one the page of the search. */
async function onSubmit(event) {
  event.preventDefault();
  const isCurrent = shown === field().value.trim() || (await load());
  const first = isCurrent ? hits()[0] : null;
  if (first) first.click();
  else location.assign(`${dialog.dataset.page}?q=${encodeURIComponent(field().value)}`);
}
