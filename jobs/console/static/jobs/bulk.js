/** Follows a bulk act: reloads its sections until it has ended. */

import { showAges } from "./figures.js";
import { Sections } from "./sections.js";
import { serverNow } from "./times.js";

const EVERY_MS = 2000;

const sections = new Sections({
  onHeld: () => {},
  onShown: () => {
    showAges(serverNow());
    if (!isRunning()) end();
  },
  onLost: () => end(),
});
const timer = setInterval(() => document.hidden || sections.now(), EVERY_MS);

const isRunning = () => document.querySelector("[data-running]") !== null;

function end() {
  clearInterval(timer);
  document.querySelector("[data-stop]")?.remove();
  sections.apply();
}
