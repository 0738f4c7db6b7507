/**
 * Block markdown: a message's text to a list of blocks. Pure; must not know the DOM.
 */

import { parseInline } from "./inline.js";

const FENCE = /(?<!\\)```(?:([A-Za-z0-9_+\-.#]{1,20})\n)?\n?([\s\S]+?)\n?```/g;
const QUOTE_DEPTH_MAX = 1;

/** @typedef {{kind: string, [key: string]: unknown}} Block */

/**
 * @param {string} source
 * @param {number} [quoteDepth]
 * @returns {Block[]}
 */
export function parseBlocks(source, quoteDepth = 0) {
  const blocks = [];
  let index = 0;
  for (const match of source.matchAll(FENCE)) {
    blocks.push(...parseLines(source.slice(index, match.index).replace(/\n$/, ""), quoteDepth));
    blocks.push({ kind: "fence", language: match[1] ?? "", text: match[2] });
    index = match.index + match[0].length;
  }
  blocks.push(...parseLines(index ? source.slice(index).replace(/^\n/, "") : source, quoteDepth));
  return blocks;
}

/** @param {string} source @param {number} quoteDepth @returns {Block[]} */
function parseLines(source, quoteDepth) {
  if (source === "") return [];
  const lines = source.split("\n");
  const blocks = [];
  let plain = [];
  const flush = () => {
    if (plain.length) blocks.push({ kind: "paragraph", children: parseInline(plain.join("\n")) });
    plain = [];
  };
  for (let index = 0; index < lines.length; index += 1) {
    const [block, used] = matchBlock(lines, index, quoteDepth);
    if (!block) {
      plain.push(lines[index]);
      continue;
    }
    flush();
    blocks.push(block);
    index += used - 1;
  }
  flush();
  return blocks;
}

/** @param {string[]} lines @param {number} index @param {number} quoteDepth @returns {[Block | null, number]} */
function matchBlock(lines, index, quoteDepth) {
  const line = lines[index];
  const header = /^(#{1,3}) +(\S.*)$/.exec(line);
  if (header) return [{ kind: "header", level: header[1].length, children: parseInline(header[2]) }, 1];
  const small = /^-# +(\S.*)$/.exec(line);
  if (small) return [{ kind: "subtext", children: parseInline(small[1]) }, 1];
  if (quoteDepth < QUOTE_DEPTH_MAX && line.startsWith(">>> ")) {
    const rest = [line.slice(4), ...lines.slice(index + 1)];
    return [{ kind: "quote", blocks: parseLines(rest.join("\n"), quoteDepth + 1) }, lines.length - index];
  }
  if (quoteDepth < QUOTE_DEPTH_MAX && /^> /.test(line)) return takeQuote(lines, index, quoteDepth);
  if (/^ *(?:[-*]|\d{1,9}\.) +\S/.test(line)) return takeList(lines, index);
  return [null, 0];
}

/** @returns {[Block, number]} */
function takeQuote(lines, index, quoteDepth) {
  let end = index;
  while (end < lines.length && /^>( |$)/.test(lines[end])) end += 1;
  const inner = lines.slice(index, end).map((line) => line.slice(2));
  return [{ kind: "quote", blocks: parseLines(inner.join("\n"), quoteDepth + 1) }, end - index];
}

/** @returns {[Block, number]} */
function takeList(lines, index) {
  const pattern = /^( *)([-*]|\d{1,9}\.) +(\S.*)$/;
  const ordered = /^ *\d/.test(lines[index]);
  const items = [];
  let end = index;
  for (; end < lines.length; end += 1) {
    const match = pattern.exec(lines[end]);
    if (!match || /^\d/.test(match[2]) !== ordered) break;
    items.push({ level: Math.min(3, Math.floor(match[1].length / 2)), children: parseInline(match[3]) });
  }
  const start = ordered ? Number.parseInt(lines[index].trim(), 10) : 1;
  return [{ kind: "list", ordered, start, items }, end - index];
}
