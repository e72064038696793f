/** Buttons that copy the text of another element: `<button data-copy="id" hidden>`. They are shown where copying works. */

const SHOWN_MS = 1500;

/** Show the buttons below `root`. */
export function showCopyButtons(root = document) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("[data-copy][hidden]")) button.hidden = false;
}

async function copy(button) {
  const { textContent } = button;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = textContent), SHOWN_MS);
}

/** Listen for clicks, also on sections that are replaced later. */
export function startCopying() {
  showCopyButtons();
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (button) copy(button);
  });
}
