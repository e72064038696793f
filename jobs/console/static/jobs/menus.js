/** Menus (`<details data-menu>`): Escape and a click elsewhere close them, and one is open at a time. */

const open = () => document.querySelectorAll("details[data-menu][open]");

/** Start listening. */
export function startMenus() {
  document.addEventListener("click", (event) => {
    for (const menu of open()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of open()) {
      const hadFocus = menu.contains(document.activeElement);
      menu.open = false;
      if (hadFocus) menu.querySelector("summary").focus();
    }
  });
}
