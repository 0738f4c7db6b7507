/**
 * A select menu of messages and modals: a button that opens a list, for one value or several.
 */

import { h } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { Listbox } from "./listbox.js";
import { openPopover } from "./popover.js";

const KEY_MOVES = { ArrowDown: 1, ArrowUp: -1 };

export class Select {
  #close = null;
  #before = "";

  /**
   * @param {object} options
   * @param {Array<import("./listbox.js").Item & {isDefault?: boolean}>} options.items
   * @param {string} [options.placeholder]
   * @param {number} [options.min]
   * @param {number} [options.max]
   * @param {boolean} [options.disabled]
   * @param {string} [options.label] accessible name; else `labelledby`
   * @param {string} [options.labelledby]
   * @param {(values: string[]) => void} [options.onCommit] after the list closes with another choice
   */
  constructor({ items, placeholder = "Make a selection", min = 1, max = 1, disabled = false, label, labelledby, onCommit }) {
    Object.assign(this, { items, placeholder, min, max, onCommit });
    this.values = new Set(items.filter((item) => item.isDefault).map((item) => item.value));
    this.list = new Listbox({ label: label ?? placeholder, multiple: max > 1, onPick: (item) => this.#toggle(item), empty: "Nothing to choose" });
    this.text = h("span", { class: "select-text" });
    this.element = h("button", {
      class: "select", type: "button", role: "combobox", disabled,
      aria: { haspopup: "listbox", expanded: "false", controls: this.list.id, label: labelledby ? null : label ?? placeholder, labelledby },
      on: { click: () => (this.#close ? this.close() : this.open()), keydown: (event) => this.#key(event), blur: () => this.close() },
    }, this.text, icon("chevron", "select-arrow"));
    this.#paint();
  }

  open() {
    if (this.#close) return;
    this.#before = [...this.values].join("\n");
    this.#close = openPopover(this.element, this.list.element, { matchWidth: true, onClose: () => this.#closed() });
    this.element.setAttribute("aria-expanded", "true");
    this.#fill(Math.max(0, this.items.findIndex((item) => this.values.has(item.value))));
  }

  close() {
    this.#close?.();
  }

  #closed() {
    this.#close = null;
    this.element.setAttribute("aria-expanded", "false");
    this.element.removeAttribute("aria-activedescendant");
    if ([...this.values].join("\n") === this.#before) return;
    if (this.onCommit && this.values.size < this.min) {
      // Too few to be sent: the choice stays as it was.
      this.values = new Set(this.#before.split("\n").filter(Boolean));
      this.#paint();
      return;
    }
    this.element.dispatchEvent(new Event("change", { bubbles: true }));
    this.onCommit?.([...this.values]);
  }

  #fill(active) {
    const full = this.max > 1 && this.values.size >= this.max;
    this.list.setItems(this.items.map((item) => {
      const selected = this.values.has(item.value);
      return { ...item, selected, disabled: full && !selected };
    }), { active });
    this.#announce();
  }

  #announce() {
    const id = this.list.activeId;
    if (id) this.element.setAttribute("aria-activedescendant", id);
  }

  /** @param {import("./listbox.js").Item} item */
  #toggle(item) {
    const index = this.list.items.findIndex((known) => known.value === item.value);
    if (this.max === 1) {
      const deselect = this.min === 0 && this.values.has(item.value);
      this.values = new Set(deselect ? [] : [item.value]);
      this.#paint();
      this.close();
      return;
    }
    if (!this.values.delete(item.value) && this.values.size < this.max) this.values.add(item.value);
    this.#paint();
    this.#fill(index);
  }

  #paint() {
    const chosen = this.items.filter((item) => this.values.has(item.value));
    this.text.textContent = chosen.length ? chosen.map((item) => item.label).join(", ") : this.placeholder;
    this.text.classList.toggle("is-placeholder", chosen.length === 0);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const isOpen = this.#close !== null;
    if (KEY_MOVES[event.key]) {
      event.preventDefault();
      if (isOpen) this.list.move(KEY_MOVES[event.key]);
      else this.open();
      this.#announce();
    } else if (isOpen && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      this.list.pickActive();
    } else if (isOpen && event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      this.close();
    }
  }
}
