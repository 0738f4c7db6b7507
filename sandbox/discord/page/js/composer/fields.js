/**
 * One field per command option, by its type: what is typed, chosen or attached, checked when it is read.
 */

import { formatBytes, h, replace, uniqueId } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { channelItems, roleItems, userItems } from "../components/select.js";
import { Combobox } from "../ui/combobox.js";
import { OPTION } from "./commands.js";
import { checkFile, checkNumber, checkText, describeChoices, describeRange } from "./validate.js";

/**
 * @typedef {object} Field
 * @property {HTMLElement} control what carries the focus
 * @property {HTMLElement} body what is put on the page
 * @property {() => ({empty: true} | {value: any} | {file: File} | {problem: string})} read
 * @property {(text: string) => void} [prefill]
 * @property {(files: File[]) => boolean} [takeFiles]
 */

/**
 * @param {any} option
 * @param {{store: any, autocomplete: (option: any, text: string) => Promise<any[]>, onChange: () => void}} host
 * @returns {Field}
 */
export function createField(option, host) {
  if (option.type === OPTION.ATTACHMENT) return fileField(option, host);
  const items = listedItems(option, host.store);
  if (items || option.autocomplete) return comboField(option, items, host);
  if (option.type === OPTION.STRING) return textField(option, host);
  return numberField(option, host);
}

/** @returns {import("../ui/listbox.js").Item[] | null} */
function listedItems(option, store) {
  if (option.choices?.length) return option.choices.map((choice) => ({ value: String(choice.value), label: choice.name }));
  switch (option.type) {
    case OPTION.BOOLEAN: return [{ value: "true", label: "True" }, { value: "false", label: "False" }];
    case OPTION.USER: return userItems(store);
    case OPTION.CHANNEL: return channelItems(store, option.channel_types);
    case OPTION.ROLE: return roleItems(store);
    case OPTION.MENTIONABLE: return [...userItems(store), ...roleItems(store)];
    default: return null;
  }
}

/** @returns {Field} */
function comboField(option, items, host) {
  const fetchItems = option.autocomplete
    ? async (text) => (await host.autocomplete(option, text)).map((choice) => ({ value: String(choice.value), label: choice.name }))
    : null;
  const combo = new Combobox({
    label: option.name, items: items ?? [], fetchItems, strict: !option.autocomplete, testid: `option-${option.name}`,
    placeholder: option.autocomplete ? "Type to search" : "Choose", onChange: host.onChange,
  });
  const read = () => {
    const state = combo.read();
    if ("empty" in state) return state;
    if ("unknown" in state) return { problem: describeChoices(option, state.unknown) };
    return toValue(option, state.value);
  };
  return { control: combo.element, body: combo.element, read, prefill: (text) => { combo.element.value = text; } };
}

/** @param {any} option @param {string} raw */
function toValue(option, raw) {
  if (option.type === OPTION.BOOLEAN) return { value: raw === "true" };
  if (option.type === OPTION.INTEGER || option.type === OPTION.NUMBER) return checkNumber(option.choices?.length ? { type: option.type } : option, raw);
  if (option.type === OPTION.STRING && option.autocomplete) return checkText(option, raw);
  return { value: raw };
}

/** @returns {Field} */
function textField(option, host) {
  const control = h("textarea", {
    class: "field-input field-text", rows: 1, spellcheck: "false", data: { testid: `option-${option.name}` }, aria: { label: option.name },
    on: { input: () => { paint(); host.onChange(); } },
  });
  const counter = h("span", { class: "counter", aria: { hidden: "true" } });
  const paint = () => {
    const left = option.max_length ? option.max_length - [...control.value].length : null;
    const shown = left !== null && (left < 0 || left <= option.max_length * 0.2);
    counter.textContent = shown ? String(left) : "";
    counter.classList.toggle("over", left !== null && left < 0);
  };
  return {
    control, body: h("div", { class: "field-with-counter" }, control, counter),
    read: () => (control.value.trim() === "" ? { empty: true } : checkText(option, control.value.trim())),
    prefill: (text) => { control.value = text; paint(); },
  };
}

/** @returns {Field} */
function numberField(option, host) {
  const whole = option.type === OPTION.INTEGER;
  const control = h("input", {
    class: "field-input", type: "text", inputmode: whole ? "numeric" : "decimal", autocomplete: "off", aria: { label: option.name },
    placeholder: describeRange(option).trim().replace(/^from /, "") || (whole ? "Whole number" : "Number"),
    data: { testid: `option-${option.name}` }, on: { input: host.onChange },
  });
  const read = () => (control.value.trim() === "" ? { empty: true } : checkNumber(option, control.value.trim()));
  return { control, body: control, read, prefill: (text) => { control.value = text; } };
}

/** @returns {Field} */
function fileField(option, host) {
  const id = uniqueId("file");
  const control = h("input", { class: "file-input", id, type: "file", aria: { label: option.name }, data: { testid: `option-${option.name}` } });
  const view = h("div", { class: "file-view" });
  const body = h("div", { class: "file-drop" }, control, view);
  let chosen = null;
  let address = "";
  const paint = () => {
    if (address) URL.revokeObjectURL(address);
    address = chosen?.type.startsWith("image/") ? URL.createObjectURL(chosen) : "";
    body.classList.toggle("filled", Boolean(chosen));
    if (!chosen) replace(view, icon("image"), h("span", { text: "Choose, drop or paste a file" }));
    else replace(view, address ? h("img", { src: address, alt: "" }) : icon("file"), h("span", { class: "file-text" }, h("span", { class: "file-name", text: chosen.name }), h("span", { class: "file-size", text: formatBytes(chosen.size) })));
  };
  const take = (file) => {
    chosen = file ?? null;
    paint();
    host.onChange();
  };
  control.addEventListener("change", () => take(control.files[0]));
  paint();
  const read = () => {
    if (!chosen) return { empty: true };
    const problem = checkFile(chosen);
    return problem ? { problem } : { file: chosen };
  };
  return { control, body, read, takeFiles: (files) => !chosen && (take(files[0]), true) };
}
