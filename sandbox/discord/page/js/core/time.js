/**
 * Clock and timestamps: owns what "now" is (the server's clock can be moved) and how instants read.
 * Knows nothing of messages; relative times refresh themselves while they are in the document.
 */

import { h } from "./dom.js";

const LOCALE = "en-GB";
const DISCORD_EPOCH_MS = 1420070400000n;
const RELATIVE_UNITS = [["year", 31557600], ["month", 2629800], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const STYLES = {
  t: { hour: "2-digit", minute: "2-digit" },
  T: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  d: { day: "2-digit", month: "2-digit", year: "numeric" },
  D: { day: "numeric", month: "long", year: "numeric" },
  f: { day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit" },
  F: { weekday: "long", day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit" },
  s: { day: "2-digit", month: "2-digit", year: "numeric", hour: "2-digit", minute: "2-digit" },
  S: { day: "2-digit", month: "2-digit", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" },
};
const relativeFormat = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** The server's clock as the page knows it. */
export class Clock {
  offsetS = 0;

  /** @returns {number} seconds since 1970 */
  nowS() {
    return Date.now() / 1000 + this.offsetS;
  }

  /** Refresh all relative times once a second. */
  start() {
    return setInterval(() => {
      for (const node of document.querySelectorAll("time[data-relative]")) {
        const text = formatRelative(Number(node.getAttribute("data-relative")) - this.nowS());
        if (node.textContent !== text) node.textContent = text;
      }
    }, 1000);
  }
}

/** @param {number} deltaS */
export function formatRelative(deltaS) {
  const size = Math.abs(deltaS);
  const [unit, seconds] = RELATIVE_UNITS.find(([, length]) => size >= length) ?? ["second", 1];
  return relativeFormat.format(Math.trunc(deltaS / seconds), unit);
}

/**
 * A timestamp tag `<t:...>` as a time element.
 * @param {number} epochS @param {string} style @param {Clock} clock
 */
export function timeElement(epochS, style, clock) {
  const date = new Date(epochS * 1000);
  if (Number.isNaN(date.getTime())) return document.createTextNode("Invalid date");
  const full = formatDate(date, "F");
  const props = { class: "md-time", datetime: date.toISOString(), title: full };
  if (style === "R") {
    return h("time", { ...props, data: { relative: epochS }, text: formatRelative(epochS - clock.nowS()) });
  }
  return h("time", { ...props, text: formatDate(date, style) });
}

/** @param {Date} date @param {string} style */
export function formatDate(date, style) {
  return new Intl.DateTimeFormat(LOCALE, STYLES[style] ?? STYLES.f).format(date);
}

/** @param {string} iso @param {Clock} clock */
export function messageTime(iso, clock) {
  const date = new Date(iso);
  const today = new Date(clock.nowS() * 1000);
  const time = formatDate(date, "t");
  if (sameDay(date, today)) return time;
  if (sameDay(date, new Date(today.getTime() - 86400000))) return `Yesterday, ${time}`;
  return `${formatDate(date, "d")}, ${time}`;
}

/** @param {Date} left @param {Date} right */
export function sameDay(left, right) {
  return left.toDateString() === right.toDateString();
}

/** Order of two snowflakes. @param {string} left @param {string} right */
export function compareIds(left, right) {
  const difference = BigInt(left) - BigInt(right);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** @param {string} id */
export function snowflakeDate(id) {
  return new Date(Number((BigInt(id) >> 22n) + DISCORD_EPOCH_MS));
}
