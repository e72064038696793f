/** The API documentation page: the theme of the console, and names and levels that Swagger UI leaves out. */

const dark = matchMedia("(prefers-color-scheme: dark)");

function setTheme() {
  const chosen = localStorage.getItem("theme");
  const isDark = chosen === "dark" || (chosen !== "light" && dark.matches);
  document.documentElement.classList.toggle("dark-mode", isDark);
}

const NAMES = {
  ".information-container > section": "About this API",
  ".scheme-container > section": "Servers and authorization",
  "#servers": "Server",
  ".examples-select-element": "Example",
};

/** Add what assistive software needs; React keeps attributes that it has not set itself. */
function addNames(page) {
  for (const [which, name] of Object.entries(NAMES)) {
    for (const part of page.querySelectorAll(which)) {
      part.setAttribute("aria-label", name);
    }
  }
  for (const table of page.querySelectorAll("table[role=region]")) {
    table.setAttribute("aria-label", table.id.replaceAll("_", " "));
  }
  for (const example of page.querySelectorAll("pre.example")) {
    example.tabIndex = 0; // it scrolls
  }
  for (const heading of page.querySelectorAll("h3, h4, h5")) {
    heading.setAttribute("aria-level", heading.tagName[1] - 1); // the title is an h1, and no h2 follows
  }
  for (const link of page.querySelectorAll("button a[href]")) {
    link.removeAttribute("href"); // the button around it opens the same operation and sets the address
  }
}

setTheme();
dark.addEventListener("change", setTheme);
addEventListener("storage", setTheme);
addEventListener("DOMContentLoaded", () => {
  const page = document.getElementById("swagger-ui");
  let isDue = false;
  const observer = new MutationObserver(() => {
    if (!isDue) {
      isDue = true;
      requestAnimationFrame(() => {
        isDue = false;
        addNames(page);
      });
    }
  });
  observer.observe(page, { childList: true, subtree: true });
});
