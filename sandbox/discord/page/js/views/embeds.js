/**
 * Embeds of a message: the classic cards with title, text, fields and a picture.
 */

import { h, safeHref } from "../core/dom.js";
import { formatDate } from "../core/time.js";
import { renderInline, renderMarkdown } from "../markdown/render.js";
import { renderGallery } from "./media.js";

const EMBEDS_MAX = 10;

/** @param {any[]} embeds @param {import("../markdown/render.js").Context} context */
export function renderEmbeds(embeds, context) {
  return embeds.slice(0, EMBEDS_MAX).map((embed) => renderEmbed(embed, context));
}

function renderEmbed(embed, context) {
  const colour = Number.isInteger(embed.color) ? `#${embed.color.toString(16).padStart(6, "0")}` : null;
  return h("article", { class: "embed", style: colour ? { "--accent-edge": colour } : {} },
    h("div", { class: "embed-main" },
      embed.author && h("p", { class: "embed-author" }, titleNode(embed.author.name ?? "", embed.author.url, context)),
      embed.title && h("p", { class: "embed-title" }, titleNode(embed.title, embed.url, context)),
      embed.description && renderMarkdown(embed.description, context),
      embed.fields?.length && h("dl", { class: "embed-fields" }, ...embed.fields.map((field) => renderField(field, context))),
      embed.image?.url && renderGallery([{ media: embed.image, description: embed.image.description ?? "" }]),
      footer(embed)),
    embed.thumbnail?.url && safeHref(embed.thumbnail.url) && h("img", { class: "embed-thumb", src: safeHref(embed.thumbnail.url), alt: "" }));
}

function titleNode(text, url, context) {
  const href = safeHref(url);
  const nodes = renderInline(text, context);
  return href ? h("a", { class: "md-link", href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...nodes) : h("span", {}, ...nodes);
}

function renderField(field, context) {
  return h("div", { class: `embed-field${field.inline ? " inline" : ""}` },
    h("dt", {}, ...renderInline(field.name ?? "", context)), h("dd", {}, renderMarkdown(field.value ?? "", context)));
}

function footer(embed) {
  const when = embed.timestamp ? new Date(embed.timestamp) : null;
  const parts = [embed.footer?.text, when && !Number.isNaN(when.getTime()) && formatDate(when, "f")].filter(Boolean);
  return parts.length ? h("p", { class: "embed-footer", text: parts.join(" · ") }) : null;
}
