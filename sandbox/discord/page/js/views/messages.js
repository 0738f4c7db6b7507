/**
 * The message list: keeps the DOM in step with the store, the scroll position and the keyboard's place.
 * One tab stop leads into it; arrows move from message to message.
 */

import { SLASH, commandsFor } from "../composer/commands.js";
import { h, replace } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { formatDate, sameDay } from "../core/time.js";
import { openMessageMenu } from "./actions.js";
import { messageDate, renderMessage } from "./message.js";
import { DM, channelTitle } from "./sidebar.js";

const NEAR_BOTTOM_PX = 90;
const NEAR_TOP_PX = 160;
const UPDATES = ["messages", "older", "message-create", "message-update", "message-delete", "channel"];

export class MessageList {
  #atBottom = true;
  #lastTop = 0;
  #loadingOlder = false;
  #active = "";

  /** @param {any} app */
  constructor(app) {
    this.app = app;
    this.items = h("div", { class: "items" });
    this.intro = h("div", { class: "intro" });
    this.pending = h("div", { class: "pending" });
    this.log = h("div", { class: "log", role: "log", aria: { live: "polite", relevant: "additions" }, tabindex: -1 }, this.intro, this.items, this.pending);
    this.jump = h("button", { class: "jump-down", type: "button", hidden: true, on: { click: () => this.toBottom() } }, icon("down"), "New messages");
    this.element = h("div", { class: "log-frame" }, this.log, this.jump);
    this.log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.log.addEventListener("keydown", (event) => this.#key(event));
    this.items.addEventListener("focusin", (event) => this.#activate(event.target.closest(".message")));
    new ResizeObserver(() => this.#atBottom && this.toBottom()).observe(this.items);
    new ResizeObserver(() => this.#atBottom && this.toBottom()).observe(this.log);
    for (const type of UPDATES) app.store.addEventListener(type, (event) => this.#on(type, event.detail ?? {}));
    // Names, roles and commands may have changed under every message.
    for (const type of ["state", "commands"]) app.store.addEventListener(type, () => this.paint());
  }

  #on(type, { channelId, messageId, count, keepPlace }) {
    const { store } = this.app;
    if (channelId && channelId !== store.channelId) return;
    if (type === "messages" || type === "channel") this.paint({ toBottom: !keepPlace });
    else if (type === "older") this.#paintOlder(count);
    else if (type === "message-delete") this.#remove(messageId);
    else this.#put(messageId, type === "message-create");
  }

  /** Draw the whole channel. @param {{toBottom?: boolean}} [options] */
  paint({ toBottom = false } = {}) {
    const { store } = this.app;
    const messages = store.messages(store.channelId);
    this.log.setAttribute("aria-label", `Messages in ${store.currentChannel ? channelTitle(store, store.currentChannel) : "no channel"}`);
    this.#paintIntro();
    const nodes = messages.flatMap((message, index) => this.#nodes(message, messages[index - 1]));
    this.items.replaceChildren(...nodes);
    this.#setTabStop();
    if (toBottom || this.#atBottom) this.toBottom();
  }

  #paintIntro() {
    const { store } = this.app;
    const channel = store.currentChannel;
    this.intro.hidden = !channel || !store.complete.has(channel.id);
    if (this.intro.hidden) return;
    const title = channelTitle(store, channel);
    const isDm = channel.type === DM;
    replace(this.intro, h("span", { class: "intro-mark" }, icon(isDm ? "at" : "hash")), h("h3", { text: isDm ? title : `Welcome to #${title}` }),
      h("p", { text: describeBeginning(store, channel) }));
  }

  /** @returns {HTMLElement[]} the message, after a day's line where a day begins */
  #nodes(message, previous) {
    const element = renderMessage(this.app, message, previous);
    const date = messageDate(message);
    if (previous && sameDay(date, messageDate(previous))) return [element];
    return [h("div", { class: "day", role: "separator", data: { day: date.toDateString() } }, h("span", { text: formatDate(date, "D") })), element];
  }

  #paintOlder(count) {
    const before = this.log.scrollHeight - this.log.scrollTop;
    this.paint();
    if (count) this.log.scrollTop = this.log.scrollHeight - before;
  }

  /** @param {string} messageId */
  find(messageId) {
    return this.items.querySelector(`[data-message-id="${CSS.escape(messageId)}"]`);
  }

  /** Draw one message anew or for the first time. @param {string} messageId @param {boolean} isNew */
  #put(messageId, isNew) {
    const { store } = this.app;
    const messages = store.messages(store.channelId);
    const index = messages.findIndex((message) => message.id === messageId);
    if (index < 0) return;
    const old = this.find(messageId);
    const nodes = this.#nodes(messages[index], messages[index - 1]);
    if (old) this.#redraw(old, nodes[nodes.length - 1]);
    else if (isNew && index === messages.length - 1 && index > 0) this.items.append(...nodes);
    else this.paint();
    this.#trim(messages);
    this.#setTabStop();
    if (this.#atBottom || (isNew && messages[index].author.id === store.me.id)) this.toBottom();
    else if (isNew && !this.#atBottom) this.jump.hidden = false;
  }

  /** What somebody is using stays where it is on the screen, however its message grows or shrinks. */
  #redraw(old, fresh) {
    const isUsed = old.contains(document.activeElement);
    const tops = { control: document.activeElement?.getBoundingClientRect().top ?? 0, message: old.getBoundingClientRect().top };
    swap(old, fresh);
    if (!isUsed) return;
    const control = document.activeElement;
    const before = control === fresh ? tops.message : tops.control;
    const edge = this.log.getBoundingClientRect().top;
    if (this.#atBottom) {
      this.toBottom();
      if (control.getBoundingClientRect().top >= edge || before < edge) return;
    }
    this.log.scrollTop += control.getBoundingClientRect().top - before;
    this.#lastTop = this.log.scrollTop;
    this.#atBottom = false;
  }

  /** The store forgets the oldest beyond its limit; so does the page. @param {any[]} messages */
  #trim(messages) {
    const first = messages[0]?.id;
    while (this.items.firstElementChild && this.items.querySelectorAll(".message").length > messages.length) {
      if (this.items.firstElementChild.dataset.messageId === first) break;
      this.items.firstElementChild.remove();
    }
  }

  /** @param {string} messageId */
  #remove(messageId) {
    const hadFocus = this.find(messageId)?.contains(document.activeElement);
    this.paint();
    if (hadFocus) this.app.focusComposer();
  }

  toBottom() {
    this.log.scrollTop = this.log.scrollHeight;
    this.#lastTop = this.log.scrollTop;
    this.#atBottom = true;
    this.jump.hidden = true;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.log;
    // Growing content moves the bottom away without a scroll; only going up leaves it.
    if (scrollHeight - scrollTop - clientHeight < NEAR_BOTTOM_PX) this.#atBottom = true;
    else if (scrollTop < this.#lastTop) this.#atBottom = false;
    this.#lastTop = scrollTop;
    if (this.#atBottom) this.jump.hidden = true;
    if (this.log.scrollTop < NEAR_TOP_PX) this.#loadOlder();
  }

  async #loadOlder() {
    const { store } = this.app;
    if (this.#loadingOlder || store.complete.has(store.channelId) || !store.messages(store.channelId).length) return;
    this.#loadingOlder = true;
    try {
      await this.app.loadOlder(store.channelId);
    } finally {
      this.#loadingOlder = false;
    }
  }

  /** @param {string} messageId @returns {boolean} whether it is here */
  reveal(messageId) {
    const element = this.find(messageId);
    if (!element) return false;
    this.#atBottom = false;
    element.scrollIntoView({ block: "center" });
    this.#activate(element);
    element.focus({ preventScroll: true });
    element.classList.add("flash");
    setTimeout(() => element.classList.remove("flash"), 1600);
    return true;
  }

  #setTabStop() {
    const current = (this.#active && this.find(this.#active)) || this.items.querySelector(".message:last-of-type") || [...this.items.children].pop();
    if (current?.classList.contains("message")) this.#activate(current);
  }

  /** @param {HTMLElement | null} element */
  #activate(element) {
    if (!element) return;
    for (const old of this.items.querySelectorAll(".message[tabindex='0']")) setStops(old, -1);
    this.#active = element.dataset.messageId;
    setStops(element, 0);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const element = event.target.closest(".message");
    if (!element || event.target !== element) return;
    const all = [...this.items.querySelectorAll(".message")];
    const index = all.indexOf(element);
    const targets = { ArrowUp: index - 1, ArrowDown: index + 1, Home: 0, End: all.length - 1 };
    const message = this.app.store.message(this.app.store.channelId, element.dataset.messageId);
    if (event.key in targets) {
      event.preventDefault();
      all[targets[event.key]]?.focus();
    } else if (event.key === "Escape" || event.key === "i") {
      event.preventDefault();
      this.app.focusComposer();
    } else if (event.key === "r" && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      element.querySelector("[data-testid=reply]")?.click();
    } else if ((event.key === "Enter" || event.key === "ContextMenu") && message) {
      event.preventDefault();
      openMessageMenu(this.app, message, element.querySelector("[data-testid=more]"));
    }
  }
}

/** What the top of a channel says: where pictures are made, how to begin. @param {any} store @param {any} channel */
function describeBeginning(store, channel) {
  const canImagine = store.isWorkplace(channel) && commandsFor(store, SLASH).some((command) => command.name === "imagine");
  if (canImagine) return "Type /imagine and say what you would like to see.";
  return channel.topic || (channel.type === DM ? "Only the two of you are here." : "This is where the channel begins.");
}

/** @param {HTMLElement} element @param {number} index */
function setStops(element, index) {
  element.tabIndex = index;
  for (const tool of element.querySelectorAll(".tool")) tool.tabIndex = index;
}

/** Put a new drawing in place of the old one; pictures already loaded and the focus stay. */
function swap(old, fresh) {
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const known = new Map([...old.querySelectorAll(".tile > img")].map((image) => [image.getAttribute("src"), image]));
  for (const image of fresh.querySelectorAll(".tile > img")) {
    const kept = known.get(image.getAttribute("src"));
    if (kept && kept.alt === image.alt) image.replaceWith(kept);
  }
  old.replaceWith(fresh);
  if (!focused) return;
  const id = focused.dataset.customId;
  const same = id ? fresh.querySelector(`[data-custom-id="${CSS.escape(id)}"]:not(:disabled)`) : null;
  (same ?? fresh).focus({ preventScroll: true });
}
