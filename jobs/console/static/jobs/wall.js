/**
 * Keeps the wall current: loads the page again every few seconds and replaces its sections. A page that is no longer
 * there (the link was revoked) is shown as the server answers; a lost connection is marked until it is back.
 */

import { Sections } from "./sections.js";

const EVERY_MS = 5000;
const lost = document.querySelector("[data-lost]");
const sections = new Sections({ onHeld: () => {}, onShown: () => {}, onLost: () => {} });

async function load() {
  try {
    const response = await fetch(location.href, { cache: "no-store", credentials: "same-origin" });
    if ([403, 404].includes(response.status) || response.redirected) return void location.reload();
    lost.hidden = response.ok;
    if (response.ok) sections.receive(await response.text());
  } catch {
    lost.hidden = false;
  }
  setTimeout(load, EVERY_MS);
}

setTimeout(load, EVERY_MS);
