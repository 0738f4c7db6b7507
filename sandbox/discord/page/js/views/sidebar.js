/**
 * The left column: the server's channels, direct messages and who is acted as. A drawer on narrow screens.
 */

import { h, replace } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { displayName } from "../markdown/render.js";
import { avatar } from "../ui/avatar.js";

export const DM = 1;
const THREADS = new Set([10, 11, 12]);

/** @param {any} app @returns {HTMLElement} */
export function createSidebar(app) {
  const { store } = app;
  const list = h("div", { class: "channel-list" });
  const panel = h("div", { class: "me-panel" });
  const title = h("h1", { class: "guild-name" });
  const element = h("nav", { class: "sidebar", id: "sidebar", aria: { label: "Channels" } },
    h("header", { class: "guild-header" }, h("span", { class: "guild-mark", aria: { hidden: "true" } }, icon("spark")), title), list, panel);
  const paint = () => {
    title.textContent = serverIds(store).length > 1 ? "Local Discord" : store.guild?.name ?? "Local Discord";
    replace(list, ...channelGroups(app));
    replace(panel, ...mePanel(app));
  };
  const paintList = () => replace(list, ...channelGroups(app));
  store.addEventListener("state", paint);
  for (const type of ["channel", "unread", "bot"]) store.addEventListener(type, paintList);
  return element;
}

/** @param {any} store @returns {string[]} */
function serverIds(store) {
  return [...new Set(store.channels.filter((channel) => channel.guild_id).map((channel) => channel.guild_id))];
}

/** @param {any} app */
function channelGroups(app) {
  const { store } = app;
  const servers = serverIds(store);
  const groups = servers.flatMap((id) => {
    const channels = underParents(store.channels.filter((channel) => channel.guild_id === id));
    const plain = servers.length > 1 ? channels[0].guild_name ?? "Text channels" : "Text channels";
    return byCategory(store, channels, { plain, prefix: servers.length > 1 ? `${plain} · ` : "" });
  });
  groups.push(["Direct messages", store.channels.filter((channel) => !channel.guild_id)]);
  return groups.filter(([, channels]) => channels.length).map(([name, channels]) =>
    h("section", { class: "channel-group" }, h("h2", { class: "channel-heading", text: name }),
      h("ul", { class: "channel-items" }, ...channels.map((channel) => h("li", {}, channelButton(app, channel))))));
}

/** Channels under their category's name, the others under the server's. @returns {Array<[string, any[]]>} */
function byCategory(store, channels, { plain, prefix }) {
  const top = (channel) => channels.find((parent) => parent.id === channel.parent_id) ?? channel;
  const categoryOf = (channel) => store.categories.find((category) => category.id === top(channel).parent_id) ?? null;
  const inside = store.categories.map((category) => [prefix + category.name, channels.filter((channel) => categoryOf(channel)?.id === category.id)]);
  return [...inside, [plain, channels.filter((channel) => !categoryOf(channel))]];
}

/** Threads follow the channel they belong to. @param {any[]} channels */
function underParents(channels) {
  const isChild = (channel) => channels.some((parent) => parent.id === channel.parent_id);
  return channels.filter((channel) => !isChild(channel)).flatMap((channel) => [channel, ...channels.filter((child) => child.parent_id === channel.id)]);
}

/** @param {any} channel */
export function isThread(channel) {
  return THREADS.has(channel.type);
}

/** @param {any} store @param {any} channel */
export function channelTitle(store, channel) {
  return channel.type === DM && channel.recipient ? displayName(store.user(channel.recipient.id) ?? channel.recipient) : channel.name;
}

function channelButton(app, channel) {
  const { store } = app;
  const current = channel.id === store.channelId;
  const unread = store.unread.has(channel.id);
  const isDm = channel.type === DM;
  const lead = isDm && channel.recipient ? avatar(store.user(channel.recipient.id) ?? channel.recipient, "small") : icon(isThread(channel) ? "thread" : "hash");
  return h("button", {
    class: `channel${isThread(channel) ? " thread" : ""}${current ? " current" : ""}${unread ? " unread" : ""}`, type: "button",
    aria: { current: current ? "page" : null }, data: { testid: "channel", name: channel.name ?? channelTitle(store, channel), id: channel.id },
    on: { click: () => app.openChannel(channel.id) },
  }, h("span", { class: "channel-lead" }, lead, isDm && channel.recipient?.id === store.bot?.id && statusDot(store)),
  h("span", { class: "channel-name", text: channelTitle(store, channel) }),
  unread && h("span", { class: "unread-dot" }, h("span", { class: "visually-hidden", text: "unread" })));
}

/** @param {any} store */
export function statusDot(store) {
  const text = store.botOnline ? "online" : "offline";
  return h("span", { class: `status-dot ${text}`, title: `The bot is ${text}` }, h("span", { class: "visually-hidden", text }));
}

/** A native select lies over the card, so keyboards and phones get their own list. @param {any} app */
function mePanel(app) {
  const { store } = app;
  const members = [...store.users.values()].filter((user) => !user.bot);
  const select = h("select", { class: "act-as", aria: { label: "Act as" }, data: { testid: "act-as" } },
    ...members.map((user) => h("option", { value: user.id, selected: user.id === store.me.id, text: displayName(user) + (user.moderator && !/moderator/i.test(displayName(user)) ? " (moderator)" : "") })));
  select.addEventListener("change", () => app.actAs(select.value));
  return [
    select,
    h("div", { class: "me-card" }, avatar(store.me),
      h("span", { class: "me-text", aria: { hidden: "true" } }, h("span", { class: "me-name", text: displayName(store.me) }),
        h("span", { class: "me-role" }, store.isModerator && icon("shield"), store.isModerator ? "Moderator" : "Member")),
      h("span", { class: "me-switch", aria: { hidden: "true" } }, "Switch", icon("chevron"))),
  ];
}
