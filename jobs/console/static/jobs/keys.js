/**
 * The keys of every page, and the list of them that `?` opens. A page binds what is its own; the list shows what
 * does something on the page at hand, and nothing else.
 *
 *   bind({ key: "p", does: "pause the page, and go on", act: pauseOrGoOn });
 *   describe({ keys: ["Shift", "Space"], does: "tick a range", when: () => document.querySelector("[data-grid]") });
 *
 * Keys are off inside fields, but for boxes to tick, and beside Ctrl, Alt and Meta. What another module has already
 * acted on (`event.preventDefault()`) is left alone.
 */

const FIELD = "input, select, textarea, dialog, [contenteditable]";
const TICK_BOX = "input[type=checkbox], input[type=radio]";
const ROW = "main tbody tr, main li[data-job], main [data-row]";
const OPENS = "a.name, th a[href], [data-opens], td a[href]:not(.act), a[href]:not(.act)";
const GO_WITHIN_MS = 1500;

const bindings = new Map();
const described = [];
let goingSince = 0;

/** `key` does `act` where `when()` holds; one without `does` is left out of the list. */
export function bind({ key, does, act, when = () => true }) {
  bindings.set(key, { keys: [key], does, act, when });
}

/** Keys that another module listens to, for the list. `keys` are pressed together, or are alternatives of it. */
export function describe({ keys, does, when = () => true }) {
  described.push({ keys, does, when });
}

/** Listen, on any page. */
export function start() {
  document.addEventListener("keydown", hear);
  for (const button of document.querySelectorAll("[data-keys-button]")) {
    button.hidden = false;
    button.addEventListener("click", showList);
  }
}

function hear(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const field = event.target.closest?.(FIELD);
  if (field && !field.matches(TICK_BOX)) return void (event.key === "Escape" && !field.matches("dialog") && leave(field));
  const act = isGoing() ? goTo(event.key) : (actOf(event.key) ?? actInRow(event));
  if (!act) return;
  event.preventDefault();
  act();
}

function actOf(key) {
  const binding = bindings.get(key);
  return binding?.when() ? binding.act : null;
}

/** Out of a field, so that the keys work again; not out of an open dialog. */
function leave(field) {
  if (!field.closest("dialog")) field.blur();
}

// --- going to another page: g, and a letter ----------------------------------------------------------

const places = () => [...document.querySelectorAll("nav a[data-go]")];

function isGoing() {
  const going = Date.now() - goingSince < GO_WITHIN_MS;
  goingSince = 0;
  return going;
}

function goTo(key) {
  const place = places().find((link) => link.dataset.go === key);
  return place ? () => place.click() : null;
}

// --- rows --------------------------------------------------------------------------------------------

const isSeen = (element) => element.getClientRects().length > 0;
const rows = () => [...document.querySelectorAll(ROW)].filter((row) => opener(row) && isSeen(row));
const opener = (row) => row.querySelector(OPENS) ?? row.querySelector("input[type=checkbox]");
const rowAt = (element) => element?.closest?.(ROW);
const rowHere = () => rowAt(document.activeElement);

/** To the next row or the one before; from elsewhere to the first. */
function move(step) {
  const all = rows();
  const here = all.indexOf(rowHere());
  const next = here < 0 ? all[0] : all[Math.min(all.length - 1, Math.max(0, here + step))];
  const target = next && opener(next);
  target?.focus({ preventScroll: true });
  target?.scrollIntoView({ block: "nearest" });
}

/** Arrows move among the rows once the focus is there; elsewhere they scroll. */
function actInRow(event) {
  if (!rowAt(event.target) || event.shiftKey) return null;
  return { ArrowDown: () => move(1), ArrowUp: () => move(-1) }[event.key] ?? null;
}

const boxHere = () => rowHere()?.querySelector("input[type=checkbox]:not(:disabled)");
const hasBoxes = () => rows().some((row) => row.querySelector("input[type=checkbox]:not(:disabled)"));

// --- the list of keys --------------------------------------------------------------------------------

function showList() {
  const dialog = document.getElementById("keys");
  const all = [...bindings.values(), ...described].filter((binding) => binding.does && binding.when());
  const going = places().map((link) => ({ keys: ["g", link.dataset.go], does: `go to ${link.textContent.trim()}` }));
  dialog.querySelector("[data-keys=here]").replaceChildren(...all.flatMap(entry));
  dialog.querySelector("[data-keys=go]").replaceChildren(...going.flatMap(entry));
  if (!dialog.open) dialog.showModal();
}

function entry({ keys, does }) {
  const [term, detail] = [document.createElement("dt"), document.createElement("dd")];
  for (const key of keys) term.append(Object.assign(document.createElement("kbd"), { textContent: key }), " ");
  detail.textContent = does;
  return [term, detail];
}

const searchField = () => document.querySelector("main [data-search], #searchbar");
const hasRows = () => rows().length > 0;

bind({ key: "?", does: "this list", when: () => document.getElementById("keys") !== null, act: showList });
bind({
  key: "/",
  does: "search",
  when: () => searchField() !== null,
  act: () => {
    searchField().focus();
    searchField().select();
  },
});
bind({ key: "j", does: "to the next row", when: hasRows, act: () => move(1) });
bind({ key: "k", does: "to the row before", when: hasRows, act: () => move(-1) });
describe({ keys: ["Enter"], does: "open the row", when: hasRows });
bind({ key: "x", does: "tick the row", when: hasBoxes, act: () => boxHere()?.click() });
bind({ key: "g", when: () => places().length > 0, act: () => (goingSince = Date.now()) });
describe({ keys: ["Esc"], does: "out of a field; close this list" });
