/**
 * Inline markdown: text to a tree of plain values. Pure; must not know the DOM.
 * Every rule is a sticky pattern whose alternatives exclude each other, so time stays bounded on hostile text.
 */

/** @typedef {{kind: string, text?: string, children?: Node_[], [key: string]: unknown}} Node_ */

const DEPTH_MAX = 8;
const BODY = "((?:\\\\[\\s\\S]|[^\\\\])+?)";
const NEXT = /[\\`*_~|<[@]|https?:\/\//g;

/** @param {string} kind @param {RegExp} pattern */
const wrap = (kind, pattern) => ({ pattern, build: (match, depth) => ({ kind, children: parseInline(match[1], depth + 1) }) });

const RULES = [
  { pattern: /\\([^A-Za-z0-9\s])/y, build: (match) => ({ kind: "text", text: match[1] }) },
  { pattern: /``([\s\S]+?)``(?!`)/y, build: (match) => ({ kind: "code", text: match[1].trim() }) },
  { pattern: /`([^`\n]+?)`(?!`)/y, build: (match) => ({ kind: "code", text: match[1] }) },
  wrap("strong", new RegExp(`\\*\\*${BODY}\\*\\*(?!\\*)`, "y")),
  wrap("underline", new RegExp(`__${BODY}__(?!_)`, "y")),
  wrap("strike", new RegExp(`~~${BODY}~~(?!~)`, "y")),
  wrap("spoiler", new RegExp(`\\|\\|${BODY}\\|\\|`, "y")),
  wrap("em", /\*(?=\S)((?:\*\*|\\[\s\S]|[^*\\])+?)\*(?!\*)/y),
  wrap("em", /\b_((?:__|\\[\s\S]|[^_\\])+?)_(?!\w)/y),
  { pattern: /<@!?(\d{1,20})>/y, build: (match) => ({ kind: "user", id: match[1] }) },
  { pattern: /<@&(\d{1,20})>/y, build: (match) => ({ kind: "role", id: match[1] }) },
  { pattern: /<#(\d{1,20})>/y, build: (match) => ({ kind: "channel", id: match[1] }) },
  { pattern: /<\/([^:<>\n]{1,100}):(\d{1,20})>/y, build: (match) => ({ kind: "command", text: match[1] }) },
  { pattern: /<a?:(\w{1,32}):\d{1,20}>/y, build: (match) => ({ kind: "emoji", text: match[1] }) },
  { pattern: /<t:(-?\d{1,13})(?::([tTdDfFRsS]))?>/y, build: (match) => ({ kind: "time", epochS: Number(match[1]), style: match[2] ?? "f" }) },
  { pattern: /<(https?:\/\/[^\s<>]{1,2000})>/y, build: (match) => ({ kind: "link", href: match[1], children: [text(match[1])] }) },
  { pattern: /\[((?:\\[\s\S]|[^\\[\]\n])+?)\]\(\s*<?(https?:\/\/[^\s<>()]{1,2000})>?(?:\s+"[^"\n]{0,200}")?\s*\)/y, build: buildMasked },
  { pattern: /https?:\/\/[^\s<>"]{1,2000}/y, build: buildBare },
  { pattern: /@(everyone|here)\b/y, build: (match) => ({ kind: "everyone", text: match[0] }) },
];

/** @param {string} value */
function text(value) {
  return { kind: "text", text: value };
}

/** A label that itself looks like an address would hide where the link goes. @param {RegExpExecArray} match */
function buildMasked(match, depth) {
  if (/https?:\/\//.test(match[1])) return text(match[0]);
  return { kind: "link", href: match[2], masked: true, children: parseInline(match[1], depth + 1) };
}

/** Punctuation that ends a sentence is no part of the address. @param {RegExpExecArray} match */
function buildBare(match) {
  const href = match[0].replace(/[.,:;!?'")\]*_~|]+$/, "");
  return { kind: "link", href, children: [text(href)], length: href.length };
}

/**
 * @param {string} source
 * @param {number} [depth]
 * @returns {Node_[]}
 */
export function parseInline(source, depth = 0) {
  if (depth > DEPTH_MAX) return [text(source)];
  const nodes = [];
  let index = 0;
  while (index < source.length) {
    NEXT.lastIndex = index;
    const next = NEXT.exec(source);
    const start = next ? next.index : source.length;
    if (start > index) push(nodes, source.slice(index, start));
    if (start >= source.length) break;
    const [node, length] = matchRule(source, start, depth);
    if (node.kind === "text") push(nodes, node.text);
    else nodes.push(node);
    index = start + length;
  }
  return nodes;
}

/** @returns {[Node_, number]} */
function matchRule(source, start, depth) {
  for (const rule of RULES) {
    rule.pattern.lastIndex = start;
    const match = rule.pattern.exec(source);
    if (!match) continue;
    const node = rule.build(match, depth);
    return [node, node.length ?? match[0].length];
  }
  return [text(source[start]), 1];
}

/** Neighbouring pieces of plain text become one. @param {Node_[]} nodes @param {string} value */
function push(nodes, value) {
  const last = nodes[nodes.length - 1];
  if (last?.kind === "text") last.text += value;
  else nodes.push(text(value));
}
