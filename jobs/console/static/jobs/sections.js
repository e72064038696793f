/**
 * Keeps the lists of a page current. The server renders each `data-section`; here the page is asked for again
 * and the sections that have changed are replaced. One with `data-hold` waits while the pointer or the focus
 * is inside or something is ticked, so that no row moves under a hand; `apply` shows it then.
 */

import { dress, unfold } from "./grid.js";
import { localise } from "./times.js";

const LEAST_MS = 2000;
const MOST_MS = 30_000;
const SLOWNESS = 10;

export class Sections {
  /** `onHeld(count)` hears how many sections wait, `onLost()` that the session has ended. */
  constructor({ onHeld, onShown, onLost }) {
    this.onHeld = onHeld;
    this.onShown = onShown;
    this.onLost = onLost;
    this.held = new Map();
    this.timer = null;
    this.asking = null;
    this.pause = LEAST_MS;
    this.askedAt = 0;
    this.isWhole = false;
    for (const event of ["pointerout", "focusout", "change"]) {
      document.addEventListener(event, () => this.held.size && setTimeout(() => this.letGo(), 50));
    }
  }

  /** Something has changed: ask soon, and never more often than the server answers easily. */
  later() {
    if (this.timer !== null) return;
    const wait = Math.max(0, this.askedAt + this.pause - Date.now());
    this.timer = setTimeout(() => this.now(), wait);
  }

  /** Ask at once. */
  async now() {
    clearTimeout(this.timer);
    this.timer = null;
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    this.askedAt = Date.now();
    try {
      const headers = this.isWhole ? {} : { "X-Grid": "states" };
      const how = { signal: asking.signal, headers, cache: "no-store", credentials: "same-origin" };
      const response = await fetch(location.href, how);
      if (response.redirected && response.url.includes("/login/")) return void this.onLost();
      if (!response.ok) return;
      this.receive(await response.text());
    } catch {
      // The connection is the feed's business; it asks again when it is back.
    } finally {
      this.pause = Math.min(MOST_MS, Math.max(LEAST_MS, SLOWNESS * (Date.now() - this.askedAt)));
    }
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = -1;
  }

  receive(text) {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    this.isWhole = ![...fresh.querySelectorAll("[data-states]")].every(unfold);
    if (this.isWhole) return void this.now();
    for (const section of document.querySelectorAll("[data-section]")) {
      const name = section.dataset.section;
      const newer = fresh.querySelector(`[data-section="${name}"]`);
      if (!newer) continue;
      localise(newer);
      dress(newer);
      mendGrid(section, newer);
      keepAges(section, newer);
      if (section.isEqualNode(newer)) this.held.delete(name);
      else if (isBusy(section)) this.held.set(name, newer);
      else this.replace(section, newer);
    }
    this.onHeld(this.held.size);
    this.onShown();
  }

  /** Show what was held back, where nobody is in the way any more. */
  letGo() {
    for (const [name] of this.held) {
      const section = document.querySelector(`[data-section="${name}"]`);
      if (section && !isBusy(section)) this.apply(name);
    }
    this.onHeld(this.held.size);
  }

  /** Show what was held back: of this section, or all. */
  apply(only = null) {
    for (const [name, newer] of [...this.held]) {
      if (only !== null && name !== only) continue;
      const section = document.querySelector(`[data-section="${name}"]`);
      if (section) this.replace(section, newer);
    }
    this.onHeld(this.held.size);
    this.onShown();
  }

  replace(section, newer) {
    this.held.delete(section.dataset.section);
    const node = document.importNode(newer, true);
    for (const open of section.querySelectorAll("details[open][id]")) {
      node.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute("open", "");
    }
    if (section.isEqualNode(node)) return;
    const place = focusWithin(section);
    section.replaceWith(node);
    if (place) node.querySelector(place)?.focus();
  }
}

/** How to find what has the focus again: a cell of a grid, a link, a box to tick; null where the focus is elsewhere. */
function focusWithin(section) {
  const focused = document.activeElement;
  if (!section.contains(focused)) return null;
  if (focused.dataset.cell) return `[data-cell="${CSS.escape(focused.dataset.cell)}"]`;
  if (focused.matches("a[href]")) return `a[href="${CSS.escape(focused.getAttribute("href"))}"]`;
  return focused.matches("input[value]") ? `input[value="${CSS.escape(focused.value)}"]` : null;
}

/** `46 min ago` of the same moment is the same, whoever counted: the page itself keeps it current. */
function keepAges(section, newer) {
  const [shown, fresh] = [section, newer].map((place) => [...place.querySelectorAll("time[data-ago]")]);
  fresh.forEach((time, place) => {
    if (shown[place]?.dateTime === time.dateTime) time.textContent = shown[place].textContent;
  });
}

/**
 * A section whose grid has the same cells as before takes over their states one by one, wherever the focus is:
 * an operator who walks the grid sees it live and keeps the place.
 */
function mendGrid(section, newer) {
  const [cells, fresh] = [section, newer].map((place) => [...place.querySelectorAll("[data-grid] [data-cell]")]);
  if (!cells.length || cells.length !== fresh.length) return;
  if (cells.some((cell, place) => cell.dataset.cell !== fresh[place].dataset.cell)) return;
  cells.forEach((cell, place) => mendCell(cell, fresh[place]));
}

/** The cell keeps its being and whether it is the tab stop; the rest it takes over. */
function mendCell(cell, fresh) {
  copyAttribute("tabindex", { from: cell, to: fresh });
  if (cell.isEqualNode(fresh)) return;
  for (const name of ["class", "title", "aria-label", "aria-selected"]) copyAttribute(name, { from: fresh, to: cell });
  cell.replaceChildren(...document.importNode(fresh, true).childNodes);
}

function copyAttribute(name, { from, to }) {
  if (from.hasAttribute(name)) to.setAttribute(name, from.getAttribute(name));
  else to.removeAttribute(name);
}

function isBusy(section) {
  if (section.contains(document.activeElement)) return true;
  if (section.dataset.hold === undefined) return false;
  return section.matches(":hover") || section.querySelector("input:checked") !== null;
}
