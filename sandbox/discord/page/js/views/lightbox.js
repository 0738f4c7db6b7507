/**
 * Pictures at full size over the page, one after another.
 */

import { formatBytes, h, replace, safeHref } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { openDialog } from "../ui/dialog.js";

/** @typedef {{url: string, alt: string, filename: string, width?: number | null, height?: number | null, size?: number | null}} Picture */

/** @param {Picture[]} pictures @param {number} start */
export function openLightbox(pictures, start) {
  let index = start;
  const stage = h("figure", { class: "lightbox-stage" });
  const caption = h("figcaption", { class: "lightbox-caption", aria: { live: "polite" } });
  const bar = h("div", { class: "lightbox-bar" });
  const show = (next) => {
    index = (next + pictures.length) % pictures.length;
    const picture = pictures[index];
    replace(stage, h("img", { src: safeHref(picture.url), alt: picture.alt }));
    const facts = [picture.filename, picture.width && `${picture.width} × ${picture.height}`, picture.size && formatBytes(picture.size)];
    replace(caption, pictures.length > 1 && h("strong", { text: `${index + 1} / ${pictures.length}` }),
      picture.alt && h("span", { class: "lightbox-alt", text: picture.alt }), h("span", { class: "lightbox-facts", text: facts.filter(Boolean).join(" · ") }));
    openOriginal.href = safeHref(picture.url) ?? "#";
  };
  const openOriginal = h("a", { class: "icon-button", target: "_blank", rel: "noopener noreferrer", aria: { label: "Open the original" }, title: "Open the original" }, icon("external"));
  const closeButton = h("button", { class: "icon-button", type: "button", aria: { label: "Close" }, title: "Close (Esc)" }, icon("close"));
  bar.append(openOriginal, closeButton);
  const arrows = pictures.length > 1 ? [arrow("left", "Previous picture", () => show(index - 1)), arrow("right", "Next picture", () => show(index + 1))] : [];
  const { element, close } = openDialog({ class: "lightbox", label: "Picture", testid: "lightbox" }, bar, stage, caption, ...arrows);
  closeButton.addEventListener("click", close);
  stage.addEventListener("click", (event) => event.target === stage && close());
  element.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") show(index - 1);
    if (event.key === "ArrowRight") show(index + 1);
  });
  show(start);
  closeButton.focus();
}

function arrow(side, label, run) {
  return h("button", { class: `lightbox-arrow ${side}`, type: "button", aria: { label }, on: { click: run } }, icon(side));
}
