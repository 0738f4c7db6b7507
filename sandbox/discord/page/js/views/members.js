/**
 * The right column of wide screens: who is in the open channel's server, or in the direct messages.
 */

import { h, replace } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { displayName } from "../markdown/render.js";
import { avatar, nameColour } from "../ui/avatar.js";
import { openUserMenu } from "./actions.js";
import { statusDot } from "./sidebar.js";

/** @param {any} app @returns {HTMLElement} */
export function createMembers(app) {
  const { store } = app;
  const element = h("aside", { class: "members", id: "members", aria: { label: "Members" } });
  const paint = () => {
    const users = store.people;
    // Somebody moderates the first server only.
    const moderates = (user) => user.moderator && !user.bot && store.currentChannel?.guild_id === store.guild?.id;
    const groups = [
      ["Moderators", users.filter(moderates)],
      ["Members", users.filter((user) => !moderates(user) && !user.bot)],
      ["Apps", users.filter((user) => user.bot)],
    ];
    replace(element, ...groups.filter(([, members]) => members.length).map(([name, members]) =>
      h("section", {}, h("h2", { class: "channel-heading", text: `${name} · ${members.length}` }),
        h("ul", { class: "member-items" }, ...members.map((user) => memberRow(app, user, moderates(user)))))));
  };
  for (const type of ["state", "channel", "bot"]) store.addEventListener(type, paint);
  return element;
}

function memberRow(app, user, isModerator) {
  const { store } = app;
  const colour = nameColour(user, store);
  const isOurBot = user.id === store.bot?.id;
  return h("li", {}, h("button", {
    type: "button", data: { testid: "member" }, class: `member${isOurBot && !store.botOnline ? " away" : ""}`, aria: { haspopup: "menu" },
    on: { click: (event) => openUserMenu(app, user, event.currentTarget) },
  },
    h("span", { class: "member-lead" }, avatar(user), isOurBot && statusDot(store)),
    h("span", { class: "member-name", text: displayName(user), style: colour ? { "--role": colour } : {} }),
    user.bot && appTag(), isModerator && icon("shield", "member-shield"), user.id === store.me?.id && h("span", { class: "you", text: "you" })));
}

export function appTag() {
  return h("span", { class: "app-tag", text: "APP" });
}
