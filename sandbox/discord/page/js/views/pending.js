/**
 * Commands on their way: one line each below the messages until the bot answers, or a notice that it did not.
 */

import { h, replace } from "../core/dom.js";
import { icon } from "../core/icons.js";
import { displayName } from "../markdown/render.js";
import { avatar } from "../ui/avatar.js";

/** @param {any} app @param {HTMLElement} holder */
export function createPending(app, holder) {
  /** @param {string} name @param {Promise<import("../core/interactions.js").Outcome>} done */
  const follow = async (name, done) => {
    const { store } = app;
    const channelId = store.channelId;
    for (const old of holder.querySelectorAll(".is-failed")) old.remove();
    const status = h("span", { class: "pending-status" }, h("span", { class: "dots", aria: { hidden: "true" } }, h("i"), h("i"), h("i")), "Sending command…");
    const row = h("div", { class: "pending-row", role: "status", data: { testid: "pending" } }, avatar(store.me, "tiny"), h("span", { class: "reply-author", text: displayName(store.me) }),
      "used", h("span", { class: "mention", text: name }), status);
    holder.append(row);
    app.list.toBottom();
    const outcome = await done;
    if (outcome.state !== "failed" || channelId !== store.channelId) return row.remove();
    row.classList.add("is-failed");
    const dismiss = h("button", { class: "text-button", type: "button", on: { click: () => row.remove() }, text: "Dismiss" });
    replace(status, h("span", { class: "failed", role: "alert", data: { testid: "interaction-failed" } }, icon("warn"), outcome.message), h("span", { class: "only-you" }, icon("eye"), "Only you can see this · ", dismiss));
    return app.list.toBottom();
  };
  app.store.addEventListener("channel", () => holder.replaceChildren());
  return { follow };
}
