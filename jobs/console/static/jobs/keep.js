/**
 * Keeps what an operator would otherwise do twice when the session ends: a typed reason comes back after the sign-in,
 * and a link with `#items` leads to the items. A page of another address forgets the reason.
 */

const PREFIX = "reason:";
const here = `${PREFIX}${location.pathname}${location.search}`;
const isSignIn = document.querySelector("#login-form, .sign-in-page, .company") !== null;

/** Keep the reason of a form while it is typed, and fill an empty one. */
function keepReason() {
  const drafts = Object.keys(sessionStorage).filter((key) => key.startsWith(PREFIX) && key !== here);
  for (const key of drafts) sessionStorage.removeItem(key);
  const field = document.querySelector("form[method=post] [name=reason]");
  if (!field) return;
  field.value ||= sessionStorage.getItem(here) ?? "";
  field.addEventListener("input", () => sessionStorage.setItem(here, field.value));
}

/** Add the fragment of this address, which the server never sees, to the page that follows the sign-in. */
function keepFragment() {
  if (!location.hash) return;
  for (const field of document.querySelectorAll("input[name=next]")) field.value += location.hash;
  for (const link of document.querySelectorAll("a[href*='next=']")) {
    const url = new URL(link.href);
    url.searchParams.set("next", url.searchParams.get("next") + location.hash);
    link.href = url.href;
  }
}

export const startKeeping = () => (isSignIn ? keepFragment() : keepReason());
