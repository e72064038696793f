/**
 * The items grid: arrow keys move through it; cells are selected one by one, as a range, or all.
 *
 * The selection holds item ids, so that it survives a refresh, and it ticks the checkboxes of the list below. The
 * buttons of the selection bar submit the form `pick` with every selected item. Without scripts the cells are links
 * and the checkboxes alone do the same.
 */

import { bind, describe } from "./keys.js";

const PAGE_ROWS = 5;
const CELL = "[data-grid] [data-cell]";
const BOX = "input[name=item]";

const STATES = { c: "completed", f: "failed", r: "running", p: "pending", s: "skipped" };

const selected = new Set();
let anchor = null;
let isSelecting = false;

const bar = document.querySelector("[data-picked]");
const form = document.getElementById("pick");
const most = Number(bar?.dataset.most ?? 0);

const number = (count) => count.toLocaleString("en-US");
const cellsOf = (grid) => [...grid.querySelectorAll("[data-cell]")];
const idOf = (cell) => cell.dataset.cell;
const announce = (text) => void (document.getElementById("announcement").textContent = text);

// --- rendering -------------------------------------------------------------------

/** Apply the selection to the grids and buttons below `root`. */
export function decorate(root = document) {
  if (!bar) return;
  for (const grid of root.querySelectorAll("[data-grid]")) decorateGrid(grid);
  for (const button of root.querySelectorAll("[data-select]")) {
    button.hidden = false;
    button.setAttribute("aria-pressed", String(isSelecting));
  }
}

function decorateGrid(grid) {
  const cells = cellsOf(grid);
  if (!cells.length) return;
  grid.setAttribute("role", "listbox");
  grid.setAttribute("aria-multiselectable", "true");
  for (const cell of cells) {
    cell.parentElement.setAttribute("role", "none");
    cell.setAttribute("role", "option");
    cell.setAttribute("aria-selected", String(selected.has(idOf(cell))));
  }
}

/**
 * Expand a large grid that was sent as one letter per cell (`data-states`) with the cells of the shown grid.
 * Return false if the number of cells differs; then the whole page must be loaded.
 */
export function unfold(fresh) {
  const shown = document.querySelector("[data-grid]");
  const { states } = fresh.dataset;
  const cells = shown ? cellsOf(shown) : [];
  if (cells.length !== states.length) return false;
  cells.forEach((cell, place) => setState(cell, STATES[states[place]]));
  fresh.replaceChildren(...fresh.ownerDocument.importNode(shown, true).childNodes);
  delete fresh.dataset.states;
  return true;
}

function setState(cell, state) {
  if (cell.classList.contains(state)) return;
  const word = document.querySelector(`template[data-pill="${state}"]`).content.textContent.trim();
  cell.className = `cell ${state}`;
  cell.title = word + cell.title.slice(cell.title.indexOf(","));
}

/** Show the changed selection; announce `text`, by default the count. */
function show(text = selected.size ? `${number(selected.size)} selected` : "Nothing selected") {
  decorate();
  for (const box of document.querySelectorAll(BOX)) box.checked = selected.has(box.value);
  bar.hidden = selected.size === 0;
  bar.querySelector("[data-picked-count]").textContent = number(selected.size);
  announce(text);
}

/** Tick the checkboxes of selected items after the list has changed. */
export function tickAgain() {
  for (const box of document.querySelectorAll(BOX)) box.checked = selected.has(box.value);
  for (const box of document.querySelectorAll("[data-all]")) box.hidden = false;
}

// --- selecting ---------------------------------------------------------------------------------------

function add(ids) {
  const more = ids.filter((id) => !selected.has(id));
  if (selected.size + more.length > most) {
    return show(`Select at most ${number(most)} items, or filter the list below and act on all matching items.`);
  }
  for (const id of more) selected.add(id);
  return show();
}

function toggle(cell) {
  anchor = idOf(cell);
  if (!selected.delete(anchor)) return add([anchor]);
  return show();
}

/** Select all cells from the last selected one to this one. */
function addRange(cell) {
  const cells = cellsOf(cell.closest("[data-grid]"));
  const ends = [cells.findIndex((other) => idOf(other) === anchor), cells.indexOf(cell)];
  if (ends[0] < 0) ends[0] = ends[1];
  anchor = idOf(cells[ends[0]]);
  add(cells.slice(Math.min(...ends), Math.max(...ends) + 1).map(idOf));
}

function clear() {
  selected.clear();
  anchor = null;
  isSelecting = false;
  show();
}

document.addEventListener("click", (event) => {
  const cell = event.target.closest?.(CELL);
  if (event.target.closest?.("[data-select]")) {
    isSelecting = !isSelecting;
    decorate();
  } else if (event.target.closest?.("[data-picked-clear]")) clear();
  else if (cell && bar && (isSelecting || selected.size || event.ctrlKey || event.metaKey || event.shiftKey)) {
    event.preventDefault();
    cell.focus();
    if (event.shiftKey) addRange(cell);
    else toggle(cell);
  }
});

document.addEventListener("change", (event) => {
  if (!bar) return;
  const boxes = event.target.matches("[data-all]") ? [...document.querySelectorAll(BOX)] : [event.target];
  const ids = boxes.filter((box) => box.matches(BOX)).map((box) => box.value);
  if (!ids.length) return;
  if (event.target.checked) add(ids);
  else {
    for (const id of ids) selected.delete(id);
    show();
  }
});

/** Add hidden inputs for selected items that are not on this page of the list. */
form?.addEventListener("submit", () => {
  for (const input of form.querySelectorAll("[data-carried]")) input.remove();
  const ticked = new Set([...document.querySelectorAll(`${BOX}:checked`)].map((box) => box.value));
  for (const id of [...selected].filter((each) => !ticked.has(each))) {
    const input = Object.assign(document.createElement("input"), { type: "hidden", name: "item", value: id });
    input.dataset.carried = "";
    form.append(input);
  }
});

// --- keys --------------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  const cell = event.target.closest?.("[data-grid] a");
  if (event.key === "Escape" && (selected.size || isSelecting) && !event.target.closest?.("dialog")) clear();
  else if (cell && !event.altKey) onGridKey(event, cell);
});

function onGridKey(event, cell) {
  const isCell = cell.matches(CELL) && bar;
  if (event.ctrlKey || event.metaKey) {
    if (!isCell || event.key.toLowerCase() !== "a") return;
    event.preventDefault();
    add(cellsOf(cell.closest("[data-grid]")).map(idOf));
  } else if (event.key === " " && isCell) {
    event.preventDefault();
    if (event.shiftKey) addRange(cell);
    else toggle(cell);
  } else move(event, cell, isCell && event.shiftKey);
}

/** Move to the cell of this key; only one cell is a tab stop. */
function move(event, cell, isRange) {
  const grid = cell.closest("[data-grid]");
  const cells = [...grid.querySelectorAll("a")];
  const next = cells[placeInGrid(event.key, cells.indexOf(cell), cells)];
  if (!next || next === cell) return;
  event.preventDefault();
  for (const stop of grid.querySelectorAll('a:not([tabindex="-1"])')) stop.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
  if (!isRange) return;
  if (anchor === null) anchor = idOf(cell);
  addRange(next);
}

/** Arrows move one cell, PageUp and PageDown several rows in the column, Home and End to the first and last cell. */
function placeInGrid(key, place, cells) {
  const secondRow = cells.findIndex((cell) => cell.offsetTop !== cells[0].offsetTop);
  const columns = secondRow < 0 ? cells.length : secondRow;
  const [column, last] = [place % columns, cells.length - 1];
  const moves = {
    ArrowLeft: place - 1,
    ArrowRight: place + 1,
    ArrowUp: place - columns,
    ArrowDown: place + columns,
    Home: 0,
    End: last,
    PageUp: Math.max(column, place - PAGE_ROWS * columns),
    PageDown: Math.min(last - ((last - column) % columns), place + PAGE_ROWS * columns),
  };
  return moves[key];
}

const hasGrid = () => document.querySelector("[data-grid] a") !== null;
const hasCells = () => bar !== null && document.querySelector(CELL) !== null;
const hasSelection = () => selected.size > 0;

describe({ keys: ["←", "→", "↑", "↓"], does: "move between items in the grid", when: hasGrid });
describe({ keys: ["Home", "End", "PgUp", "PgDn"], does: "jump in the grid", when: hasGrid });
describe({ keys: ["Space"], does: "select the item in the grid", when: hasCells });
describe({ keys: ["Shift", "←", "→", "↑", "↓"], does: "select a range", when: hasCells });
describe({ keys: ["Ctrl", "a"], does: "select all items of the grid", when: hasCells });
bind({
  key: "s",
  does: "go to the acts on the selection",
  when: hasSelection,
  act: () => bar.querySelector("button:not(:disabled)")?.focus(),
});
describe({ keys: ["Esc"], does: "clear the selection", when: hasSelection });

for (const box of document.querySelectorAll(`${BOX}:checked`)) selected.add(box.value);
if (selected.size) show();
decorate();
tickAgain();
