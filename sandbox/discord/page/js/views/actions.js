/**
 * What can be done with a message: the bar that appears over it, and the menu behind it.
 */

import { h } from "../core/dom.js";
import { isEphemeral } from "../core/facts.js";
import { icon } from "../core/icons.js";
import { openMenu } from "../ui/menu.js";
import { commandsFor } from "../composer/commands.js";
import { displayName } from "../markdown/render.js";

const USER_MENU = 2;
const MESSAGE_MENU = 3;

/** @param {any} app @param {any} message */
export function messageToolbar(app, message) {
  const button = (name, label, testid, run) => h("button", {
    class: `tool tool-${name}`, type: "button", tabindex: -1, title: label, aria: { label }, data: { testid },
    on: { click: (event) => run(event.currentTarget) },
  }, icon(name));
  const canReply = !isEphemeral(message) && app.store.currentChannel?.can_send !== false;
  const apps = messageCommands(app);
  const more = button("more", "More actions", "more", (anchor) => openMessageMenu(app, message, anchor));
  more.setAttribute("aria-haspopup", "menu");
  return h("div", { class: "toolbar", role: "toolbar", aria: { label: "Message actions" } },
    canReply && button("reply", "Reply", "reply", () => app.reply(message)),
    apps.length > 0 && !isEphemeral(message) && button("apps", "Apps", "apps", (anchor) => openMenu(anchor, "Apps", appEntries(app, message, apps))),
    more);
}

function messageCommands(app) {
  return commandsFor(app.store, MESSAGE_MENU);
}

function appEntries(app, message, commands) {
  return [{ heading: "Apps" }, ...commands.map((command) => ({ label: command.name, icon: "spark", testid: "app-command", run: () => app.runMessageCommand(command, message) }))];
}

/** What apps offer to do with a person. @param {any} app @param {any} user */
function userEntries(app, user) {
  const commands = commandsFor(app.store, USER_MENU);
  if (!commands.length) return [];
  return [{ heading: displayName(user) }, ...commands.map((command) => ({ label: command.name, icon: "spark", testid: "user-command", run: () => app.runUserCommand(command, user) }))];
}

/** @param {any} app @param {any} user @param {HTMLElement} anchor */
export function openUserMenu(app, user, anchor) {
  openMenu(anchor, displayName(user), [
    ...userEntries(app, user), { heading: "Member" },
    { label: "Copy user ID", icon: "hash", testid: "copy-user-id", run: () => app.copy(user.id, "User ID copied") },
  ]);
}

/** @param {any} app @param {any} message @param {HTMLElement} anchor */
export function openMessageMenu(app, message, anchor) {
  const { store } = app;
  const ephemeral = isEphemeral(message);
  const apps = ephemeral ? [] : messageCommands(app);
  const own = message.author.id === store.me.id;
  const entries = [];
  if (!ephemeral && store.currentChannel?.can_send !== false) entries.push({ label: "Reply", icon: "reply", testid: "menu-reply", run: () => app.reply(message) });
  const people = userEntries(app, store.user(message.author.id) ?? message.author);
  if (apps.length) entries.push(...appEntries(app, message, apps));
  entries.push(...people);
  if (apps.length || people.length) entries.push({ heading: "Message" });
  if (message.content) entries.push({ label: "Copy text", icon: "copy", run: () => app.copy(message.content, "Text copied") });
  entries.push({ label: "Copy message ID", icon: "hash", testid: "copy-id", run: () => app.copy(message.id, "Message ID copied") });
  if (ephemeral) entries.push({ label: "Dismiss", icon: "eye", run: () => app.deleteMessage(message) });
  else if (own || store.isModerator) entries.push({ label: "Delete message", icon: "trash", danger: true, testid: "delete", run: () => app.deleteMessage(message) });
  openMenu(anchor, "Message actions", entries);
}
