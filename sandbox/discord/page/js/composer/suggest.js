/**
 * Completion over the text field: commands after `/`, members after `@`, channels after `#`.
 */

import { h } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { channelItems, userItems } from "../components/select.js";
import { Listbox } from "../ui/listbox.js";
import { matchEntries, parseTyped, slashEntries } from "./commands.js";

const MEMBERS_MAX = 8;

export class Suggest {
  #close = true;
  #range = null;

  /**
   * @param {any} app
   * @param {HTMLTextAreaElement} input
   * @param {{onCommand: (entry: any, rest: string) => void}} owner
   */
  constructor(app, input, { onCommand }) {
    Object.assign(this, { app, input, onCommand });
    this.list = new Listbox({ label: "Suggestions", onPick: (item) => this.#pick(item) });
    this.heading = h("p", { class: "suggest-heading" });
    this.element = h("div", { class: "suggest", hidden: true }, this.heading, this.list.element);
    input.setAttribute("role", "combobox");
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-controls", this.list.id);
    input.setAttribute("aria-expanded", "false");
  }

  get isOpen() {
    return !this.#close;
  }

  /** Look at what was typed. */
  refresh() {
    const text = this.input.value;
    if (text.startsWith("/")) return this.#commands(text);
    const before = text.slice(0, this.input.selectionStart ?? text.length);
    const word = /(?:^|\s)([@#])([^\s@#]{0,32})$/.exec(before);
    if (!word) return this.close();
    return this.#people(word[1], word[2], before.length);
  }

  close() {
    this.#close = true;
    this.element.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  /** @param {string} text */
  #commands(text) {
    const entries = slashEntries(this.app.store);
    const typed = parseTyped(entries, text);
    if (typed) {
      this.close();
      this.onCommand(typed.entry, typed.rest);
      return;
    }
    const bot = this.app.store.bot;
    const items = matchEntries(entries, text.slice(1)).map((entry) => ({
      value: entry.name, label: `/${entry.name}`, detail: entry.description, lead: h("span", { class: "slash-mark" }, icon("slash")), entry,
      data: { testid: "command-suggestion", name: entry.name },
    }));
    if (!items.length) return this.close();
    this.#open(bot ? `Commands of ${bot.global_name ?? bot.username}` : "Commands", items);
  }

  #people(mark, typed, end) {
    const { store } = this.app;
    const query = typed.toLowerCase();
    const all = mark === "@" ? userItems(store) : channelItems(store);
    const items = all.filter((item) => `${item.label} ${item.detail ?? ""}`.toLowerCase().includes(query)).slice(0, MEMBERS_MAX)
      .map((item) => ({ ...item, data: { testid: "mention-suggestion", name: item.detail ?? item.label } }));
    if (!items.length) return this.close();
    this.#range = { start: end - typed.length - 1, end, mark };
    this.#open(mark === "@" ? "Members" : "Channels", items);
  }

  #open(heading, items) {
    this.heading.textContent = heading;
    this.#close = false;
    this.element.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.list.setItems(items);
    this.#announce();
  }

  #announce() {
    const id = this.list.activeId;
    if (id) this.input.setAttribute("aria-activedescendant", id);
  }

  #pick(item) {
    this.close();
    if (item.entry) {
      this.onCommand(item.entry, "");
      return;
    }
    const { start, end, mark } = this.#range;
    this.input.setRangeText(`${mark}${mark === "@" ? item.detail : item.label} `, start, end, "end");
    this.input.dispatchEvent(new Event("input"));
    this.close();
    this.input.focus();
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether the key was used */
  key(event) {
    if (this.#close) return false;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      this.list.move(event.key === "ArrowDown" ? 1 : -1);
      this.#announce();
    } else if (event.key === "Enter" || event.key === "Tab") {
      this.list.pickActive();
    } else if (event.key === "Escape") {
      this.close();
    } else {
      return false;
    }
    event.preventDefault();
    return true;
  }
}

/** Names become Discord's mention tags. @param {string} text @param {any} store */
export function writeMentions(text, store) {
  const users = [...store.users.values()].sort((left, right) => right.username.length - left.username.length);
  let written = text;
  for (const user of users) {
    const pattern = new RegExp(`(^|[\\s(])@${escapePattern(user.username)}(?![\\w.])`, "gi");
    written = written.replace(pattern, (_, lead) => `${lead}<@${user.id}>`);
  }
  for (const channel of store.channels.filter((candidate) => candidate.guild_id && candidate.name)) {
    const pattern = new RegExp(`(^|[\\s(])#${escapePattern(channel.name)}(?![\\w-])`, "g");
    written = written.replace(pattern, (_, lead) => `${lead}<#${channel.id}>`);
  }
  return written;
}

/** @param {string} text */
function escapePattern(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
