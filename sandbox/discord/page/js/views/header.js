/**
 * The bar above the messages: where one is, whether the bot is there, and the page's own switches.
 */

import { h, replace } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { currentTheme, toggleTheme } from "../core/theme.js";
import { displayName } from "../markdown/render.js";
import { DM, channelTitle, isThread, statusDot } from "./sidebar.js";

/** @param {any} app @returns {HTMLElement} */
export function createHeader(app) {
  const { store } = app;
  const name = h("h2", { class: "head-name" });
  const topic = h("p", { class: "head-topic" });
  const lead = h("span", { class: "head-lead" });
  const bot = h("span", { class: "bot-status", role: "status", data: { testid: "bot-status" } });
  const element = h("header", { class: "head" },
    h("button", {
      class: "icon-button drawer-button", type: "button", data: { testid: "drawer" },
      aria: { label: "Channels", controls: "sidebar", expanded: "false" }, on: { click: () => app.toggleDrawer() },
    }, icon("menu")),
    h("div", { class: "head-title" }, lead, name, topic), bot, themeButton(), membersButton(app));
  const paint = () => {
    const channel = store.currentChannel;
    if (!channel) return;
    name.textContent = channelTitle(store, channel);
    topic.textContent = channel.topic ?? "";
    replace(lead, icon(channel.type === DM ? "at" : isThread(channel) ? "thread" : "hash"));
    document.title = `${channel.type === DM ? "@" : "#"}${channelTitle(store, channel)} · Local Discord`;
    paintBot(bot, store);
  };
  for (const type of ["state", "channel", "bot"]) store.addEventListener(type, paint);
  return element;
}

/** @param {HTMLElement} bot @param {any} store */
function paintBot(bot, store) {
  bot.dataset.online = String(store.botOnline);
  bot.title = `${store.bot ? displayName(store.bot) : "The bot"} is ${store.botOnline ? "online" : "offline"}`;
  replace(bot, statusDot(store), h("span", { class: "bot-status-name", text: store.bot ? displayName(store.bot) : "No bot yet" }));
}

function themeButton() {
  const button = h("button", { class: "icon-button", type: "button", data: { testid: "theme" } });
  const paint = () => {
    const next = currentTheme() === "dark" ? "light" : "dark";
    button.setAttribute("aria-label", `Switch to the ${next} theme`);
    button.title = `Switch to the ${next} theme`;
    replace(button, icon(next === "light" ? "sun" : "moon"));
  };
  button.addEventListener("click", () => {
    toggleTheme();
    paint();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  paint();
  return button;
}

/** @param {any} app */
function membersButton(app) {
  const button = h("button", {
    class: "icon-button members-button", type: "button", title: "Members", data: { testid: "members-toggle" },
    aria: { label: "Members", controls: "members", expanded: "true" },
  }, icon("people"));
  button.addEventListener("click", () => {
    const hidden = app.root.classList.toggle("members-hidden");
    button.setAttribute("aria-expanded", String(!hidden));
  });
  return button;
}
