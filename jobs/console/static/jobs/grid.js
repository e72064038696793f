/**
 * The grid of a page's items: arrows walk it, and cells are selected one by one, as a range, or all.
 *
 * What is selected is known by the ids of the items, so that a newer copy of the page keeps it, and the boxes of the
 * list below are ticked with it. The buttons of the bar send the form `pick` with every selected item. Without
 * scripts the cells are links, and the boxes alone do the same.
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
const say = (text) => void (document.getElementById("said").textContent = text);

// --- what a copy of the page shows -------------------------------------------------------------------

/** Give the grids, the boxes and the buttons below `root` the state of the selection. */
export function dress(root = document) {
  if (!bar) return;
  for (const grid of root.querySelectorAll("[data-grid]")) dressGrid(grid);
  for (const button of root.querySelectorAll("[data-select]")) {
    button.hidden = false;
    button.setAttribute("aria-pressed", String(isSelecting));
  }
}

function dressGrid(grid) {
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
 * A large grid comes as one letter for each cell, `data-states`: give it the cells of the shown grid in these states.
 * False where they are not as many, so that the whole page is to be asked for.
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

/** Show the selection after it has changed; `text` is said instead of the count. */
function show(text = selected.size ? `${number(selected.size)} selected` : "Nothing selected") {
  dress();
  for (const box of document.querySelectorAll(BOX)) box.checked = selected.has(box.value);
  bar.hidden = selected.size === 0;
  bar.querySelector("[data-picked-count]").textContent = number(selected.size);
  say(text);
}

/** What is newly in the list has the ticks of the selection. */
export function tickAgain() {
  for (const box of document.querySelectorAll(BOX)) box.checked = selected.has(box.value);
  for (const box of document.querySelectorAll("[data-all]")) box.hidden = false;
}

// --- selecting ---------------------------------------------------------------------------------------

function add(ids) {
  const more = ids.filter((id) => !selected.has(id));
  if (selected.size + more.length > most) {
    return show(`At most ${number(most)} at once. Narrow the list below, and choose everything that matches.`);
  }
  for (const id of more) selected.add(id);
  return show();
}

function toggle(cell) {
  anchor = idOf(cell);
  if (!selected.delete(anchor)) return add([anchor]);
  return show();
}

/** Everything from the cell that was chosen last to this one. */
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
    dress();
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

/** The form carries what has no ticked box on this page of the list. */
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
  else if (cell && !event.altKey) hearInGrid(event, cell);
});

function hearInGrid(event, cell) {
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

/** To the cell of this key; only one cell is a tab stop. */
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

/** Arrows go one cell, PageUp and PageDown some rows within the column, Home and End to the first and the last. */
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

describe({ keys: ["←", "→", "↑", "↓"], does: "from item to item in the grid", when: hasGrid });
describe({ keys: ["Home", "End", "PgUp", "PgDn"], does: "further in the grid", when: hasGrid });
describe({ keys: ["Space"], does: "select the item in the grid", when: hasCells });
describe({ keys: ["Shift", "←", "→", "↑", "↓"], does: "select a range", when: hasCells });
describe({ keys: ["Ctrl", "a"], does: "select all items of the grid", when: hasCells });
bind({
  key: "s",
  does: "to the acts on what is selected",
  when: hasSelection,
  act: () => bar.querySelector("button:not(:disabled)")?.focus(),
});
describe({ keys: ["Esc"], does: "select nothing", when: hasSelection });

for (const box of document.querySelectorAll(`${BOX}:checked`)) selected.add(box.value);
if (selected.size) show();
dress();
tickAgain();
