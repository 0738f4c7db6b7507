/**
 * A message's components, classic rows and Components V2 alike, as DOM.
 * Must not know how a press is sent; calls back with the component and its values.
 */

import { h } from "../core/dom.js";
import { renderMarkdown } from "../markdown/render.js";
import { isPicture, renderFile, renderGallery, renderThumbnail } from "../views/media.js";
import { renderButton } from "./button.js";
import { renderSelect } from "./select.js";

const DEPTH_MAX = 5;
export const TYPE = {
  ROW: 1, BUTTON: 2, STRING_SELECT: 3, TEXT_INPUT: 4, USER_SELECT: 5, ROLE_SELECT: 6, MENTIONABLE_SELECT: 7, CHANNEL_SELECT: 8,
  SECTION: 9, TEXT: 10, THUMBNAIL: 11, GALLERY: 12, FILE: 13, SEPARATOR: 14, CONTAINER: 17, LABEL: 18, FILE_UPLOAD: 19,
  RADIO_GROUP: 21, CHECKBOX_GROUP: 22, CHECKBOX: 23,
};

/**
 * @typedef {object} Host
 * @property {any} store
 * @property {import("../core/time.js").Clock} clock
 * @property {any} message
 * @property {(component: any, values: string[] | null, element: HTMLElement) => void} press
 */

/** @param {any[]} components @param {Host} host @returns {HTMLElement} */
export function renderComponents(components, host) {
  return h("div", { class: "components" }, ...components.map((component) => renderComponent(component, host, 0)));
}

/** @returns {Node | null} */
function renderComponent(component, host, depth) {
  if (depth > DEPTH_MAX || !component) return null;
  const inner = (children) => (children ?? []).map((child) => renderComponent(child, host, depth + 1));
  switch (component.type) {
    case TYPE.ROW: return h("div", { class: "component-row" }, ...inner(component.components));
    case TYPE.BUTTON: return renderButton(component, host);
    case TYPE.STRING_SELECT: case TYPE.USER_SELECT: case TYPE.ROLE_SELECT: case TYPE.MENTIONABLE_SELECT: case TYPE.CHANNEL_SELECT:
      return renderSelect(component, host);
    case TYPE.TEXT: return renderMarkdown(component.content ?? "", { ...host, mentionEveryone: host.message?.mention_everyone });
    case TYPE.SECTION: return renderSection(component, host, depth);
    case TYPE.THUMBNAIL: return renderThumbnail(component);
    case TYPE.GALLERY: return renderMedia(component);
    case TYPE.FILE: return renderSpoilable(component, renderFile({ ...component.file, name: component.name ?? component.file?.filename, size: component.size }));
    case TYPE.SEPARATOR: return h("div", { class: `separator${component.spacing === 2 ? " large" : ""}${component.divider === false ? " bare" : ""}`, role: "presentation" });
    case TYPE.CONTAINER: return renderContainer(component, inner(component.components));
    default: return h("p", { class: "unsupported", text: `Unsupported component (type ${component.type})` });
  }
}

function renderSection(component, host, depth) {
  return h("div", { class: "section" },
    h("div", { class: "section-text" }, ...(component.components ?? []).map((child) => renderComponent(child, host, depth + 1))),
    h("div", { class: "section-accessory" }, renderComponent(component.accessory, host, depth + 1)));
}

function renderMedia(component) {
  const items = (component.items ?? []).filter((item) => item.media?.url);
  const pictures = items.filter((item) => isPicture({ ...item.media }));
  const files = items.filter((item) => !isPicture({ ...item.media }));
  return h("div", { class: "media" }, pictures.length ? renderGallery(pictures) : null, ...files.map((item) => renderFile(item.media)));
}

function renderContainer(component, children) {
  const colour = Number.isInteger(component.accent_color) ? `#${component.accent_color.toString(16).padStart(6, "0")}` : null;
  const element = h("div", { class: `container${colour ? " accented" : ""}`, style: colour ? { "--accent-edge": colour } : {} }, ...children);
  return renderSpoilable(component, element);
}

/** Content marked as spoiler stays covered until it is asked for. */
function renderSpoilable(component, element) {
  if (!component.spoiler) return element;
  const cover = h("button", { class: "spoiler-cover", type: "button", text: "Spoiler" });
  const wrap = h("div", { class: "spoiler-wrap" }, element, cover);
  element.inert = true;
  cover.addEventListener("click", () => {
    element.inert = false;
    wrap.replaceWith(element);
  });
  return wrap;
}
