/**
 * What the page knows: members, channels, commands and the messages of each channel.
 * Must not know the DOM or the network; views listen to its events.
 */

import { compareIds } from "./time.js";

export const MESSAGES_MAX = 500;
const FAILURES_MAX = 200;
/** Where pictures are made: what a newcomer sees first. */
const HOME_NAME = "studio";
export const FLAG = { EPHEMERAL: 64, LOADING: 128, COMPONENTS_V2: 32768, SUPPRESS_EMBEDS: 4 };

/** @typedef {{channelId: string, steps: Array<() => void>}} Tape */

export class Store extends EventTarget {
  me = null;
  bot = null;
  botOnline = false;
  guild = null;
  /** Each server's name and members. @type {Array<{id: string, name: string, member_ids: string[]}>} */
  guilds = [];
  /** @type {Map<string, any>} */
  users = new Map();
  /** @type {any[]} */
  channels = [];
  /** Groups of channels; nobody writes in them. @type {any[]} */
  categories = [];
  /** @type {any[]} */
  commands = [];
  channelId = "";
  linkUp = true;
  /** @type {Map<string, any[]>} */
  #messages = new Map();
  /** @type {Set<Tape>} */
  #tapes = new Set();
  /** Channels whose beginning has been reached. @type {Set<string>} */
  complete = new Set();
  /** @type {Set<string>} */
  unread = new Set();
  /** Why the last press on a message failed. @type {Map<string, string>} */
  failures = new Map();

  /** @param {string} type @param {unknown} [detail] */
  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** @param {any} state the answer of /page/state */
  applyState(state) {
    this.me = state.me;
    this.bot = state.bot;
    this.botOnline = state.bot_online;
    this.guild = state.guild;
    this.guilds = state.guilds ?? [];
    this.channels = state.channels;
    this.categories = state.categories ?? [];
    this.commands = state.commands ?? [];
    this.users = new Map(state.users.map((user) => [user.id, user]));
    if (state.bot) this.users.set(state.bot.id, { roles: [], moderator: false, ...this.users.get(state.bot.id), ...state.bot, bot: true });
    if (!this.channel(this.channelId)) this.channelId = this.homeChannel?.id ?? "";
    this.emit("state");
  }

  /** Forget all messages, as another member sees others. */
  forgetMessages() {
    this.#messages.clear();
    this.#tapes.clear();
    this.complete.clear();
    this.unread.clear();
    this.failures.clear();
  }

  /** @param {string} id */
  user(id) {
    return this.users.get(id) ?? null;
  }

  /** @param {string} id */
  channel(id) {
    return this.channels.find((channel) => channel.id === id) ?? null;
  }

  /** @param {string} id */
  role(id) {
    return this.guild?.roles.find((role) => role.id === id) ?? null;
  }

  get currentChannel() {
    return this.channel(this.channelId);
  }

  get homeChannel() {
    return this.channels.find((channel) => channel.name === HOME_NAME) ?? this.channels[0] ?? null;
  }

  /** Whether a channel is the home channel, one of its threads, or the direct messages with the bot. @param {any} channel */
  isWorkplace(channel) {
    const home = this.homeChannel?.id;
    return channel.id === home || channel.parent_id === home || (Boolean(this.bot) && channel.recipient?.id === this.bot.id);
  }

  /** Who is in the open channel's server, or takes part in its direct messages. @returns {any[]} */
  get people() {
    const channel = this.currentChannel;
    if (!channel) return [];
    const guild = this.guilds.find((candidate) => candidate.id === channel.guild_id);
    const ids = new Set(guild ? guild.member_ids : [this.me?.id, channel.recipient?.id]);
    return [...this.users.values()].filter((user) => ids.has(user.id));
  }

  get isModerator() {
    return Boolean(this.user(this.me?.id)?.moderator);
  }

  /** @param {string} channelId @returns {any[]} oldest first */
  messages(channelId) {
    return this.#messages.get(channelId) ?? [];
  }

  /** @param {string} channelId @param {string} messageId */
  message(channelId, messageId) {
    return this.messages(channelId).find((message) => message.id === messageId) ?? null;
  }

  /** Remember what happens in a channel while its messages are on their way. @param {string} channelId @returns {Tape} */
  record(channelId) {
    const tape = { channelId, steps: [] };
    this.#tapes.add(tape);
    return tape;
  }

  /** @param {Tape} tape */
  stopRecording(tape) {
    this.#tapes.delete(tape);
  }

  /**
   * Take a channel's messages, then what happened since they were asked for.
   * @param {Tape} tape @param {any[]} messages @param {{keepPlace?: boolean}} [options]
   */
  setMessages(tape, messages, { keepPlace = false } = {}) {
    this.stopRecording(tape);
    this.#messages.set(tape.channelId, messages.slice(-MESSAGES_MAX));
    this.emit("messages", { channelId: tape.channelId, keepPlace });
    for (const step of tape.steps) step();
  }

  /** @param {string} channelId @param {() => void} step */
  #note(channelId, step) {
    for (const tape of this.#tapes) {
      if (tape.channelId === channelId && tape.steps.length < MESSAGES_MAX) tape.steps.push(step);
    }
  }

  /** Put older messages in front; stops at the limit. @param {string} channelId @param {any[]} older */
  prependMessages(channelId, older) {
    const known = new Set(this.messages(channelId).map((message) => message.id));
    const added = older.filter((message) => !known.has(message.id));
    const room = Math.max(0, MESSAGES_MAX - known.size);
    if (older.length === 0 || added.length > room) this.complete.add(channelId);
    const kept = room === 0 ? [] : added.slice(-room);
    this.#messages.set(channelId, [...kept, ...this.messages(channelId)]);
    this.emit("older", { channelId, count: kept.length });
  }

  /** Add a message or replace the one of the same id. @param {any} message */
  upsertMessage(message) {
    const channelId = message.channel_id;
    if (message.ephemeral_to && message.ephemeral_to !== this.me?.id) return;
    this.#note(channelId, () => this.upsertMessage(message));
    if (!this.#messages.has(channelId)) {
      this.#markUnread(channelId);
      return;
    }
    const list = this.messages(channelId);
    const index = list.findIndex((known) => known.id === message.id);
    if (index >= 0) list[index] = { ...list[index], ...message };
    else insert(list, message);
    if (list.length > MESSAGES_MAX) list.splice(0, list.length - MESSAGES_MAX);
    this.emit(index >= 0 ? "message-update" : "message-create", { channelId, messageId: message.id });
    if (index < 0) this.#markUnread(channelId);
  }

  /** @param {string} channelId @param {string} messageId */
  removeMessage(channelId, messageId) {
    this.#note(channelId, () => this.removeMessage(channelId, messageId));
    const list = this.messages(channelId);
    const index = list.findIndex((message) => message.id === messageId);
    if (index < 0) return;
    list.splice(index, 1);
    this.emit("message-delete", { channelId, messageId });
  }

  /** @param {string} channelId @param {string} messageId @param {string | null} text */
  setFailure(channelId, messageId, text) {
    if (text) this.failures.set(messageId, text);
    else if (!this.failures.delete(messageId)) return;
    if (this.failures.size > FAILURES_MAX) this.failures.delete(this.failures.keys().next().value);
    this.emit("message-update", { channelId, messageId });
  }

  /** @param {string} channelId */
  #markUnread(channelId) {
    if (channelId === this.channelId || this.unread.has(channelId)) return;
    this.unread.add(channelId);
    this.emit("unread");
  }
}

/** Keep ids ascending; messages nearly always arrive at the end. @param {any[]} list @param {any} message */
function insert(list, message) {
  let index = list.length;
  while (index > 0 && compareIds(list[index - 1].id, message.id) > 0) index -= 1;
  list.splice(index, 0, message);
}
