/**
 * Short notices at the edge of the screen, read out by assistive technology.
 */

import { h } from "../core/dom.js";
import { icon } from "../core/icons.js";

const SHOWN_MS = 6000;
const TOASTS_MAX = 3;

/** @returns {{element: HTMLElement, show: (text: string, kind?: "info" | "error") => void}} */
export function createToasts() {
  const element = h("div", { class: "toasts", role: "status", aria: { live: "polite" } });
  const show = (text, kind = "info") => {
    const toast = h("div", { class: `toast toast-${kind}`, data: { testid: "toast" } }, icon(kind === "error" ? "warn" : "check"), h("span", { text }));
    element.append(toast);
    while (element.children.length > TOASTS_MAX) element.firstChild.remove();
    setTimeout(() => toast.remove(), SHOWN_MS);
  };
  return { element, show };
}
