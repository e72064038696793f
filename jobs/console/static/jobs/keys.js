/**
 * Keyboard shortcuts, and the list of them that `?` opens. Pages bind their own keys; the list shows only keys that
 * work on the current page.
 *
 *   bind({ key: "p", does: "pause or resume updates", act: togglePause });
 *   describe({ keys: ["Shift", "Space"], does: "select a range", when: () => document.querySelector("[data-grid]") });
 *
 * Keys are off inside fields (except checkboxes) and with Ctrl, Alt and Meta. Events that another module has handled
 * (`event.preventDefault()`) are ignored.
 */

const FIELD = "input, select, textarea, dialog, [contenteditable]";
const TICK_BOX = "input[type=checkbox], input[type=radio]";
const ROW = "main tbody tr, main li[data-job], main [data-row]";
const OPENS = "a.name, th a[href], [data-opens], td a[href]:not(.act), a[href]:not(.act)";
const GO_WITHIN_MS = 1500;

const bindings = new Map();
const described = [];
let goingSince = 0;

/** Call `act` on `key` while `when()` is true; a key without `does` is not listed. */
export function bind({ key, does, act, when = () => true }) {
  bindings.set(key, { keys: [key], does, act, when });
}

/** List keys that another module handles. `keys` are pressed together or are alternatives. */
export function describe({ keys, does, when = () => true }) {
  described.push({ keys, does, when });
}

/** Start listening. */
export function start() {
  document.addEventListener("keydown", onKey);
  for (const button of document.querySelectorAll("[data-keys-button]")) {
    button.hidden = false;
    button.addEventListener("click", showList);
  }
}

function onKey(event) {
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

/** Leave a field, so that the keys work again; stay inside an open dialog. */
function leave(field) {
  if (!field.closest("dialog")) field.blur();
}

// --- navigation: g and a letter ----------------------------------------------------------

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

/** Move to the next or previous row; from elsewhere to the first row. */
function move(step) {
  const all = rows();
  const here = all.indexOf(rowHere());
  const next = here < 0 ? all[0] : all[Math.min(all.length - 1, Math.max(0, here + step))];
  const target = next && opener(next);
  target?.focus({ preventScroll: true });
  target?.scrollIntoView({ block: "nearest" });
}

/** Arrows move between rows while the focus is in one; elsewhere they scroll. */
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

bind({ key: "?", does: "show this list", when: () => document.getElementById("keys") !== null, act: showList });
bind({
  key: "f",
  does: "filter this page",
  when: () => searchField() !== null,
  act: () => {
    searchField().focus();
    searchField().select();
  },
});
bind({ key: "j", does: "next row", when: hasRows, act: () => move(1) });
bind({ key: "k", does: "previous row", when: hasRows, act: () => move(-1) });
describe({ keys: ["Enter"], does: "open the row", when: hasRows });
bind({ key: "x", does: "select the row", when: hasBoxes, act: () => boxHere()?.click() });
bind({ key: "g", when: () => places().length > 0, act: () => (goingSince = Date.now()) });
describe({ keys: ["Esc"], does: "leave a field; close this list" });
