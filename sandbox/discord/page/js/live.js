/**
 * Frames of the live connection, each turned into a change of the store or a dialog.
 */

import { NO_RESPONSE } from "./core/interactions.js";

/** @param {any} app */
export function followEvents(app) {
  const { socket, store } = app;
  socket.addEventListener("frame", ({ detail }) => HANDLERS[detail.t]?.(app, detail.d ?? {}));
  socket.addEventListener("down", () => setLink(store, false));
  socket.addEventListener("up", ({ detail: again }) => {
    setLink(store, true);
    if (again) app.reload();
  });
}

/** @param {any} store @param {boolean} up */
function setLink(store, up) {
  if (store.linkUp === up) return;
  store.linkUp = up;
  store.emit("link");
}

/** An answer to a command counts as its acknowledgement. */
function takeMessage(app, data) {
  const message = data.message ?? data;
  if (message.interaction_metadata?.id) app.interactions.settle(message.interaction_metadata.id, { state: "ack" });
  app.store.upsertMessage(message);
}

const HANDLERS = {
  MESSAGE_CREATE: takeMessage,
  MESSAGE_UPDATE: (app, data) => app.store.upsertMessage(data.message ?? data),
  MESSAGE_DELETE: (app, data) => app.store.removeMessage(data.channel_id, data.id),
  TYPING_START: (app, data) => app.store.emit("typing", data),
  COMMANDS_UPDATE: (app, data) => {
    app.store.commands = data.commands ?? [];
    app.store.emit("commands");
    // Which of them can be used in which channel is part of the state.
    app.attempt(() => app.loadState(app.api.as));
  },
  BOT_ONLINE: (app, data) => {
    const { store } = app;
    store.botOnline = Boolean(data.online);
    if (data.bot) {
      store.bot = data.bot;
      store.users.set(data.bot.id, { roles: [], moderator: false, ...data.bot, bot: true });
    }
    store.emit("bot");
  },
  INTERACTION_MODAL: (app, data) => {
    app.interactions.settle(data.interaction_id, { state: "modal" });
    app.showModal(data);
  },
  INTERACTION_ACK: (app, data) => app.interactions.settle(data.interaction_id, { state: "ack" }),
  INTERACTION_FAILED: (app, data) => app.interactions.settle(data.interaction_id, { state: "failed", message: data.message || NO_RESPONSE }),
  STATE: (app) => app.reload(),
};
