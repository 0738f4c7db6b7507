/**
 * A text field that offers a list: choices, members, channels, or the server's autocompletion.
 * Strict ones hold a value of the list only; loose ones also take what was typed.
 */

import { h } from "../core/dom.js";
import { Listbox } from "./listbox.js";
import { openPopover } from "./popover.js";

const DEBOUNCE_MS = 250;

export class Combobox {
  #close = null;
  #picked = null;
  #timer = 0;
  #query = 0;

  /**
   * @param {object} options
   * @param {string} options.label
   * @param {Array<import("./listbox.js").Item>} [options.items] all there are
   * @param {(text: string) => Promise<Array<import("./listbox.js").Item>>} [options.fetchItems] asked while typing instead
   * @param {boolean} [options.strict]
   * @param {string} [options.testid]
   * @param {string} [options.placeholder]
   * @param {() => void} [options.onChange]
   */
  constructor({ label, items = [], fetchItems = null, strict = true, testid, placeholder = "", onChange }) {
    Object.assign(this, { allItems: items, fetchItems, strict, onChange });
    this.list = new Listbox({ label, onPick: (item) => this.#pick(item) });
    this.element = h("input", {
      class: "field-input combo-input", type: "text", role: "combobox", autocomplete: "off", spellcheck: "false", placeholder,
      aria: { expanded: "false", autocomplete: "list", controls: this.list.id, haspopup: "listbox", label },
      data: { testid: testid ?? null },
      on: {
        input: () => this.#typed(),
        keydown: (event) => this.#key(event),
        click: () => this.#open(),
        focus: () => this.#open(),
        blur: () => this.#blur(),
      },
    });
  }

  get isOpen() {
    return this.#close !== null && !this.list.element.hidden;
  }

  /** @returns {{empty: true} | {value: string} | {unknown: string}} */
  read() {
    const typed = this.element.value.trim();
    if (this.#picked && this.#picked.label === typed) return { value: this.#picked.value };
    if (typed === "") return { empty: true };
    const match = this.#match(typed);
    if (match) return { value: match.value };
    return this.strict ? { unknown: typed } : { value: typed };
  }

  /** @param {string} typed */
  #match(typed) {
    const lower = typed.toLowerCase();
    const pool = this.fetchItems ? this.list.items : this.allItems;
    return pool.find((item) => item.label.toLowerCase() === lower) ?? pool.find((item) => item.value.toLowerCase() === lower) ?? null;
  }

  #typed() {
    this.#picked = null;
    this.#open();
    this.#refresh();
    this.onChange?.();
  }

  #open() {
    if (this.#close || !this.element.isConnected) return;
    this.#close = openPopover(this.element.closest(".option-box") ?? this.element, this.list.element, { placement: "above", matchWidth: true, onClose: () => this.#closed() });
    this.#refresh();
    this.element.setAttribute("aria-expanded", String(this.isOpen));
  }

  /** A list without rows says nothing that the field's own complaint does not. @param {boolean} hasRows */
  #reveal(hasRows) {
    this.list.element.hidden = !hasRows;
    this.element.setAttribute("aria-expanded", String(this.isOpen));
  }

  #closed() {
    this.#close = null;
    this.element.setAttribute("aria-expanded", "false");
    this.element.removeAttribute("aria-activedescendant");
  }

  close() {
    this.#close?.();
  }

  #blur() {
    this.close();
    const match = this.#picked ? null : this.#match(this.element.value.trim());
    if (match && this.element.value.trim() !== "") this.#accept(match);
  }

  #refresh() {
    const typed = this.element.value.trim();
    if (this.fetchItems) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#fetch(typed), this.list.items.length || typed ? DEBOUNCE_MS : 0);
      if (!this.list.items.length) this.#say("Searching…");
      return;
    }
    const words = this.#picked ? "" : typed.toLowerCase();
    const found = this.allItems.filter((item) => `${item.label} ${item.detail ?? ""}`.toLowerCase().includes(words));
    this.#show(found.map((item) => ({ ...item, selected: item.value === this.#picked?.value })), { active: this.strict || typed ? 0 : -1 });
  }

  /** Only the newest question's answer counts. @param {string} typed */
  async #fetch(typed) {
    this.#query += 1;
    const query = this.#query;
    try {
      const items = await this.fetchItems(typed);
      if (query === this.#query && this.#close) this.#show(items, { active: -1 });
    } catch (error) {
      if (query === this.#query && this.#close) this.#say(error.message || "Loading options failed");
    }
  }

  /** @param {string} text shown instead of rows */
  #say(text) {
    this.list.setMessage(text);
    this.#reveal(true);
  }

  #show(items, options) {
    this.list.setItems(items, options);
    this.#reveal(items.length > 0);
    this.#announceActive();
  }

  #announceActive() {
    const id = this.list.activeId;
    if (id && this.isOpen) this.element.setAttribute("aria-activedescendant", id);
    else this.element.removeAttribute("aria-activedescendant");
  }

  /** @param {import("./listbox.js").Item} item */
  #pick(item) {
    this.#accept(item);
    this.close();
    this.element.focus();
    this.close();
  }

  #accept(item) {
    this.#picked = item;
    this.element.value = item.label;
    this.onChange?.();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!this.isOpen) this.#open();
      else this.list.move(event.key === "ArrowDown" ? 1 : -1);
      this.#announceActive();
      return;
    }
    if (!this.isOpen) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      event.preventDefault();
      this.close();
    } else if (event.key === "Enter" && this.list.activeItem && !this.#picked) {
      event.stopPropagation();
      event.preventDefault();
      this.list.pickActive();
    } else if (event.key === "Tab" && this.list.activeItem && this.element.value.trim() !== "" && !this.#picked) {
      this.#accept(this.list.activeItem);
    }
  }
}
