/**
 * The right column of wide screens: who is in the server.
 */

import { h, replace } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { displayName } from "../markdown/render.js";
import { avatar, nameColour } from "../ui/avatar.js";
import { statusDot } from "./sidebar.js";

/** @param {any} app @returns {HTMLElement} */
export function createMembers({ store }) {
  const element = h("aside", { class: "members", id: "members", aria: { label: "Members" } });
  const paint = () => {
    const users = [...store.users.values()];
    const groups = [
      ["Moderators", users.filter((user) => user.moderator && !user.bot)],
      ["Members", users.filter((user) => !user.moderator && !user.bot)],
      ["Apps", users.filter((user) => user.bot)],
    ];
    replace(element, ...groups.filter(([, members]) => members.length).map(([name, members]) =>
      h("section", {}, h("h2", { class: "channel-heading", text: `${name} · ${members.length}` }),
        h("ul", { class: "member-items" }, ...members.map((user) => memberRow(user, store))))));
  };
  store.addEventListener("state", paint);
  store.addEventListener("bot", paint);
  return element;
}

function memberRow(user, store) {
  const colour = nameColour(user, store);
  const isOurBot = user.id === store.bot?.id;
  return h("li", { class: `member${isOurBot && !store.botOnline ? " away" : ""}` },
    h("span", { class: "member-lead" }, avatar(user), isOurBot && statusDot(store)),
    h("span", { class: "member-name", text: displayName(user), style: colour ? { "--role": colour } : {} }),
    user.bot && appTag(), user.moderator && icon("shield", "member-shield"), user.id === store.me?.id && h("span", { class: "you", text: "you" }));
}

export function appTag() {
  return h("span", { class: "app-tag", text: "APP" });
}
