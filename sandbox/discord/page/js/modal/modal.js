/**
 * A modal the bot opened: shows its fields, checks them, and sends them.
 */

import { h, replace, uniqueId } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { renderMarkdown } from "../markdown/render.js";
import { TYPE } from "../components/render.js";
import { openDialog } from "../ui/dialog.js";
import { avatar } from "../ui/avatar.js";
import { createModalField } from "./fields.js";

/** @typedef {{field: import("./fields.js").ModalField, label: string, row: HTMLElement, error: HTMLElement, wrap: (inner: object) => object}} Row */

/** @param {any} app @param {any} modal the event's data */
export function openModal(app, modal) {
  const titleId = uniqueId("modal-title");
  const summary = h("div", { class: "modal-summary", role: "alert", tabindex: -1, hidden: true, data: { testid: "modal-errors" } });
  /** @type {Array<Row | {fixed: object}>} */
  const rows = [];
  const body = h("div", { class: "modal-body" }, summary, ...(modal.components ?? []).map((component) => buildRow(app, component, rows)));
  const submit = h("button", { class: "button button-primary", type: "submit", data: { testid: "modal-submit" }, text: "Submit" });
  const cancel = h("button", { class: "button button-plain", type: "button", text: "Cancel" });
  const closeButton = h("button", { class: "icon-button small", type: "button", aria: { label: "Close" } }, icon("close"));
  const form = h("form", { class: "modal-form", novalidate: true },
    h("header", { class: "modal-head" }, app.store.bot && avatar(app.store.bot, "small"), h("h2", { id: titleId, text: modal.title ?? "" }), closeButton),
    body, h("footer", { class: "modal-foot" }, cancel, submit));
  const { element, close } = openDialog({ class: "modal", labelledby: titleId, testid: "modal", onBackdrop: () => {} }, form);
  cancel.addEventListener("click", close);
  closeButton.addEventListener("click", close);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(app, modal, rows, { summary, submit, close, element });
  });
  (rows.find((row) => row.field?.control)?.field.control ?? submit).focus();
  return close;
}

/** @returns {HTMLElement} */
function buildRow(app, component, rows) {
  const keep = (inner) => ({ ...(component.id ? { id: component.id } : {}), ...inner });
  if (component.type === TYPE.TEXT) {
    rows.push({ fixed: keep({ type: TYPE.TEXT }) });
    return renderMarkdown(component.content ?? "", app);
  }
  if (component.type === TYPE.LABEL) {
    return fieldRow(app, component.component, component, rows, (inner) => keep({ type: TYPE.LABEL, component: inner }));
  }
  const inner = component.components?.[0];
  return fieldRow(app, inner, { label: inner?.label ?? "" }, rows, (value) => keep({ type: TYPE.ROW, components: [value] }));
}

function fieldRow(app, component, { label, description }, rows, wrap) {
  const place = { store: app.store, labelId: uniqueId("label"), controlId: uniqueId("modal-field"), describedby: "" };
  const help = h("p", { class: "modal-help", id: uniqueId("help"), text: description ?? "", hidden: !description });
  const error = h("p", { class: "modal-error", id: uniqueId("error"), hidden: true });
  place.describedby = `${help.id} ${error.id}`;
  const field = createModalField(component, place);
  if (!field) return h("p", { class: "unsupported", text: `Unsupported field (type ${component?.type})` });
  const required = component.required !== false && component.type !== TYPE.CHECKBOX;
  const name = h(field.group ? "div" : "label", { class: "modal-label", id: place.labelId, for: field.group ? null : place.controlId }, label, required && h("span", { class: "required", aria: { hidden: "true" }, text: " *" }));
  const row = h("div", { class: `modal-row${field.inline ? " inline" : ""}` }, name, help, field.body, error);
  rows.push({ field, label, row, error, wrap });
  for (const type of ["input", "change"]) row.addEventListener(type, () => showProblem({ row, error, field }, null));
  return row;
}

/** @param {{row: HTMLElement, error: HTMLElement, field: any}} row @param {string | null} problem */
function showProblem({ row, error, field }, problem) {
  row.classList.toggle("wrong", Boolean(problem));
  error.hidden = !problem;
  error.textContent = problem ?? "";
  field.control?.setAttribute("aria-invalid", String(Boolean(problem)));
}

/** Show each problem at its field and all of them above. @returns {boolean} whether all is well */
function validate(rows, summary) {
  const wrong = [];
  for (const row of rows.filter((candidate) => candidate.field)) {
    const problem = row.field.problem();
    showProblem(row, problem);
    if (problem) wrong.push({ ...row, problem });
  }
  summary.hidden = wrong.length === 0;
  if (!wrong.length) return true;
  replace(summary, h("p", { text: wrong.length === 1 ? "One field needs another look:" : `${wrong.length} fields need another look:` }),
    h("ul", {}, ...wrong.map((row) => h("li", {}, h("button", { class: "text-button", type: "button", on: { click: () => row.field.control.focus() } }, `${row.label}: ${row.problem}`)))));
  if (wrong.length === 1) wrong[0].field.control.focus();
  else summary.focus();
  return false;
}

async function send(app, modal, rows, { summary, submit, close, element }) {
  if (submit.disabled || !validate(rows, summary)) return;
  const files = [];
  const components = rows.map((row) => (row.fixed ? row.fixed : row.wrap(row.field.submit(files))));
  submit.disabled = true;
  submit.setAttribute("aria-busy", "true");
  try {
    const { done } = await app.interactions.submitModal({ channelId: modal.channel_id ?? app.store.channelId, modal, components, files });
    const outcome = await done;
    if (outcome.state === "failed") throw new Error("Something went wrong. Try again.");
    close();
  } catch (error) {
    if (!element.isConnected) return;
    summary.hidden = false;
    replace(summary, h("p", { text: error.message }));
    summary.focus();
  } finally {
    submit.disabled = false;
    submit.removeAttribute("aria-busy");
  }
}
