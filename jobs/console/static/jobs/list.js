/**
 * Ticks of a list: the first box ticks the page, Shift ticks a range, and the bar says how many rows are selected. A
 * second button selects every row that matches. The bar is a part of the form, so it works without this script too.
 */

const form = document.getElementById("changelist-form");
const bar = form?.querySelector("[data-actions]");
const toggle = document.getElementById("action-toggle");
const boxes = [...(form?.querySelectorAll("tbody input.action-select") ?? [])];
let last = null;

function show() {
  const ticked = boxes.filter((box) => box.checked);
  const isAll = ticked.length === boxes.length;
  toggle.checked = isAll;
  toggle.indeterminate = ticked.length > 0 && !isAll;
  for (const box of boxes) box.closest("tr").classList.toggle("selected", box.checked);
  if (!isAll) across().value = "0";
  const isAcross = across().value === "1";
  bar.classList.toggle("ticked", ticked.length > 0);
  counter().textContent = isAcross ? `All ${number(selectAll())} selected` : `${ticked.length} of ${boxes.length} selected`;
  if (selectAll()) selectAll().hidden = !isAll || isAcross;
  if (clearAll()) clearAll().hidden = !isAcross;
}

const across = () => bar.querySelector("input.select-across");
const counter = () => bar.querySelector("[data-counter]");
const selectAll = () => bar.querySelector("[data-select-all]");
const clearAll = () => bar.querySelector("[data-clear-all]");
const number = (button) => button.textContent.trim().replace(/^Select all /, "");

function tick(event) {
  const here = boxes.indexOf(event.target);
  if (event.shiftKey && last !== null) {
    const [from, to] = [Math.min(here, last), Math.max(here, last)];
    for (const box of boxes.slice(from, to + 1)) box.checked = event.target.checked;
  }
  last = here;
  show();
}

function tickAll(checked) {
  for (const box of boxes) box.checked = checked;
  show();
}

if (bar && toggle && boxes.length) {
  for (const box of boxes) box.addEventListener("click", tick);
  toggle.addEventListener("click", () => tickAll(toggle.checked));
  selectAll()?.addEventListener("click", () => {
    across().value = "1";
    show();
  });
  clearAll()?.addEventListener("click", () => tickAll(false));
  // After Back a browser may have restored ticks, although other rows may be there now.
  window.addEventListener("pageshow", show);
  show();
}
