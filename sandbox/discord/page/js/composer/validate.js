/**
 * Checks of option values before they are sent; each answers with a value or a sentence. Pure.
 */

import { OPTION } from "./commands.js";

const TEXT_MAX = 6000;
const CHOICES_SHOWN_MAX = 5;
export const FILE_BYTES_MAX = 20 * 1024 * 1024;

/** @typedef {{value: string | number | boolean} | {problem: string}} Checked */

/** @param {any} option @param {string} text @returns {Checked} */
export function checkText(option, text) {
  const max = option.max_length ?? TEXT_MAX;
  const length = [...text].length;
  if (length > max) return { problem: `At most ${max} characters; this has ${length}.` };
  if (option.min_length && length < option.min_length) return { problem: `At least ${option.min_length} characters; this has ${length}.` };
  return { value: text };
}

/** @param {any} option @param {string} text @returns {Checked} */
export function checkNumber(option, text) {
  const whole = option.type === OPTION.INTEGER;
  const pattern = whole ? /^[+-]?\d{1,16}$/ : /^[+-]?(\d{1,16}(\.\d{0,15})?|\.\d{1,15})$/;
  const number = Number(text);
  const range = describeRange(option);
  if (!pattern.test(text) || !Number.isFinite(number) || (whole && !Number.isSafeInteger(number))) {
    return { problem: `Enter a ${whole ? "whole number" : "number"}${range}.` };
  }
  if (number < (option.min_value ?? -Infinity) || number > (option.max_value ?? Infinity)) return { problem: `Enter a ${whole ? "whole number" : "number"}${range}.` };
  return { value: number };
}

/** @param {any} option @returns {string} */
export function describeRange(option) {
  const { min_value: min, max_value: max } = option;
  if (min !== undefined && min !== null && max !== undefined && max !== null) return ` from ${min} to ${max}`;
  if (min !== undefined && min !== null) return ` of ${min} or more`;
  if (max !== undefined && max !== null) return ` of ${max} or less`;
  return "";
}

/** What to write instead of a value that is not offered. @param {any} option @param {string} text @returns {string} */
export function describeChoices(option, text) {
  const isNumeric = option.type === OPTION.INTEGER || option.type === OPTION.NUMBER;
  if (!isNumeric || !option.choices?.length) return "Choose one from the list.";
  const values = option.choices.map((choice) => choice.value).sort((left, right) => left - right);
  const shown = values.length > CHOICES_SHOWN_MAX ? `${values.slice(0, 2).join(", ")} … ${values.at(-1)}` : values.join(", ");
  const typed = Number(text);
  if (!Number.isFinite(typed)) return `Choose one of: ${shown}`;
  const nearest = values.reduce((best, value) => (Math.abs(value - typed) < Math.abs(best - typed) ? value : best));
  return `Choose one of: ${shown} (nearest: ${nearest})`;
}

/** @param {File} file @returns {string | null} */
export function checkFile(file) {
  if (file.size > FILE_BYTES_MAX) return `${file.name} is larger than 20 MiB.`;
  if (file.size === 0) return `${file.name} is empty.`;
  return null;
}
