/**
 * The page's beginning: reads the address, builds the layout once, loads the state and goes live.
 */

import { App } from "./app.js";
import { Composer } from "./composer/composer.js";
import { h } from "./core/dom.js";
import { startTheme } from "./core/theme.js";
import { followEvents } from "./live.js";
import { createHeader } from "./views/header.js";
import { createMembers } from "./views/members.js";
import { MessageList } from "./views/messages.js";
import { createPending } from "./views/pending.js";
import { createSidebar } from "./views/sidebar.js";
import { createTyping } from "./views/typing.js";

/** @param {App} app */
function buildLayout(app) {
  app.list = new MessageList(app);
  app.composer = new Composer(app);
  app.pending = createPending(app, app.list.pending);
  const link = h("div", { class: "link-down", role: "status", hidden: true, text: "Connection lost. Reconnecting…" });
  app.store.addEventListener("link", () => { link.hidden = app.store.linkUp; });
  const drop = h("div", { class: "drop-cover", aria: { hidden: "true" } }, h("span", { text: "Drop to attach" }));
  const main = h("main", { class: "main" }, createHeader(app), link, app.list.element, app.composer.element, createTyping(app), drop);
  const scrim = h("div", { class: "scrim", on: { click: () => app.toggleDrawer(false) } });
  app.root.replaceChildren(createSidebar(app), scrim, main, createMembers(app), app.toasts.element);
  acceptDrops(app, main);
  app.root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && app.root.classList.contains("drawer-open")) app.toggleDrawer(false);
  });
}

/** @param {App} app @param {HTMLElement} main */
function acceptDrops(app, main) {
  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  main.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    main.classList.add("dropping");
  });
  main.addEventListener("dragleave", (event) => {
    if (!main.contains(event.relatedTarget)) main.classList.remove("dropping");
  });
  main.addEventListener("drop", (event) => {
    main.classList.remove("dropping");
    if (!hasFiles(event)) return;
    event.preventDefault();
    app.composer.takeFiles([...event.dataTransfer.files]);
  });
}

/** The address names a member by id or name; the server knows ids, and shows the first member to a stranger. */
async function loadFirstState(app, asked) {
  await app.loadState("");
  const { store } = app;
  const wanted = [...store.users.values()].find((user) => !user.bot && (user.id === asked || user.username.toLowerCase() === asked.toLowerCase()));
  if (wanted && wanted.id !== store.me.id) await app.loadState(wanted.id);
}

async function start() {
  const query = new URLSearchParams(location.search);
  startTheme(query.get("theme"));
  const root = document.getElementById("app");
  const app = new App(root, { locale: query.get("locale") ?? "en-US" });
  try {
    await boot(app, query);
  } catch (error) {
    root.replaceChildren(h("div", { class: "boot", role: "alert" }, h("p", { text: error.message }), h("button", { class: "button button-primary", type: "button", on: { click: () => location.reload() }, text: "Try again" })));
  }
}

/** @param {App} app @param {URLSearchParams} query */
async function boot(app, query) {
  buildLayout(app);
  await loadFirstState(app, query.get("as") ?? "");
  followEvents(app);
  // Listening first, asking afterwards: nothing falls in between.
  await app.socket.connect(app.api.as);
  app.clock.start();
  const asked = (query.get("channel") ?? "").replace(/^#/, "");
  const channel = app.store.channels.find((candidate) => candidate.name === asked || candidate.id === asked) ?? app.store.homeChannel;
  if (channel) await app.openChannel(channel.id);
  app.root.dataset.ready = "true";
}

start();
