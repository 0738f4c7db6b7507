/**
 * A member's picture: initials on a colour that belongs to the id, or the spark for the bot.
 */

import { h } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { displayName } from "../markdown/render.js";

const HUES = [12, 38, 152, 186, 214, 262, 318, 344];

/** @param {any} user @param {string} [size] `small`, `large` or nothing */
export function avatar(user, size = "") {
  const isBot = Boolean(user?.bot);
  const hue = HUES[Number(BigInt(user?.id ?? 0) % 9973n) % HUES.length];
  return h("span", {
    class: `avatar ${size ? `avatar-${size}` : ""} ${isBot ? "avatar-bot" : ""}`, aria: { hidden: "true" }, style: { "--hue": String(hue) },
  }, isBot ? icon("spark") : initials(user ? displayName(user) : "?"));
}

/** @param {string} name */
function initials(name) {
  const words = name.trim().split(/\s+/).filter((word) => /^[\p{L}\p{N}]/u.test(word));
  const isLatin = /^\p{Script=Latin}/u.test(words[0] ?? "");
  const letters = words.length > 1 && isLatin ? [words[0], words[words.length - 1]] : [words[0] ?? (name.trim() || "?")];
  return letters.map((word) => [...word][0]).join("").toUpperCase();
}

/** The colour of the first role that has one. @param {any} user @param {any} store */
export function nameColour(user, store) {
  for (const id of store.user(user.id)?.roles ?? []) {
    const colour = store.role(id)?.color;
    if (colour) return `#${colour.toString(16).padStart(6, "0")}`;
  }
  return null;
}
