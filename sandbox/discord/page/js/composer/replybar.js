/**
 * The line over the composer that says what is answered, and whether its author is pinged.
 */

import { h, replace } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { displayName } from "../markdown/render.js";

export class ReplyBar {
  /** @type {any} */
  message = null;
  ping = true;

  /** @param {any} app @param {() => void} onCancel */
  constructor(app, onCancel) {
    this.app = app;
    this.onCancel = onCancel;
    this.element = h("div", { class: "reply-bar", hidden: true, data: { testid: "reply-bar" } });
  }

  /** @param {any} message */
  set(message) {
    this.message = message;
    this.ping = true;
    this.#paint();
  }

  clear() {
    this.message = null;
    this.#paint();
  }

  #paint() {
    this.element.hidden = !this.message;
    if (!this.message) return;
    const author = this.app.store.user(this.message.author.id) ?? this.message.author;
    const toggle = h("button", {
      class: `ping-toggle${this.ping ? " on" : ""}`, type: "button", data: { testid: "reply-ping" }, aria: { pressed: String(this.ping), label: `Ping ${displayName(author)}` },
      title: this.ping ? "The author will be notified" : "The author will not be notified",
      on: { click: () => { this.ping = !this.ping; this.#paint(); this.element.querySelector("[data-testid=reply-ping]").focus(); } },
    }, icon("at"), this.ping ? "ON" : "OFF");
    const own = this.message.author.id === this.app.store.me.id;
    replace(this.element, h("button", { class: "reply-to", type: "button", on: { click: () => this.app.jumpTo(this.message.id) } }, icon("reply"), h("span", {}, "Replying to ", h("strong", { text: displayName(author) }))),
      !own && toggle, h("button", { class: "icon-button small", type: "button", aria: { label: "Cancel the reply" }, title: "Cancel (Esc)", on: { click: this.onCancel } }, icon("close")));
  }
}
