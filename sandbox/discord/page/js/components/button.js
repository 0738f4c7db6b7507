/**
 * Buttons of messages: all styles, emoji, links.
 */

import { h, safeHref } from "../core/dom.js";
import { icon } from "../core/icons.js";

const STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link", 6: "primary" };

/** @param {any} component @param {import("./render.js").Host} host */
export function renderButton(component, host) {
  const style = STYLES[component.style] ?? "secondary";
  const content = [emoji(component.emoji), component.label && h("span", { class: "button-label", text: component.label })];
  if (component.style === 5) {
    const href = safeHref(component.url);
    return h(href && !component.disabled ? "a" : "span", {
      class: "button button-link", href, target: "_blank", rel: "noopener noreferrer nofollow", role: "link", aria: { disabled: component.disabled ? "true" : null },
    }, ...content, icon("external"));
  }
  const button = h("button", {
    class: `button button-${style}`, type: "button", disabled: Boolean(component.disabled),
    aria: { label: component.label ? null : component.emoji?.name ?? "Button" }, data: { "custom-id": component.custom_id ?? "" },
  }, ...content);
  button.addEventListener("click", () => host.press(component, null, button));
  return button;
}

/** Custom emoji have no picture here, so their name stands in. @param {any} source */
export function emoji(source) {
  if (!source?.name) return null;
  return h("span", { class: "emoji", aria: { hidden: "true" }, text: source.id ? `:${source.name}:` : source.name });
}
