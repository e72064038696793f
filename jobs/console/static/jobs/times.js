/**
 * Shows the moments of a page in the zone of whoever reads it. The server writes them in UTC, and says so:
 * `<time datetime title data-clock>` is a clock time (`data-clock="minutes"`: without seconds), `data-ago` an age.
 * The title gives both, UTC first. What is shown depends on the moment and on today's date only, so that the same
 * moment of a newer copy of the page is the same text.
 */

const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const FORMAT = new Intl.DateTimeFormat("en-US", {
  year: "numeric",
  month: "2-digit",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
  timeZoneName: "short",
});
const said = document.querySelector("meta[name=server-time]")?.content;
const skew = said ? Date.parse(said) - Date.now() : 0;
const UNREADABLE = { year: "" };

/** The server's time, in milliseconds, whatever the clock of this machine says. */
export const serverNow = () => Date.now() + skew;

/** Year, month, day, hour, minute, second and zone of a moment, as texts. */
function parts(moment) {
  if (Number.isNaN(moment.getTime())) return UNREADABLE;
  return Object.fromEntries(FORMAT.formatToParts(moment).map(({ type, value }) => [type, value]));
}

const dayOf = ({ year, month, day }) => `${year}-${month}-${day}`;
const utc = (moment) => `${moment.toISOString().slice(0, 10)} ${moment.toISOString().slice(11, 19)} UTC`;

/** `13:34:51`; with its date when that is not today's, with its year when that is not this one. */
function shown(at, today, withSeconds) {
  const time = `${at.hour}:${at.minute}`;
  if (dayOf(at) === dayOf(today)) return withSeconds ? `${time}:${at.second}` : time;
  const date = `${at.day} ${MONTHS[Number(at.month) - 1]}`;
  return at.year === today.year ? `${date} ${time}` : `${date} ${at.year} ${time}`;
}

/** The exact moment, in UTC and in this zone: `2026-11-21 13:34:51 UTC`, and below it the same here. */
export function exact(moment) {
  const at = parts(moment);
  const here = `${dayOf(at)} ${at.hour}:${at.minute}:${at.second} ${at.timeZoneName}`;
  return here === utc(moment) ? here : `${utc(moment)}\n${here}`;
}

/** Say every moment below `root` in the zone of the browser. */
export function localise(root = document, now = new Date()) {
  const today = parts(now);
  for (const element of root.querySelectorAll("time[data-clock], time[data-ago]")) show(element, today);
  for (const element of root.querySelectorAll("[data-zone]")) {
    set(element, "textContent", today.timeZoneName);
    set(element, "title", ZONE);
  }
}

function show(element, today) {
  const moment = new Date(element.dateTime);
  const at = parts(moment);
  if (at === UNREADABLE) return;
  set(element, "title", exact(moment));
  if (element.dataset.clock === undefined) return;
  set(element, "textContent", shown(at, today, element.dataset.clock !== "minutes"));
}

/** The clock of the data: this moment. */
export function showMoment(element, moment) {
  element.dateTime = moment.toISOString();
  show(element, parts(moment));
}

function set(element, name, text) {
  if (element[name] !== text) element[name] = text;
}

let day = new Date().getDate();

/** Yesterday's times get their date at midnight. */
export function turnTheDay() {
  if (new Date().getDate() === day) return;
  day = new Date().getDate();
  localise();
}
