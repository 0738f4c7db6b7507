/**
 * A menu of actions beside what it belongs to; on a phone it rises from the bottom edge.
 */

import { h } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { openPopover } from "./popover.js";

/** @typedef {{label: string, icon?: string, detail?: string, danger?: boolean, testid?: string, run: () => void} | {heading: string}} Entry */

/**
 * @param {HTMLElement} anchor
 * @param {string} label
 * @param {Entry[]} entries
 */
export function openMenu(anchor, label, entries) {
  const menu = h("div", { class: "menu", role: "menu", aria: { label }, data: { testid: "menu" } });
  const scrim = h("div", { class: "menu-scrim" });
  let close = () => {};
  const choose = (entry) => {
    close();
    entry.run();
  };
  menu.append(...entries.map((entry) => renderEntry(entry, choose)));
  menu.addEventListener("keydown", (event) => moveFocus(menu, event, () => close()));
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) close();
  });
  anchor.setAttribute("aria-expanded", "true");
  document.body.append(scrim);
  close = openPopover(anchor, menu, {
    align: "end",
    onClose: () => {
      scrim.remove();
      anchor.setAttribute("aria-expanded", "false");
      if (document.activeElement === document.body || menu.contains(document.activeElement)) anchor.focus();
    },
  });
  menu.querySelector("[role=menuitem]")?.focus();
  return close;
}

function renderEntry(entry, choose) {
  if (entry.heading) return h("div", { class: "menu-heading", role: "presentation", text: entry.heading });
  return h("button", {
    class: `menu-item${entry.danger ? " danger" : ""}`, type: "button", role: "menuitem", tabindex: -1,
    data: { testid: entry.testid ?? null }, on: { click: () => choose(entry) },
  }, entry.icon && icon(entry.icon), h("span", { class: "menu-label", text: entry.label }),
  entry.detail && h("span", { class: "menu-detail", text: entry.detail }));
}

/** @param {HTMLElement} menu @param {KeyboardEvent} event @param {() => void} close */
function moveFocus(menu, event, close) {
  const items = [...menu.querySelectorAll("[role=menuitem]")];
  const index = items.indexOf(document.activeElement);
  const targets = { ArrowDown: (index + 1) % items.length, ArrowUp: (index - 1 + items.length) % items.length, Home: 0, End: items.length - 1 };
  if (event.key in targets) {
    event.preventDefault();
    items[targets[event.key]].focus();
  } else if (event.key === "Escape") {
    event.preventDefault();
    event.stopPropagation();
    close();
  } else if (event.key === "Tab") {
    event.preventDefault();
    close();
  }
}
