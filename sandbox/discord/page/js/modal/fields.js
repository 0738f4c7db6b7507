/**
 * The fields of a modal, one per component: how each looks, what is wrong with it, and what it submits.
 */

import { formatBytes, h, replace } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { buildSelect } from "../components/select.js";
import { TYPE } from "../components/render.js";
import { checkFile } from "../composer/validate.js";

const TEXT_MAX = 4000;
const PARAGRAPH = 2;

/**
 * @typedef {object} ModalField
 * @property {HTMLElement} control takes the focus
 * @property {HTMLElement} body
 * @property {boolean} [group] the control is a group, not a single labelable field
 * @property {boolean} [inline] the label stands beside it
 * @property {() => string | null} problem
 * @property {(files: File[]) => object} submit files it carries are pushed onto the list
 */

/** @param {any} component @param {{store: any, labelId: string, controlId: string, describedby: string}} place @returns {ModalField | null} */
export function createModalField(component, place) {
  switch (component?.type) {
    case TYPE.TEXT_INPUT: return textInput(component, place);
    case TYPE.STRING_SELECT: case TYPE.USER_SELECT: case TYPE.ROLE_SELECT: case TYPE.MENTIONABLE_SELECT: case TYPE.CHANNEL_SELECT: return select(component, place);
    case TYPE.FILE_UPLOAD: return fileUpload(component, place);
    case TYPE.RADIO_GROUP: return radioGroup(component, place);
    case TYPE.CHECKBOX_GROUP: return checkboxGroup(component, place);
    case TYPE.CHECKBOX: return checkbox(component, place);
    default: return null;
  }
}

const base = (component) => ({ type: component.type, ...(component.id ? { id: component.id } : {}), custom_id: component.custom_id });

function textInput(component, { controlId, describedby }) {
  const max = component.max_length ?? TEXT_MAX;
  const long = component.style === PARAGRAPH;
  const control = h(long ? "textarea" : "input", {
    class: "modal-input", id: controlId, type: long ? null : "text", rows: long ? 4 : null, placeholder: component.placeholder, autocomplete: "off",
    aria: { describedby, required: component.required === false ? null : "true" },
  });
  control.value = component.value ?? "";
  const counter = h("span", { class: "modal-counter", aria: { hidden: "true" } });
  const length = () => [...control.value].length;
  const paint = () => {
    counter.textContent = component.max_length ? `${length()} / ${max}` : "";
    counter.classList.toggle("over", length() > max);
  };
  control.addEventListener("input", paint);
  paint();
  return {
    control, body: h("div", { class: "modal-text" }, control, counter),
    problem: () => {
      if (length() === 0) return component.required === false ? null : "Please fill this in.";
      if (length() > max) return `At most ${max} characters; this has ${length()}.`;
      return component.min_length && length() < component.min_length ? `At least ${component.min_length} characters; this has ${length()}.` : null;
    },
    submit: () => ({ ...base(component), value: control.value }),
  };
}

/** How many must be chosen, in words. */
function countProblem(count, component, noun) {
  const min = component.min_values ?? 1;
  const max = component.max_values ?? 1;
  if (count === 0 && component.required === false) return null;
  if (count === 0) return `Please choose ${min <= 1 ? "one" : `at least ${min}`}.`;
  if (count < min) return `Choose at least ${min} ${noun}.`;
  return count > max ? `Choose at most ${max} ${noun}.` : null;
}

function select(component, { store, labelId, controlId, describedby }) {
  const built = buildSelect(component, store, { labelledby: labelId, ...(component.required === false ? { min: 0 } : {}) });
  built.element.id = controlId;
  built.element.setAttribute("aria-describedby", describedby);
  return {
    control: built.element, body: built.element,
    problem: () => countProblem(built.values.size, component, "options"),
    submit: () => ({ ...base(component), values: [...built.values] }),
  };
}

function choices(component, kind, describedby) {
  const name = `group-${component.custom_id}`;
  const inputs = (component.options ?? []).map((option) => ({ option, input: h("input", { type: kind, name, value: option.value, checked: Boolean(option.default) }) }));
  const rows = inputs.map(({ option, input }) => h("label", { class: "choice" }, input,
    h("span", { class: "choice-text" }, h("span", { text: option.label }), option.description && h("span", { class: "choice-detail", text: option.description }))));
  return { inputs, rows, chosen: () => inputs.filter(({ input }) => input.checked).map(({ option }) => option.value), describedby };
}

function radioGroup(component, { labelId, describedby }) {
  const group = choices(component, "radio", describedby);
  return {
    control: group.inputs[0]?.input, group: true, body: h("div", { class: "choices", role: "radiogroup", aria: { labelledby: labelId, describedby } }, ...group.rows),
    problem: () => (component.required !== false && group.chosen().length === 0 ? "Please choose one." : null),
    submit: () => ({ ...base(component), value: group.chosen()[0] ?? null }),
  };
}

function checkboxGroup(component, { labelId, describedby }) {
  const group = choices(component, "checkbox", describedby);
  const limits = { required: component.required, min_values: component.min_values ?? 1, max_values: component.max_values ?? group.inputs.length };
  return {
    control: group.inputs[0]?.input, group: true, body: h("div", { class: "choices", role: "group", aria: { labelledby: labelId, describedby } }, ...group.rows),
    problem: () => countProblem(group.chosen().length, limits, "options"),
    submit: () => ({ ...base(component), values: group.chosen() }),
  };
}

function checkbox(component, { controlId, describedby }) {
  const control = h("input", { type: "checkbox", id: controlId, class: "single-checkbox", checked: Boolean(component.default), aria: { describedby } });
  return { control, inline: true, body: control, problem: () => null, submit: () => ({ ...base(component), value: control.checked }) };
}

function fileUpload(component, { controlId, describedby }) {
  const max = component.max_values ?? 1;
  const control = h("input", { class: "file-input", id: controlId, type: "file", multiple: max > 1, aria: { describedby } });
  const view = h("div", { class: "file-view" });
  const body = h("div", { class: "file-drop" }, control, view);
  const paint = () => {
    const files = [...control.files];
    body.classList.toggle("filled", files.length > 0);
    if (!files.length) return replace(view, icon("image"), h("span", { text: max > 1 ? `Choose or drop up to ${max} files` : "Choose or drop a file" }));
    return replace(view, icon("file"), h("span", { class: "file-text" }, ...files.map((file) => h("span", { class: "file-name", text: `${file.name} · ${formatBytes(file.size)}` }))));
  };
  control.addEventListener("change", paint);
  paint();
  return {
    control, body,
    problem: () => [...control.files].map(checkFile).find(Boolean) ?? countProblem(control.files.length, component, "files"),
    submit: (files) => ({ ...base(component), values: [...control.files].map((file) => String(files.push(file) - 1)) }),
  };
}
