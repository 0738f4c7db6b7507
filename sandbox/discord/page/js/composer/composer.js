/**
 * Where messages and commands are written: owns the text field, what goes along, and the switch to a command's form.
 */

import { h } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { CommandForm } from "./form.js";
import { ReplyBar } from "./replybar.js";
import { Suggest, writeMentions } from "./suggest.js";
import { Tray } from "./tray.js";
import { DM, channelTitle } from "../views/sidebar.js";

const TEXT_MAX = 2000;
const TYPING_EVERY_MS = 8000;

export class Composer {
  /** @type {CommandForm | null} */
  #form = null;
  #busy = false;
  #typedAt = 0;

  /** @param {any} app */
  constructor(app) {
    this.app = app;
    this.input = h("textarea", { class: "composer-input", rows: 1, spellcheck: "true", autocomplete: "off", aria: { label: "Message" }, data: { testid: "composer-input" } });
    this.reply = new ReplyBar(app, () => this.#cancelReply());
    this.tray = new Tray(app.toast);
    this.suggest = new Suggest(app, this.input, { onCommand: (entry, rest) => this.#startCommand(entry, rest) });
    this.picker = h("input", { class: "visually-hidden", type: "file", multiple: true, tabindex: -1, aria: { label: "Attach files" }, data: { testid: "attach-input" } });
    this.attach = h("button", { class: "icon-button attach", type: "button", title: "Attach files", aria: { label: "Attach files" }, data: { testid: "attach" }, on: { click: () => this.picker.click() } }, icon("plus"));
    this.send = h("button", { class: "send", type: "submit", title: "Send (Enter)", aria: { label: "Send" }, data: { testid: "send" } }, icon("send"));
    this.counter = h("span", { class: "counter composer-counter", aria: { live: "polite" } });
    this.slot = h("div", { class: "form-slot" });
    this.row = h("div", { class: "composer-row" }, this.attach, this.input, this.counter, this.send);
    this.element = h("form", { class: "composer", id: "composer", novalidate: true, aria: { label: "Write a message" } },
      this.suggest.element, this.reply.element, this.tray.element, h("div", { class: "composer-box" }, this.slot, this.row), this.picker);
    this.#listen();
  }

  #listen() {
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.input.addEventListener("input", () => this.#typed());
    this.input.addEventListener("keydown", (event) => this.#key(event));
    this.input.addEventListener("click", () => this.suggest.refresh());
    this.input.addEventListener("blur", () => this.suggest.close());
    this.picker.addEventListener("change", () => {
      this.takeFiles([...this.picker.files]);
      this.picker.value = "";
    });
    this.element.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length) return;
      event.preventDefault();
      this.takeFiles(files);
    });
    for (const type of ["state", "channel"]) this.app.store.addEventListener(type, () => this.#paint());
  }

  focus() {
    if (this.#form) this.#form.focus();
    else this.input.focus();
  }

  /** Begin afresh, in another channel or as another member. */
  reset() {
    this.#endCommand();
    this.reply.clear();
    this.tray.clear();
    this.input.value = "";
    this.#typed({ quiet: true });
  }

  /** @param {any} message */
  replyTo(message) {
    this.#endCommand();
    this.reply.set(message);
    this.input.focus();
  }

  /** @param {File[]} files */
  takeFiles(files) {
    if (this.#form) {
      if (!this.#form.takeFiles(files)) this.app.toast("This command has no free field for a file.", "error");
      return;
    }
    this.tray.add(files);
    this.input.focus();
  }

  async submit() {
    if (this.#busy) return;
    this.#busy = true;
    this.send.disabled = true;
    try {
      if (this.#form) await this.#submitCommand(this.#form);
      else await this.#submitMessage();
    } finally {
      this.#busy = false;
      this.send.disabled = false;
    }
  }

  async #submitMessage() {
    const { store, api } = this.app;
    const content = writeMentions(this.input.value.trim(), store);
    const files = this.tray.files;
    if (!content && !files.length) return;
    if ([...content].length > TEXT_MAX) {
      this.app.toast(`A message has at most ${TEXT_MAX} characters.`, "error");
      return;
    }
    try {
      const message = await api.sendMessage(store.channelId, { content, replyTo: this.reply.message?.id ?? null, ping: this.reply.ping, files });
      if (message?.id) store.upsertMessage(message);
      this.reply.clear();
      this.tray.clear();
      this.input.value = "";
      this.#typed({ quiet: true });
      this.input.focus();
    } catch (error) {
      this.app.toast(error.message, "error");
    }
  }

  /** @param {CommandForm} form */
  async #submitCommand(form) {
    const call = form.read();
    if (!call) return;
    try {
      await this.app.runCommand(form.entry, call);
    } catch (error) {
      form.showNotice(error.message);
      return;
    }
    if (this.#form === form) this.#endCommand();
    this.input.focus();
  }

  /** @param {import("./commands.js").Entry} entry @param {string} rest */
  #startCommand(entry, rest) {
    this.input.value = "";
    this.#typed({ quiet: true });
    this.#form = new CommandForm(this.app, entry, { onSubmit: () => this.submit(), onCancel: () => this.#cancelCommand() });
    if (rest) this.#form.prefill(rest);
    this.slot.replaceChildren(this.#form.element);
    this.element.classList.add("in-command");
    const waiting = this.tray.files;
    if (waiting.length && this.#form.takeFiles(waiting)) this.tray.clear();
    if (entry.options.length) this.#form.focus();
    else this.send.focus();
  }

  #cancelCommand() {
    this.#endCommand();
    this.input.focus();
  }

  #endCommand() {
    this.#form = null;
    this.slot.replaceChildren();
    this.element.classList.remove("in-command");
  }

  #cancelReply() {
    this.reply.clear();
    this.input.focus();
  }

  #typed({ quiet = false } = {}) {
    const left = TEXT_MAX - [...this.input.value].length;
    this.counter.textContent = left < 200 ? String(left) : "";
    this.counter.classList.toggle("over", left < 0);
    if (quiet) return this.suggest.close();
    this.suggest.refresh();
    return this.#tellTyping();
  }

  #tellTyping() {
    const now = Date.now();
    if (this.#form || !this.input.value.trim() || this.input.value.startsWith("/") || now - this.#typedAt < TYPING_EVERY_MS) return;
    this.#typedAt = now;
    this.app.api.typing(this.app.store.channelId).catch(() => { this.#typedAt = 0; });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.isComposing || this.suggest.key(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Escape" && this.reply.message) {
      event.preventDefault();
      this.#cancelReply();
    } else if (event.key === "ArrowUp" && this.input.value === "") {
      event.preventDefault();
      this.app.focusLastMessage();
    }
  }

  #paint() {
    const { store } = this.app;
    const channel = store.currentChannel;
    const allowed = channel ? channel.can_send !== false : false;
    const where = channel ? `${channel.type === DM ? "@" : "#"}${channelTitle(store, channel)}` : "";
    this.input.disabled = !allowed;
    this.attach.disabled = !allowed;
    this.send.hidden = !allowed;
    this.input.placeholder = allowed ? `Message ${where}${matchMedia("(min-width: 721px)").matches ? ", or / for commands" : ""}` : "You may not write in this channel";
    if (!allowed) this.#endCommand();
  }
}
