/**
 * A chosen command with its options: required ones first, the others added one by one.
 * Must not know how it is sent; hands the composed options to its owner.
 */

import { h, uniqueId } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { createField } from "./fields.js";
import { nestOptions } from "./commands.js";

export class CommandForm {
  /** @type {Map<string, {option: any, field: import("./fields.js").Field, row: HTMLElement, error: HTMLElement}>} */
  #rows = new Map();

  /**
   * @param {any} app
   * @param {import("./commands.js").Entry} entry
   * @param {{onSubmit: () => void, onCancel: () => void}} owner
   */
  constructor(app, entry, { onSubmit, onCancel }) {
    Object.assign(this, { app, entry, onSubmit, onCancel });
    this.fields = h("div", { class: "options" });
    this.chips = h("div", { class: "option-chips", role: "group", aria: { label: "Optional settings" } });
    this.notice = h("p", { class: "form-error", role: "alert", hidden: true });
    const titleId = uniqueId("command");
    this.element = h("section", { class: "command-form", role: "group", aria: { labelledby: titleId }, data: { testid: "command-form", name: entry.name } },
      h("header", { class: "command-head" }, h("span", { class: "command-name", id: titleId, text: `/${entry.name}` }), h("span", { class: "command-description", text: entry.description }),
        h("button", { class: "icon-button small", type: "button", aria: { label: "Cancel the command" }, title: "Cancel (Esc)", on: { click: onCancel } }, icon("close"))),
      this.fields, this.notice, this.chips);
    this.element.addEventListener("keydown", (event) => this.#key(event));
    for (const option of entry.options.filter((candidate) => candidate.required)) this.#add(option);
    this.#paintChips();
  }

  /** Text typed after the command's name goes into its first text field. @param {string} text */
  prefill(text) {
    const first = [...this.#rows.values()].find((row) => row.field.prefill);
    first?.field.prefill(text);
  }

  focus() {
    const rows = [...this.#rows.values()];
    const empty = rows.find((row) => "empty" in row.field.read()) ?? rows[0];
    (empty?.field.control ?? this.chips.querySelector("button"))?.focus();
  }

  /** @param {any} option */
  #add(option) {
    const field = createField(option, {
      store: this.app.store, autocomplete: (asked, text) => this.#autocomplete(asked, text), onChange: () => this.#clearError(option.name),
    });
    const help = h("p", { class: "option-help", id: uniqueId("help"), text: option.description ?? "" });
    const error = h("p", { class: "option-error", id: uniqueId("error"), hidden: true });
    field.control.id ||= uniqueId("option");
    field.control.setAttribute("aria-describedby", `${help.id} ${error.id}`);
    if (option.required) field.control.setAttribute("aria-required", "true");
    const remove = option.required ? null : h("button", {
      class: "option-remove", type: "button", aria: { label: `Remove ${option.name}` }, title: "Remove", on: { click: () => this.#remove(option.name) },
    }, icon("close"));
    const row = h("div", { class: `option option-type-${option.type}`, data: { name: option.name } },
      h("div", { class: "option-box" }, h("label", { class: "option-name", for: field.control.id }, option.name, option.required && h("span", { class: "required", title: "required", text: "*" })), field.body, remove), help, error);
    this.#rows.set(option.name, { option, field, row, error });
    this.fields.append(row);
    return field;
  }

  /** @param {string} name */
  #remove(name) {
    this.#rows.get(name)?.row.remove();
    this.#rows.delete(name);
    this.#paintChips();
    this.focus();
  }

  #paintChips() {
    const rest = this.entry.options.filter((option) => !this.#rows.has(option.name));
    this.chips.hidden = rest.length === 0;
    this.chips.replaceChildren(...rest.map((option) => h("button", {
      class: "chip", type: "button", title: option.description ?? "", aria: { label: `Add ${option.name}: ${option.description ?? ""}` },
      data: { testid: `add-option-${option.name}` }, on: { click: () => this.#addOptional(option) },
    }, icon("plus"), option.name)));
  }

  #addOptional(option) {
    const field = this.#add(option);
    this.#paintChips();
    field.control.focus();
    field.control.scrollIntoView({ block: "nearest" });
  }

  /** @param {any} option @param {string} text */
  #autocomplete(option, text) {
    const others = [...this.#rows.values()].filter((row) => row.option.name !== option.name).flatMap((row) => {
      const state = row.field.read();
      return "value" in state ? [{ name: row.option.name, type: row.option.type, value: state.value, focused: false }] : [];
    });
    const asked = { name: option.name, type: option.type, value: text, focused: true };
    const { command, path } = this.entry;
    return this.app.interactions.autocomplete({ channelId: this.app.store.channelId, command, options: nestOptions(command, path, [...others, asked]) });
  }

  /** All values, or null after showing what is wrong. @returns {{options: any[], files: File[]} | null} */
  read() {
    const options = [];
    const files = [];
    let firstWrong = null;
    for (const [name, { option, field }] of this.#rows) {
      const state = field.read();
      const problem = "problem" in state ? state.problem : "empty" in state && option.required ? "This option is required." : null;
      this.#showError(name, problem);
      if (problem) firstWrong ??= field;
      else if ("file" in state) options.push({ name, type: option.type, value: files.push(state.file) - 1 });
      else if ("value" in state) options.push({ name, type: option.type, value: state.value });
    }
    if (firstWrong) {
      firstWrong.control.focus();
      return null;
    }
    return { options: nestOptions(this.entry.command, this.entry.path, options), files };
  }

  /** @param {string} text what the server said */
  showNotice(text) {
    this.notice.hidden = false;
    this.notice.textContent = text;
  }

  /** @param {File[]} files @returns {boolean} whether a field took them */
  takeFiles(files) {
    return [...this.#rows.values()].some((row) => row.field.takeFiles?.(files));
  }

  #showError(name, problem) {
    const { field, error, row } = this.#rows.get(name);
    row.classList.toggle("wrong", Boolean(problem));
    error.hidden = !problem;
    error.textContent = problem ?? "";
    field.control.setAttribute("aria-invalid", String(Boolean(problem)));
  }

  #clearError(name) {
    this.notice.hidden = true;
    if (this.#rows.has(name)) this.#showError(name, null);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.isComposing || event.defaultPrevented) return;
    const isField = event.target.matches(".field-input, .file-input");
    if (event.key === "Escape") {
      event.preventDefault();
      this.onCancel();
    } else if (event.key === "Enter" && isField && !(event.target.type === "file" && "empty" in this.#fieldOf(event.target).read())) {
      event.preventDefault();
      this.onSubmit();
    } else if (event.key === "Backspace" && isField && event.target.value === "" && event.target.type !== "file") {
      const name = event.target.closest(".option").dataset.name;
      if (!this.#rows.get(name).option.required) {
        event.preventDefault();
        this.#remove(name);
      }
    }
  }

  /** @param {HTMLElement} control */
  #fieldOf(control) {
    return this.#rows.get(control.closest(".option").dataset.name).field;
  }
}
