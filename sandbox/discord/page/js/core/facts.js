/**
 * Facts read off a message's data. Pure; must not know the DOM.
 */

import { FLAG } from "./store.js";

const STEPS_MAX = 60;
const TEXT_DISPLAY = 10;
const MEDIA_TYPES = new Set([11, 12]);

/** @param {any} message */
export function isEphemeral(message) {
  return Boolean(message.ephemeral_to) || Boolean((message.flags ?? 0) & FLAG.EPHEMERAL);
}

/** @param {any} message */
export function isLoading(message) {
  return Boolean((message.flags ?? 0) & FLAG.LOADING);
}

/** Which interaction it answers. @param {any} message @returns {any} */
export function interactionOf(message) {
  return message.interaction_metadata ?? message.interaction ?? null;
}

/** All components, nested ones too, in reading order. @param {any} message @returns {any[]} */
function componentsOf(message) {
  const queue = [...(message.components ?? [])];
  const found = [];
  while (queue.length && found.length < STEPS_MAX) {
    const component = queue.shift();
    found.push(component);
    queue.unshift(...(component.components ?? []), ...(component.accessory ? [component.accessory] : []));
  }
  return found;
}

/** The words a preview shows. @param {any} message @returns {string} */
export function firstText(message) {
  if (message.content) return message.content;
  const display = componentsOf(message).find((component) => component.type === TEXT_DISPLAY);
  return display?.content ?? message.embeds?.[0]?.title ?? message.embeds?.[0]?.description ?? "";
}

/** @param {any} message */
export function hasPictures(message) {
  return Boolean(message.attachments?.length) || componentsOf(message).some((component) => MEDIA_TYPES.has(component.type));
}

/** @param {any} message @param {string | undefined} me */
export function mentions(message, me) {
  return message.author.id !== me && Boolean(message.mention_everyone || message.mentions?.some((user) => user.id === me));
}
