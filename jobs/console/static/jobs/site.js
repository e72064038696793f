/** Features of every page: local times, current ages, and keys. */

import { startCopying } from "./copy.js";
import { showAges } from "./figures.js";
import { startKeeping } from "./keep.js";
import { start } from "./keys.js";
import { startMenus } from "./menus.js";
import { startSearch } from "./search.js";
import { localise, serverNow, turnTheDay } from "./times.js";

const AGES_MS = 1000;
const DAY_MS = 60_000;

localise();
start();
startMenus();
startSearch();
startCopying();
startKeeping();
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
setInterval(() => document.hidden || showAges(serverNow()), AGES_MS);
setInterval(turnTheDay, DAY_MS);
