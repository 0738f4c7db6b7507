/**
 * One message as DOM: author, text, pictures, embeds, components and its notices.
 */

import { h } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { firstText, hasPictures, interactionOf, isEphemeral, isLoading, mentions } from "../core/facts.js";
import { FLAG } from "../core/store.js";
import { messageTime, sameDay, snowflakeDate } from "../core/time.js";
import { NO_RESPONSE } from "../core/interactions.js";
import { renderComponents } from "../components/render.js";
import { displayName, plainText, renderMarkdown } from "../markdown/render.js";
import { avatar, nameColour } from "../ui/avatar.js";
import { messageToolbar } from "./actions.js";
import { renderEmbeds } from "./embeds.js";
import { renderAttachments } from "./media.js";
import { appTag } from "./members.js";

const GROUP_WINDOW_MS = 7 * 60 * 1000;

/** @param {any} message @param {any} previous whether the head can be left out */
export function continuesGroup(message, previous) {
  if (!previous || previous.author.id !== message.author.id) return false;
  if (message.message_reference || interactionOf(message) || isEphemeral(message) !== isEphemeral(previous)) return false;
  const [now, before] = [new Date(message.timestamp), new Date(previous.timestamp)];
  return sameDay(now, before) && now.getTime() - before.getTime() < GROUP_WINDOW_MS;
}

/** @param {any} app @param {any} message @param {any} previous @returns {HTMLElement} */
export function renderMessage(app, message, previous) {
  const { store } = app;
  const grouped = continuesGroup(message, previous);
  const ephemeral = isEphemeral(message);
  const mine = mentions(message, store.me?.id);
  const author = store.user(message.author.id) ?? message.author;
  const classes = ["message", grouped && "grouped", ephemeral && "ephemeral", mine && "mentions-me"].filter(Boolean).join(" ");
  return h("article", {
    class: classes, tabindex: -1, aria: { label: `${displayName(author)}, ${messageTime(message.timestamp, app.clock)}` },
    data: { testid: "message", "message-id": message.id, author: message.author.username, ephemeral: String(ephemeral) },
  },
  replyLine(app, message), usedLine(app, message),
  h("div", { class: "message-row" },
    grouped ? h("time", { class: "gutter-time", datetime: message.timestamp, text: messageTime(message.timestamp, app.clock).split(", ").pop() }) : avatar(author),
    h("div", { class: "message-main" }, grouped ? null : headLine(app, message, author), messageBody(app, message), ...notices(app, message, ephemeral))),
  messageToolbar(app, message));
}

function headLine(app, message, author) {
  const colour = nameColour(author, app.store);
  return h("header", { class: "message-head" },
    h("span", { class: "author", text: displayName(author), style: colour ? { "--role": colour } : {} }),
    message.author.bot && appTag(),
    h("time", { class: "message-time", datetime: message.timestamp, title: new Date(message.timestamp).toLocaleString("en-GB"), text: messageTime(message.timestamp, app.clock) }));
}

/** A message that answers another shows it in one line that leads there. */
function replyLine(app, message) {
  const reference = message.message_reference;
  if (!reference?.message_id || message.type !== 19) return null;
  const { store } = app;
  const target = store.message(message.channel_id, reference.message_id) ?? message.referenced_message;
  if (!target) return h("div", { class: "reply-line lost" }, h("span", { class: "reply-text", text: "The original message was deleted" }));
  const author = store.user(target.author.id) ?? target.author;
  const pings = message.mentions?.some((user) => user.id === target.author.id);
  return h("button", { class: "reply-line", type: "button", aria: { label: `Reply to ${displayName(author)}: ${snippet(app, target)}. Jump to it` }, on: { click: () => app.jumpTo(target.id) } },
    avatar(author, "tiny"), h("span", { class: "reply-author", text: `${pings ? "@" : ""}${displayName(author)}` }),
    h("span", { class: "reply-text", text: snippet(app, target) }), hasPictures(target) && icon("image"));
}

function usedLine(app, message) {
  const source = interactionOf(message);
  const name = message.interaction?.name ?? message.interaction_metadata?.name;
  if (!source?.user || message.type === 19 && message.message_reference) return null;
  const user = app.store.user(source.user.id) ?? source.user;
  if (!name) return null;
  return h("div", { class: "reply-line used" }, avatar(user, "tiny"), h("span", { class: "reply-author", text: displayName(user) }), "used", h("span", { class: "mention", text: name.startsWith("/") || message.type === 23 ? name : `/${name}` }));
}

/** @param {any} app @param {any} message */
export function snippet(app, message) {
  const text = plainText(firstText(message), { store: app.store, clock: app.clock });
  return text.slice(0, 160) || (hasPictures(message) ? "Click to see the picture" : "Click to see the message");
}

function messageBody(app, message) {
  const context = { store: app.store, clock: app.clock, mentionEveryone: message.mention_everyone };
  const flags = message.flags ?? 0;
  if (isLoading(message) && !message.interaction_failed) {
    return h("p", { class: "thinking", role: "status" }, h("span", { class: "dots", aria: { hidden: "true" } }, h("i"), h("i"), h("i")), `${displayName(message.author)} is thinking…`);
  }
  const layout = Boolean(flags & FLAG.COMPONENTS_V2);
  const host = { store: app.store, clock: app.clock, message, press: (component, values, element) => app.press(message, component, values, element) };
  return h("div", { class: "message-body" },
    message.content && withEdited(renderMarkdown(message.content, context), message),
    ...(layout ? [] : renderAttachments(message.attachments ?? [])),
    ...(layout || flags & FLAG.SUPPRESS_EMBEDS ? [] : renderEmbeds(message.embeds ?? [], context)),
    message.components?.length ? renderComponents(message.components, host) : null,
    !message.content && message.edited_timestamp && !isEphemeral(message) && editedMark(message));
}

function withEdited(node, message) {
  if (!message.edited_timestamp) return node;
  const last = node.lastElementChild;
  (last?.tagName === "P" ? last : node).append(" ", editedMark(message));
  return node;
}

function editedMark(message) {
  return h("span", { class: "edited", title: new Date(message.edited_timestamp).toLocaleString("en-GB"), text: "(edited)" });
}

function notices(app, message, ephemeral) {
  const failure = message.interaction_failed ? NO_RESPONSE : app.store.failures.get(message.id);
  return [
    failure && h("p", { class: "failed", role: "alert", data: { testid: "interaction-failed" } }, icon("warn"), failure),
    ephemeral && h("p", { class: "only-you" }, icon("eye"), "Only you can see this · ",
      h("button", { class: "text-button", type: "button", data: { testid: "dismiss" }, on: { click: () => app.deleteMessage(message) }, text: "Dismiss" })),
  ];
}

/** @param {any} message */
export function messageDate(message) {
  return message.timestamp ? new Date(message.timestamp) : snowflakeDate(message.id);
}
