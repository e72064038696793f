/**
 * Keeps the lists of a page current: loads each changed `data-section` of the page and replaces it. A section with
 * `data-hold` waits while the pointer or the focus is inside or a box is ticked, so that no row moves while an
 * operator uses it, and every section waits while text in it is selected; `apply` shows it.
 */

import { showCopyButtons } from "./copy.js";
import { isSelected } from "./figures.js";
import { decorate, unfold } from "./grid.js";
import { localise } from "./times.js";

const LEAST_MS = 2000;
const MOST_MS = 30_000;
const SLOWNESS = 10;
const BYTES_PER_MS = 1.2; // less than 1 MB in ten minutes
const MOST_FOR_WEIGHT_MS = 10_000;

export class Sections {
  /** `onHeld(count)` gets the number of waiting sections; `onLost()` is called when the session has ended. */
  constructor({ onHeld, onShown, onLost }) {
    this.onHeld = onHeld;
    this.onShown = onShown;
    this.onLost = onLost;
    this.held = new Map();
    this.timer = null;
    this.loading = null;
    this.pause = LEAST_MS;
    this.loadedAt = 0;
    this.weight = 0;
    this.digests = "";
    this.isWhole = false;
    for (const event of ["pointerout", "focusout", "change", "selectionchange"]) {
      document.addEventListener(event, () => this.held.size && setTimeout(() => this.applyUnused(), 50));
    }
  }

  /**
   * Load the page soon. The pause grows with the response time, so that a slow server is not overloaded, and with the
   * size of the answer. Figures of the head do not wait for it: they come over the live connection.
   */
  later() {
    if (this.timer !== null) return;
    const wait = Math.max(0, this.loadedAt + this.pause - Date.now());
    this.timer = setTimeout(() => this.now(), wait);
  }

  /** Load the page now. */
  async now() {
    clearTimeout(this.timer);
    this.timer = null;
    this.loading?.abort();
    const loading = (this.loading = new AbortController());
    this.loadedAt = Date.now();
    try {
      const headers = { "X-Sections": this.digests, ...(this.isWhole ? {} : { "X-Grid": "states" }) };
      const how = { signal: loading.signal, headers, cache: "no-store", credentials: "same-origin" };
      const response = await fetch(location.href, how);
      if (response.redirected && response.url.includes("/login/")) return void this.onLost();
      if (!response.ok) return;
      const text = await response.text();
      this.weight = Number(response.headers.get("Content-Length") ?? 0);
      this.digests = response.headers.get("X-Sections") ?? "";
      this.receive(text);
    } catch {
      // The live feed handles lost connections and refreshes after reconnecting.
    } finally {
      const forWeight = Math.min(MOST_FOR_WEIGHT_MS, this.weight / BYTES_PER_MS);
      this.pause = Math.min(MOST_MS, Math.max(LEAST_MS, forWeight, SLOWNESS * (Date.now() - this.loadedAt)));
    }
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = -1;
  }

  receive(text) {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    document.title = fresh.title;
    this.isWhole = ![...fresh.querySelectorAll("[data-states]")].every(unfold);
    if (this.isWhole) return void this.now();
    for (const section of document.querySelectorAll("[data-section]")) {
      const name = section.dataset.section;
      const newer = fresh.querySelector(`[data-section="${name}"]`);
      if (!newer) continue;
      localise(newer);
      decorate(newer);
      showCopyButtons(newer);
      updateGrid(section, newer);
      keepAges(section, newer);
      if (section.isEqualNode(newer)) this.held.delete(name);
      else if (isBusy(section)) this.held.set(name, newer);
      else this.replace(section, newer);
    }
    this.onHeld(this.held.size);
    this.onShown();
  }

  /** Show held sections that are no longer in use. */
  applyUnused() {
    for (const [name] of this.held) {
      const section = document.querySelector(`[data-section="${name}"]`);
      if (section && !isBusy(section)) this.apply(name);
    }
    this.onHeld(this.held.size);
  }

  /** Show the held version of this section, or of all sections. */
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

/** Return a selector for the focused grid cell, link or checkbox; null if the focus is elsewhere. */
function focusWithin(section) {
  const focused = document.activeElement;
  if (!section.contains(focused)) return null;
  if (focused.dataset.cell) return `[data-cell="${CSS.escape(focused.dataset.cell)}"]`;
  if (focused.matches("a[href]")) return `a[href="${CSS.escape(focused.getAttribute("href"))}"]`;
  return focused.matches("input[value]") ? `input[value="${CSS.escape(focused.value)}"]` : null;
}

/** Keep the shown age of an unchanged moment, so that the age alone does not count as a change. */
function keepAges(section, newer) {
  const [shown, fresh] = [section, newer].map((place) => [...place.querySelectorAll("time[data-ago]")]);
  fresh.forEach((time, place) => {
    if (shown[place]?.dateTime === time.dateTime) time.textContent = shown[place].textContent;
  });
}

/**
 * Update the cells of an unchanged grid in place, whatever has the focus. An operator who moves through the grid
 * sees live statuses and keeps the position.
 */
function updateGrid(section, newer) {
  const [cells, fresh] = [section, newer].map((place) => [...place.querySelectorAll("[data-grid] [data-cell]")]);
  if (!cells.length || cells.length !== fresh.length) return;
  if (cells.some((cell, place) => cell.dataset.cell !== fresh[place].dataset.cell)) return;
  cells.forEach((cell, place) => updateCell(cell, fresh[place]));
}

/** Update a cell; the element and its tab stop stay. */
function updateCell(cell, fresh) {
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
  if (section.contains(document.activeElement) || isSelected(section)) return true;
  if (section.dataset.hold === undefined) return false;
  return section.matches(":hover") || section.querySelector("input:checked") !== null;
}
