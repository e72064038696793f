/**
 * Shows times in the browser's time zone. The server renders them in UTC: `<time datetime title data-clock>` is a
 * clock time (`data-clock="minutes"`: without seconds), `data-ago` an age. The title gives both zones, UTC first.
 * The text depends only on the moment and on today's date, so that a newer copy of the page has the same text.
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
const serverTime = document.querySelector("meta[name=server-time]")?.content;
const skew = serverTime ? Date.parse(serverTime) - Date.now() : 0;
const UNREADABLE = { year: "" };

/** Return the server's time in milliseconds; independent of the clock of this machine. */
export const serverNow = () => Date.now() + skew;

/** Return year, month, day, hour, minute, second and zone of a moment as texts. */
function parts(moment) {
  if (Number.isNaN(moment.getTime())) return UNREADABLE;
  return Object.fromEntries(FORMAT.formatToParts(moment).map(({ type, value }) => [type, value]));
}

const dayOf = ({ year, month, day }) => `${year}-${month}-${day}`;
const utc = (moment) => `${moment.toISOString().slice(0, 10)} ${moment.toISOString().slice(11, 19)} UTC`;

/** Format `13:34:51`, with the date unless it is today, with the year unless it is this year. */
function shown(at, today, withSeconds) {
  const time = `${at.hour}:${at.minute}`;
  if (dayOf(at) === dayOf(today)) return withSeconds ? `${time}:${at.second}` : time;
  const date = `${at.day} ${MONTHS[Number(at.month) - 1]}`;
  return at.year === today.year ? `${date} ${time}` : `${date} ${at.year} ${time}`;
}

/** Format the exact moment in UTC, and on a second line in the local zone. */
export function exact(moment) {
  const at = parts(moment);
  const here = `${dayOf(at)} ${at.hour}:${at.minute}:${at.second} ${at.timeZoneName}`;
  return here === utc(moment) ? here : `${utc(moment)}\n${here}`;
}

/** Show every time below `root` in the browser's zone; a page without clock times does not name the zone. */
export function localise(root = document, now = new Date()) {
  const today = parts(now);
  for (const element of root.querySelectorAll("time[data-clock], time[data-ago]")) show(element, today);
  for (const element of root.querySelectorAll("[data-zone]")) {
    set(element, "textContent", today.timeZoneName);
    set(element, "title", ZONE);
  }
  const line = document.querySelector("[data-zone-line]");
  if (line) line.hidden = !document.querySelector("time[data-clock]");
}

function show(element, today) {
  const moment = new Date(element.dateTime);
  const at = parts(moment);
  if (at === UNREADABLE) return;
  set(element, "title", exact(moment));
  if (element.dataset.clock === undefined) return;
  set(element, "textContent", shown(at, today, element.dataset.clock !== "minutes"));
}

/** Set the data clock to this moment. */
export function showMoment(element, moment) {
  element.dateTime = moment.toISOString();
  show(element, parts(moment));
}

function set(element, name, text) {
  if (element[name] !== text) element[name] = text;
}

let day = new Date().getDate();

/** Add dates to yesterday's times after midnight. */
export function turnTheDay() {
  if (new Date().getDate() === day) return;
  day = new Date().getDate();
  localise();
}
