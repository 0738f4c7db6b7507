/**
 * A modal dialog: owns the focus while it is open and gives it back afterwards.
 */

import { h } from "../core/dom.js";

const FOCUSABLE = "a[href], button:not([disabled]), input:not([disabled]), select:not([disabled]), textarea:not([disabled]), [tabindex]:not([tabindex='-1'])";

/**
 * @param {{class: string, label?: string, labelledby?: string, testid?: string, onClose?: () => void, onBackdrop?: () => void}} options
 * @param {...Node} children
 * @returns {{element: HTMLDialogElement, close: () => void}}
 */
export function openDialog({ class: className, label, labelledby, testid, onClose, onBackdrop }, ...children) {
  const before = document.activeElement;
  const element = h("dialog", {
    class: `dialog ${className}`, role: "dialog", aria: { modal: "true", label, labelledby }, data: { testid: testid ?? null },
  }, ...children);
  const close = () => {
    if (!element.isConnected) return;
    element.close();
    element.remove();
    opener(before)?.focus({ preventScroll: true });
    onClose?.();
  };
  element.addEventListener("cancel", (event) => {
    event.preventDefault();
    close();
  });
  element.addEventListener("keydown", (event) => keepFocus(element, event));
  element.addEventListener("mousedown", (event) => {
    if (event.target === element) (onBackdrop ?? close)();
  });
  document.body.append(element);
  element.showModal();
  return { element, close };
}

/** What opened it, or what was drawn in its place since. @param {Element | null} before @returns {HTMLElement | null} */
function opener(before) {
  if (!(before instanceof HTMLElement) || before.isConnected) return before instanceof HTMLElement ? before : null;
  const { customId } = before.dataset;
  return customId ? document.querySelector(`.message [data-custom-id="${CSS.escape(customId)}"]:not(:disabled)`) : null;
}

/** Tab goes round inside the dialog. @param {HTMLElement} element @param {KeyboardEvent} event */
function keepFocus(element, event) {
  if (event.key !== "Tab") return;
  const stops = [...element.querySelectorAll(FOCUSABLE)].filter((node) => node.offsetParent !== null && node.tabIndex >= 0);
  if (stops.length === 0) return;
  const edge = event.shiftKey ? stops[0] : stops[stops.length - 1];
  if (document.activeElement !== edge && element.contains(document.activeElement) && document.activeElement !== element) return;
  event.preventDefault();
  (event.shiftKey ? stops[stops.length - 1] : stops[0]).focus();
}
