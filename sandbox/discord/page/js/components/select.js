/**
 * Select menus of messages and modals: their options from the component or from who and what is in the server.
 */

import { h } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { displayName } from "../markdown/render.js";
import { avatar } from "../ui/avatar.js";
import { Select } from "../ui/select.js";
import { emoji } from "./button.js";

const CATEGORY = 4;

/** Who can be chosen where: the people of the open channel. @param {any} store */
export function userItems(store) {
  return store.people.map((user) => ({ value: user.id, label: displayName(user), detail: user.username, lead: avatar(user, "small") }));
}

/** @param {any} store */
export function roleItems(store) {
  if (store.currentChannel?.guild_id !== store.guild?.id) return [];
  return (store.guild?.roles ?? []).map((role) => ({ value: role.id, label: role.name, lead: icon("shield") }));
}

/** @param {any} store @param {number[]} [types] */
export function channelItems(store, types) {
  const guildId = store.currentChannel?.guild_id;
  const named = new Map(store.categories.map((category) => [category.id, category.name]));
  return [...store.categories, ...store.channels]
    .filter((channel) => guildId && channel.guild_id === guildId && (!types?.length || types.includes(channel.type)))
    .map((channel) => ({ value: channel.id, label: channel.name, detail: named.get(channel.parent_id) ?? "", lead: icon(channel.type === CATEGORY ? "chevron" : "hash") }));
}

/** @param {any} component @param {any} store */
export function selectItems(component, store) {
  if (component.type === 3) {
    return (component.options ?? []).map((option) => ({
      value: option.value, label: option.label, detail: option.description ?? "", lead: emoji(option.emoji), isDefault: Boolean(option.default),
    }));
  }
  const sources = {
    5: () => userItems(store), 6: () => roleItems(store), 7: () => [...userItems(store), ...roleItems(store)], 8: () => channelItems(store, component.channel_types),
  };
  const defaults = new Set((component.default_values ?? []).map((entry) => entry.id));
  const items = sources[component.type]().map((item) => ({ ...item, isDefault: defaults.has(item.value) }));
  // Who left, or what was deleted, is still chosen until somebody changes the choice.
  for (const item of items) defaults.delete(item.value);
  return [...items, ...[...defaults].map((id) => ({ value: id, label: knownName(store, id), isDefault: true }))];
}

/** @param {any} store @param {string} id */
function knownName(store, id) {
  return store.user(id) ? displayName(store.user(id)) : `Unknown (${id})`;
}

/** @param {any} component @param {any} store @param {object} [extra] */
export function buildSelect(component, store, extra = {}) {
  return new Select({
    items: selectItems(component, store), placeholder: component.placeholder || "Make a selection",
    min: component.min_values ?? 1, max: component.max_values ?? 1, disabled: Boolean(component.disabled), ...extra,
  });
}

/** @param {any} component @param {import("./render.js").Host} host */
export function renderSelect(component, host) {
  const select = buildSelect(component, host.store, { onCommit: (values) => host.press(component, values, select.element) });
  select.element.dataset.customId = component.custom_id ?? "";
  return h("div", { class: "select-slot" }, select.element);
}
