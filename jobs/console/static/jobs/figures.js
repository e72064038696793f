/**
 * Updates the figures of a job in the rendered page. It changes texts and bar widths only. `data-job` and
 * `data-phase` mark the place, `data-field` names the figure.
 */

const DASH = "\u2013";
const STYLE_CODES = { processing: "running" };

export const number = (value) => (value === null || value === undefined ? DASH : value.toLocaleString("en-US"));

/** Format a duration in at most two units, like `format_duration` on the server. */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return "unknown";
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 120) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  return whole < 86400 ? twoUnits(whole, [3600, "h"], [60, "min"]) : twoUnits(whole, [86400, "d"], [3600, "h"]);
}

function twoUnits(whole, [unit, name], [part, partName]) {
  const rest = Math.floor((whole % unit) / part);
  return `${Math.floor(whole / unit)} ${name}` + (rest ? ` ${rest} ${partName}` : "");
}

/** Return whether a percent can be shown: a total is announced for the phase, or for any phase of the job. */
function isKnown(body) {
  return body.percent !== null && (!body.phases?.length || body.phases.some((phase) => phase.expected !== null));
}

/** Return the style code of a job or phase; mirrors `status_styles.style`. */
export function styleOf(body) {
  if (body.stuck) return "stuck";
  if (body.reworking && body.status === "completed") return "reworking";
  if (body.partial && body.status === "completed") return "partial";
  return STYLE_CODES[body.status] ?? body.status;
}

/** Update a job everywhere on the page. */
export function showJob(job, root = document) {
  for (const place of root.querySelectorAll(`[data-job="${job.id}"]`)) {
    showFields(place, { ...job, ...totals(job.phases) });
    for (const phase of job.phases) {
      const rows = place.querySelectorAll(`[data-phase="${CSS.escape(phase.code)}"]`);
      for (const row of rows) showFields(row, phaseFields(phase));
    }
  }
}

function totals(phases) {
  const sum = (name) => phases.reduce((total, phase) => total + (phase[name] ?? 0), 0);
  const known = phases.length > 0 && phases.every((phase) => phase.expected !== null);
  const [done, skipped, failed] = [sum("done"), sum("skipped"), sum("failed")];
  const expected = known ? sum("expected") : null;
  const open = known ? Math.max(0, expected - done - skipped - failed) : null;
  return { done, skipped, failed, expected, open, ...shares(phases) };
}

/**
 * Return what is reached, and what is settled, in percent; mirrors `progress.job_share`. The job's own percent counts
 * a completed phase as 100, whatever it has reached.
 */
function shares(phases) {
  const weights = phases.some((phase) => phase.weight) ? phases.map((phase) => phase.weight) : phases.map(() => 1);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const reached = (part) => {
    const sum = phases.reduce((upTo, phase, place) => upTo + weights[place] * share(phase, part(phase)), 0);
    return total ? Math.floor((sum * 100) / total + 1e-9) : 0;
  };
  const processed = (phase) => phase.done + phase.skipped;
  return { percent: reached(processed), settled_percent: reached((phase) => processed(phase) + phase.failed) };
}

function share(phase, part) {
  if (!phase.expected) return phase.status === "completed" ? 1 : 0;
  return Math.min(1, part / phase.expected);
}

function phaseFields(phase) {
  const current = phase.current && (phase.current.label || phase.current.key);
  const settled = phase.done + phase.skipped + phase.failed;
  const open = phase.expected === null ? null : Math.max(0, phase.expected - settled);
  return { ...phase, open, current };
}

const FORMATS = {
  percent: (body) => (isKnown(body) ? String(body.percent) : "?"),
  rate: (body) => number(body.rate_per_minute),
  eta: (body) => span(body.eta_seconds),
  stage: (body) => body.stage,
  current: (body) => body.current,
  revision: (body) => String(body.revision),
};

function showFields(place, body) {
  for (const element of own(place, "[data-field]")) {
    const name = element.dataset.field;
    if (name === "pill") showPill(element, body);
    else setText(element, FORMATS[name] ? FORMATS[name](body) : number(body[name]));
  }
  for (const bar of own(place, "[data-bar]")) showBar(bar, body);
}

/** Return the elements of this job or phase, without those of a phase inside it. */
function own(place, selector) {
  const nearest = place.dataset.phase === undefined ? "[data-phase], [data-job]" : "[data-phase]";
  return [...place.querySelectorAll(selector)].filter((element) => element.parentElement.closest(nearest) === place);
}

function setText(element, text) {
  if (text === null || text === undefined || element.textContent === text || isSelected(element)) return;
  element.textContent = text;
}

/** Return whether the operator has selected text in an element; it must not change under a copy. */
export function isSelected(element) {
  const selection = getSelection();
  return selection !== null && !selection.isCollapsed && selection.containsNode(element, true);
}

function showPill(element, body) {
  const style = styleOf(body);
  const template = document.querySelector(`template[data-pill="${style}"]`);
  if (template && !element.querySelector(`[data-style="${style}"]`)) {
    element.replaceChildren(template.content.cloneNode(true));
  }
  const count = element.querySelector("[data-count]");
  if (count) setText(count, number(body.reworking));
}

function showBar(bar, body) {
  bar.setAttribute("class", `bar ${styleOf(body)}${isKnown(body) || body.status !== "processing" ? "" : " indeterminate"}`);
  if (!isKnown(body)) return;
  const lost = Math.max(0, body.settled_percent - body.percent);
  bar.setAttribute("aria-valuenow", body.percent);
  bar.setAttribute("aria-valuetext", barText(bar, body, lost));
  bar.querySelector(".moving")?.remove();
  bar.querySelector(".done").setAttribute("width", `${body.percent}%`);
  bar.querySelector(".lost").setAttribute("x", `${body.percent}%`);
  bar.querySelector(".lost").setAttribute("width", `${lost}%`);
}

function barText(bar, body, lost) {
  const failed = lost ? `, ${lost} % failed` : "";
  const mark = bar.dataset.mark ? `, completes at ${bar.dataset.mark} %` : "";
  return `${body.percent} % done${failed}${mark}`;
}

/** Update `46 min ago`, `in 5 min` and lengths such as `46 min`; `now` is the server's time in milliseconds. */
export function showAges(now, root = document) {
  for (const element of root.querySelectorAll("time[data-ago]")) {
    const seconds = (now - Date.parse(element.dateTime)) / 1000;
    setText(element, seconds > -1 ? `${span(seconds)} ago` : `in ${span(-seconds)}`);
  }
  for (const element of root.querySelectorAll("time[data-since]")) {
    setText(element, span((now - Date.parse(element.dateTime)) / 1000));
  }
}
