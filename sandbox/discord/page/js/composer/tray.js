/**
 * Files waiting to be sent with a message: shown, named, removable; ten at most.
 */

import { formatBytes, h } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { checkFile } from "./validate.js";

const FILES_MAX = 10;

export class Tray {
  /** @type {Array<{file: File, address: string}>} */
  #entries = [];

  /** @param {(text: string, kind: "error") => void} complain */
  constructor(complain) {
    this.complain = complain;
    this.element = h("ul", { class: "tray", hidden: true, aria: { label: "Files to send" } });
  }

  get files() {
    return this.#entries.map((entry) => entry.file);
  }

  /** @param {Iterable<File>} files */
  add(files) {
    for (const file of files) {
      const problem = this.#entries.length >= FILES_MAX ? `A message carries at most ${FILES_MAX} files.` : checkFile(file);
      if (problem) {
        this.complain(problem, "error");
        continue;
      }
      this.#entries.push({ file, address: file.type.startsWith("image/") ? URL.createObjectURL(file) : "" });
    }
    this.#paint();
  }

  clear() {
    for (const entry of this.#entries) if (entry.address) URL.revokeObjectURL(entry.address);
    this.#entries = [];
    this.#paint();
  }

  #remove(entry) {
    if (entry.address) URL.revokeObjectURL(entry.address);
    this.#entries = this.#entries.filter((known) => known !== entry);
    this.#paint();
  }

  #paint() {
    this.element.hidden = this.#entries.length === 0;
    this.element.replaceChildren(...this.#entries.map((entry) => h("li", { class: "tray-item", data: { testid: "tray-item" } },
      entry.address ? h("img", { src: entry.address, alt: "" }) : h("span", { class: "tray-icon" }, icon("file")),
      h("span", { class: "file-name", text: entry.file.name }), h("span", { class: "file-size", text: formatBytes(entry.file.size) }),
      h("button", { class: "tray-remove", type: "button", aria: { label: `Remove ${entry.file.name}` }, on: { click: () => this.#remove(entry) } }, icon("close")))));
  }
}
