/**
 * A list of options with an active one: owns its rows and keyboard movement; the focus stays with its owner.
 */

import { h, uniqueId } from "../core/dom.js";
import { icon } from "../core/icons.js";

/**
 * @typedef {object} Item
 * @property {string} value
 * @property {string} label
 * @property {string} [detail]
 * @property {Node} [lead]
 * @property {boolean} [selected]
 * @property {boolean} [disabled]
 * @property {Record<string, string>} [data]
 */

export class Listbox {
  /** @type {Item[]} */
  #items = [];
  #active = -1;

  /** @param {{label: string, multiple?: boolean, onPick: (item: Item) => void, empty?: string}} options */
  constructor({ label, multiple = false, onPick, empty = "Nothing found" }) {
    this.id = uniqueId("listbox");
    this.multiple = multiple;
    this.onPick = onPick;
    this.empty = empty;
    this.element = h("div", {
      class: "listbox", id: this.id, role: "listbox",
      aria: { label, multiselectable: multiple ? "true" : null },
      // The owner keeps the focus while a row is pressed.
      on: { mousedown: (event) => event.preventDefault() },
    });
  }

  get items() {
    return this.#items;
  }

  get activeItem() {
    return this.#items[this.#active] ?? null;
  }

  get activeId() {
    return this.#active >= 0 ? this.#rowId(this.#active) : null;
  }

  /** @param {Item[]} items @param {{active?: number}} [options] */
  setItems(items, { active = 0 } = {}) {
    this.#items = items;
    this.#active = -1;
    const rows = items.map((item, index) => this.#row(item, index));
    this.element.replaceChildren(...rows);
    if (items.length === 0) this.element.append(h("p", { class: "listbox-empty", text: this.empty }));
    this.setActive(Math.min(active, items.length - 1));
  }

  /** @param {string} text shown instead of rows */
  setMessage(text) {
    this.#items = [];
    this.#active = -1;
    this.element.replaceChildren(h("p", { class: "listbox-empty", role: "status", text }));
  }

  /** @param {number} delta */
  move(delta) {
    const count = this.#items.length;
    if (count) this.setActive((this.#active + delta + count) % count);
  }

  /** @param {number} index */
  setActive(index) {
    this.element.children[this.#active]?.classList.remove("active");
    this.#active = index;
    const row = this.element.children[index];
    if (index < 0 || !row) return;
    row.classList.add("active");
    row.scrollIntoView({ block: "nearest" });
  }

  /** Pick the active row. @returns {boolean} whether there was one */
  pickActive() {
    const item = this.activeItem;
    if (!item || item.disabled) return false;
    this.onPick(item);
    return true;
  }

  /** @param {number} index */
  #rowId(index) {
    return `${this.id}-${index}`;
  }

  /** @param {Item} item @param {number} index */
  #row(item, index) {
    return h("div", {
      class: "listbox-row", id: this.#rowId(index), role: "option",
      aria: { selected: item.selected ? "true" : "false", disabled: item.disabled ? "true" : null },
      data: item.data ?? {},
      on: {
        click: () => !item.disabled && this.onPick(item),
        pointermove: () => this.#active !== index && this.setActive(index),
      },
    },
    item.lead,
    h("span", { class: "listbox-text" }, h("span", { class: "listbox-label", text: item.label }),
      item.detail && h("span", { class: "listbox-detail", text: item.detail })),
    h("span", { class: "listbox-check" }, icon("check")));
  }
}
