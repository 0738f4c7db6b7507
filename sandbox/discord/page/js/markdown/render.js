/**
 * Markdown tree to DOM nodes. Text becomes text nodes and addresses pass `safeHref`, so nothing typed runs.
 */

import { h, safeHref } from "../core/dom.js";
import { timeElement } from "../core/time.js";
import { parseBlocks } from "./blocks.js";
import { parseInline } from "./inline.js";

const MESSAGE_LINK = /^https:\/\/(?:\w+\.)?discord(?:app)?\.com\/channels\/(?:\d{1,20}|@me)\/(\d{1,20})(?:\/(\d{1,20}))?$/;

/** @typedef {{store: import("../core/store.js").Store, clock: import("../core/time.js").Clock, mentionEveryone?: boolean}} Context */

/** @param {string} source @param {Context} context @returns {HTMLElement} */
export function renderMarkdown(source, context) {
  const root = h("div", { class: "md" });
  root.append(...parseBlocks(source).map((block) => renderBlock(block, context)));
  return root;
}

/** One line, for previews and titles. @param {string} source @param {Context} context */
export function renderInline(source, context) {
  return renderNodes(parseInline(source), context);
}

/** The words alone, for previews. @param {string} source @param {Context} context */
export function plainText(source, context) {
  const holder = h("div");
  holder.append(...parseBlocks(source).flatMap((block) => [renderBlock(block, context), " "]));
  return (holder.textContent ?? "").replace(/\s+/g, " ").trim();
}

function renderBlock(block, context) {
  switch (block.kind) {
    case "header":
      return h(`h${block.level + 2}`, { class: `md-h md-h${block.level}` }, ...renderNodes(block.children, context));
    case "subtext":
      return h("div", { class: "md-sub" }, ...renderNodes(block.children, context));
    case "quote":
      return h("blockquote", { class: "md-quote" }, ...block.blocks.map((inner) => renderBlock(inner, context)));
    case "fence":
      return h("pre", { class: "md-pre", tabindex: 0 }, h("code", { text: block.text, data: { language: block.language || null } }));
    case "list":
      return renderList(block, context);
    default:
      return h("p", { class: "md-p" }, ...renderNodes(block.children, context));
  }
}

function renderList(block, context) {
  const items = block.items.map((item) =>
    h("li", { class: `md-li md-li-${item.level}` }, ...renderNodes(item.children, context)));
  return block.ordered ? h("ol", { class: "md-list", start: block.start }, ...items) : h("ul", { class: "md-list" }, ...items);
}

/** @returns {Node[]} */
function renderNodes(nodes, context) {
  return nodes.map((node) => renderNode(node, context));
}

const PLAIN_TAGS = { strong: "strong", em: "em", underline: "u", strike: "s" };

function renderNode(node, context) {
  if (PLAIN_TAGS[node.kind]) return h(PLAIN_TAGS[node.kind], {}, ...renderNodes(node.children, context));
  switch (node.kind) {
    case "code": return h("code", { class: "md-code", text: node.text });
    case "spoiler": return renderSpoiler(renderNodes(node.children, context));
    case "link": return renderLink(node, context);
    case "user": return renderUser(node.id, context);
    case "role": return renderRole(node.id, context);
    case "channel": return renderChannel(node.id, context);
    case "command": return h("span", { class: "mention", text: `/${node.text}` });
    case "emoji": return h("span", { class: "md-emoji", text: `:${node.text}:` });
    case "time": return timeElement(node.epochS, node.style, context.clock);
    case "everyone": return context.mentionEveryone ? h("span", { class: "mention", text: node.text }) : document.createTextNode(node.text);
    default: return document.createTextNode(node.text);
  }
}

/** @param {Node[]} children */
function renderSpoiler(children) {
  const reveal = (event) => {
    const target = event.currentTarget;
    if (target.classList.contains("open") || (event.type === "keydown" && event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    target.classList.add("open");
    target.removeAttribute("role");
    target.removeAttribute("tabindex");
    target.removeAttribute("aria-label");
  };
  const inner = h("span", { class: "md-spoiler-text" }, ...children);
  return h("span", {
    class: "md-spoiler", role: "button", tabindex: 0, aria: { label: "Spoiler, press to show" }, on: { click: reveal, keydown: reveal },
  }, inner);
}

function renderLink(node, context) {
  const href = safeHref(node.href);
  const children = renderNodes(node.children, context);
  if (!href) return h("span", {}, ...children);
  const place = MESSAGE_LINK.exec(href);
  if (place && context.store.channel(place[1])) return renderPlace(place[1], place[2] ?? null, node.masked ? children : null, context.store);
  return h("a", { class: "md-link", href, target: "_blank", rel: "noopener noreferrer nofollow", title: node.masked ? href : null }, ...children);
}

/** A link to a message of this Discord leads there without leaving the page. */
function renderPlace(channelId, messageId, children, store) {
  const name = store.channel(channelId).name;
  const label = name ? `#${name}` : "direct message";
  return h("button", {
    class: "mention mention-link", type: "button", data: { testid: "message-link" },
    on: { click: () => store.emit("open-channel", { channelId, messageId }) },
  }, ...(children ?? [messageId ? `${label} › message` : label]));
}

function renderUser(id, { store }) {
  const user = store.user(id);
  const mine = id === store.me?.id;
  return h("span", { class: `mention${mine ? " mention-me" : ""}`, data: { "user-id": id }, text: `@${user ? displayName(user) : "unknown member"}` });
}

function renderRole(id, { store }) {
  return h("span", { class: "mention", text: `@${store.role(id)?.name ?? "unknown role"}` });
}

function renderChannel(id, { store }) {
  const channel = store.channel(id);
  if (!channel) return h("span", { class: "mention", text: "#unknown" });
  return h("button", { class: "mention mention-link", type: "button", on: { click: () => store.emit("open-channel", { channelId: id, messageId: null }) }, text: `#${channel.name}` });
}

/** @param {{global_name?: string | null, username: string}} user */
export function displayName(user) {
  return user.global_name || user.username;
}
