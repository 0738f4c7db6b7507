/**
 * Who is typing in the channel that is shown.
 */

import { h, replace } from "../core/dom.js";
import { displayName } from "../markdown/render.js";

const LASTS_MS = 10000;
const NAMED_MAX = 3;

/** @param {any} app @returns {HTMLElement} */
export function createTyping({ store }) {
  const element = h("div", { class: "typing", role: "status", data: { testid: "typing" } });
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  const timers = new Map();
  const paint = () => {
    const names = [...timers.keys()].slice(0, NAMED_MAX).map((id) => displayName(store.user(id) ?? { username: "Somebody" }));
    if (!names.length) return replace(element);
    const text = timers.size > NAMED_MAX ? "Several people are typing" : `${names.join(", ")} ${names.length === 1 ? "is" : "are"} typing`;
    return replace(element, h("span", { class: "dots", aria: { hidden: "true" } }, h("i"), h("i"), h("i")), h("span", { text: `${text}…` }));
  };
  const stop = (id) => {
    clearTimeout(timers.get(id));
    if (timers.delete(id)) paint();
  };
  store.addEventListener("typing", ({ detail }) => {
    if (detail.channel_id !== store.channelId || detail.user_id === store.me?.id) return;
    clearTimeout(timers.get(detail.user_id));
    timers.set(detail.user_id, setTimeout(() => stop(detail.user_id), LASTS_MS));
    paint();
  });
  store.addEventListener("message-create", ({ detail }) => stop(store.message(detail.channelId, detail.messageId)?.author.id));
  store.addEventListener("channel", () => [...timers.keys()].forEach(stop));
  return element;
}
