/**
 * What the page can do: the actions that views call, joining store, server and dialogs.
 * Must not build the layout (main.js) nor read frames (live.js).
 */

import { Api } from "./core/api.js";
import { Interactions } from "./core/interactions.js";
import { Socket } from "./core/socket.js";
import { Store } from "./core/store.js";
import { Clock } from "./core/time.js";
import { openModal } from "./modal/modal.js";
import { createToasts } from "./ui/toast.js";

const PAGE = 50;

export class App {
  /** @param {HTMLElement} root @param {{locale: string}} options */
  constructor(root, { locale }) {
    this.root = root;
    this.store = new Store();
    this.clock = new Clock();
    const session = makeSession();
    this.api = new Api(session);
    this.socket = new Socket(session);
    this.interactions = new Interactions(this.api, locale);
    this.toasts = createToasts();
    this.toast = this.toasts.show;
    /** @type {import("./views/messages.js").MessageList} */
    this.list = null;
    /** @type {import("./composer/composer.js").Composer} */
    this.composer = null;
    this.pending = null;
    this.store.addEventListener("open-channel", (event) => this.openPlace(event.detail));
  }

  /** Fetch what this member sees. @param {string} user */
  async loadState(user) {
    const state = await this.api.state(user);
    this.api.as = state.me.id;
    this.clock.offsetS = state.clock_offset_s ?? 0;
    this.store.applyState(state);
  }

  /** @param {string} channelId @param {{keepPlace?: boolean}} [options] */
  async loadMessages(channelId, options) {
    const tape = this.store.record(channelId);
    try {
      const { messages } = await this.api.messages(channelId, { limit: PAGE });
      if (messages.length < PAGE) this.store.complete.add(channelId);
      else this.store.complete.delete(channelId);
      this.store.setMessages(tape, messages, options);
    } finally {
      this.store.stopRecording(tape);
    }
  }

  /** @param {string} channelId */
  async loadOlder(channelId) {
    const before = this.store.messages(channelId)[0]?.id;
    const { messages } = await this.api.messages(channelId, { before, limit: PAGE });
    if (messages.length < PAGE) this.store.complete.add(channelId);
    this.store.prependMessages(channelId, messages);
  }

  /** @param {string} channelId */
  async openChannel(channelId) {
    const { store } = this;
    this.toggleDrawer(false);
    if (!store.channel(channelId)) return;
    if (channelId !== store.channelId) this.composer.reset();
    store.channelId = channelId;
    store.unread.delete(channelId);
    store.emit("channel");
    this.writeAddress();
    await this.attempt(() => this.loadMessages(channelId));
    if (matchMedia("(hover: hover)").matches) this.focusComposer();
  }

  /** @param {{channelId: string, messageId: string | null}} place */
  async openPlace({ channelId, messageId }) {
    if (channelId !== this.store.channelId) await this.openChannel(channelId);
    if (messageId) this.jumpTo(messageId);
  }

  /** @param {string} user */
  async actAs(user) {
    this.composer.reset();
    this.socket.close();
    await this.attempt(async () => {
      const before = this.store.channelId;
      this.store.forgetMessages();
      await this.loadState(user);
      await this.socket.connect(this.api.as);
      await this.openChannel(this.store.channel(before) ? before : this.store.homeChannel?.id);
    });
  }

  /** Everything anew, after a lost connection. */
  async reload() {
    await this.attempt(async () => {
      const channelId = this.store.channelId;
      await this.loadState(this.api.as);
      if (this.store.channelId !== channelId) await this.openChannel(this.store.channelId);
      else if (channelId) await this.loadMessages(channelId, { keepPlace: true });
    });
  }

  /** Keep the address in step, so a reload comes back here. */
  writeAddress() {
    const url = new URL(location.href);
    url.searchParams.set("as", this.store.me.username);
    url.searchParams.set("channel", this.store.currentChannel?.name || this.store.channelId);
    history.replaceState(null, "", url);
  }

  /** @param {() => Promise<unknown>} action */
  async attempt(action) {
    try {
      return await action();
    } catch (error) {
      this.toast(error.message, "error");
      return null;
    }
  }

  /** @param {any} message */
  reply(message) {
    this.composer.replyTo(message);
  }

  /** @param {any} message */
  deleteMessage(message) {
    return this.attempt(async () => {
      await this.api.deleteMessage(message.channel_id, message.id);
      this.store.removeMessage(message.channel_id, message.id);
    });
  }

  /** A slash command's form was sent. @param {import("./composer/commands.js").Entry} entry @param {{options: any[], files: File[]}} call */
  async runCommand(entry, { options, files }) {
    const { done } = await this.interactions.command({ channelId: this.store.channelId, command: entry.command, options, files });
    this.pending.follow(`/${entry.name}`, done);
  }

  /** @param {any} command @param {any} message */
  runMessageCommand(command, message) {
    return this.attempt(async () => {
      const { done } = await this.interactions.command({ channelId: message.channel_id, command, targetId: message.id });
      this.pending.follow(command.name, done);
    });
  }

  /** @param {any} command @param {any} user */
  runUserCommand(command, user) {
    return this.attempt(async () => {
      const { done } = await this.interactions.command({ channelId: this.store.channelId, command, targetId: user.id });
      this.pending.follow(command.name, done);
    });
  }

  /** A button or select of a message. @param {any} message @param {any} component @param {string[] | null} values @param {HTMLElement} element */
  async press(message, component, values, element) {
    if (element.getAttribute("aria-busy") === "true") return;
    const { channel_id: channelId, id: messageId } = message;
    this.store.failures.delete(messageId);
    element.setAttribute("aria-busy", "true");
    const sent = { custom_id: component.custom_id, component_type: component.type, ...(values ? { values } : {}) };
    try {
      const { done } = await this.interactions.press({ channelId, messageId, component: sent });
      const outcome = await done;
      this.store.setFailure(channelId, messageId, outcome.state === "failed" ? outcome.message : null);
    } catch (error) {
      this.store.setFailure(channelId, messageId, error.message);
    } finally {
      element.removeAttribute("aria-busy");
    }
  }

  /** @param {any} modal */
  showModal(modal) {
    openModal(this, modal);
  }

  /** @param {string} messageId */
  jumpTo(messageId) {
    if (!this.list.reveal(messageId)) this.toast("That message is not loaded here.");
  }

  /** @param {string} text @param {string} said */
  async copy(text, said) {
    try {
      await navigator.clipboard.writeText(text);
      this.toast(said);
    } catch {
      this.toast("The browser did not allow copying.", "error");
    }
  }

  focusComposer() {
    this.composer.focus();
  }

  focusLastMessage() {
    this.list.element.querySelector(".message[tabindex='0']")?.focus();
  }

  /** @param {boolean} [open] */
  toggleDrawer(open) {
    const isOpen = this.root.classList.toggle("drawer-open", open);
    this.root.querySelector(".drawer-button")?.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) this.root.querySelector(".channel.current, .channel")?.focus();
  }
}

/** Not randomUUID, which a page on a plain http address of another machine lacks. */
function makeSession() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
