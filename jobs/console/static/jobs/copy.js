/**
 * Buttons that copy the text of another element, `<button data-copy="id" hidden>`, or their own, `data-copy-text="…"`.
 * They are shown where copying works.
 */

const SHOWN_MS = 1500;
const BUTTON = "[data-copy], [data-copy-text]";

/** Show the buttons below `root`. */
export function showCopyButtons(root = document) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll(BUTTON)) button.hidden = false;
}

async function copy(button) {
  const { textContent } = button;
  const { copy: id, copyText: own } = button.dataset;
  await navigator.clipboard.writeText(own ?? document.getElementById(id).textContent);
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = textContent), SHOWN_MS);
}

/** Listen for clicks, also on sections that are replaced later. */
export function startCopying() {
  showCopyButtons();
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(BUTTON);
    if (button) copy(button);
  });
}
