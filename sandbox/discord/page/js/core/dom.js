/**
 * Building DOM nodes: the only way this page makes markup, so text can never become markup.
 * Knows nothing of chats; everything that draws stands on it.
 */

/**
 * @typedef {object} Props
 * @property {string} [class]
 * @property {string} [text]
 * @property {Record<string, EventListener>} [on]
 * @property {Record<string, string | number | boolean | null | undefined>} [data]
 * @property {Record<string, string | number | boolean | null | undefined>} [aria]
 * @property {Record<string, string>} [style]
 */

/**
 * Build an element from plain values; strings always become text.
 * @param {string} tag
 * @param {Props & Record<string, unknown>} [props]
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElement}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") element.className = String(value);
    else if (name === "text") element.textContent = String(value);
    else if (name === "on") listen(element, value);
    else if (name === "data") setGroup(element, "data", value);
    else if (name === "aria") setGroup(element, "aria", value);
    else if (name === "style") setStyle(element, value);
    else if (/^on|^srcdoc$/i.test(name)) throw new TypeError(`attribute ${name} is not allowed`);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

/** @param {Element} element @param {object} handlers */
function listen(element, handlers) {
  for (const [type, handler] of Object.entries(handlers)) element.addEventListener(type, handler);
}

/** @param {Element} element @param {string} prefix @param {object} values */
function setGroup(element, prefix, values) {
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined) element.setAttribute(`${prefix}-${name}`, String(value));
  }
}

/** @param {HTMLElement} element @param {object} values */
function setStyle(element, values) {
  for (const [name, value] of Object.entries(values)) element.style.setProperty(name, value);
}

/** @param {Element} parent @param {Array<Node | string | null | undefined | false>} children */
export function append(parent, children) {
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) parent.append(child);
  }
}

/** @param {Element} parent @param {...(Node | string | null | undefined | false)} children */
export function replace(parent, ...children) {
  parent.replaceChildren();
  append(parent, children);
}

let serial = 0;

/** A document-unique id for aria references. @param {string} prefix */
export function uniqueId(prefix) {
  serial += 1;
  return `${prefix}-${serial}`;
}

/**
 * An address that may be followed: http(s) only, everything else is null.
 * @param {string | null | undefined} address
 * @returns {string | null}
 */
export function safeHref(address) {
  if (!address) return null;
  try {
    const url = new URL(address, location.href);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}

/** @param {number} bytes */
export function formatBytes(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
