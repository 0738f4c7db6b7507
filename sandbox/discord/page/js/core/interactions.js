/**
 * Interactions under way: sends commands, presses and modal submits, and tells their senders how each ended.
 * Must not know the DOM. An answer may come over the websocket before the POST has returned, so outcomes are kept.
 */

const OUTCOMES_MAX = 200;
const PATIENCE_MS = 15000;
export const NO_RESPONSE = "The application did not respond";

/** @typedef {{state: "ack" | "modal" | "failed", message?: string}} Outcome */

export class Interactions {
  /** @type {Map<string, Outcome>} */
  #outcomes = new Map();
  /** @type {Map<string, (outcome: Outcome) => void>} */
  #waiters = new Map();
  /** Which message an interaction came from. @type {Map<string, string | null>} */
  #origins = new Map();

  /** @param {import("./api.js").Api} api @param {string} locale */
  constructor(api, locale) {
    this.api = api;
    this.locale = locale;
  }

  /** @param {{channelId: string, command: any, options?: any[], files?: File[], targetId?: string | null}} call */
  command({ channelId, command, options = [], files = [], targetId = null }) {
    const payload = { type: 2, channel_id: channelId, command_id: command.id, options, target_id: targetId, locale: this.locale };
    return this.#send(payload, files, null);
  }

  /** @param {{channelId: string, messageId: string, component: any}} press */
  press({ channelId, messageId, component }) {
    return this.#send({ type: 3, channel_id: channelId, message_id: messageId, component, locale: this.locale }, [], messageId);
  }

  /** @param {{channelId: string, modal: any, components: any[], files: File[]}} submit */
  submitModal({ channelId, modal, components, files }) {
    const messageId = this.#origins.get(modal.interaction_id) ?? null;
    const payload = { type: 5, channel_id: channelId, message_id: messageId, modal_id: modal.modal_id, components, locale: this.locale };
    return this.#send(payload, files, messageId);
  }

  /** @param {{channelId: string, command: any, options: any[]}} question @returns {Promise<any[]>} */
  async autocomplete({ channelId, command, options }) {
    const answer = await this.api.interact({ type: 4, channel_id: channelId, command_id: command.id, options, locale: this.locale });
    return Array.isArray(answer?.choices) ? answer.choices.slice(0, 25) : [];
  }

  /** The server said how an interaction ended. @param {string} id @param {Outcome} outcome */
  settle(id, outcome) {
    const waiter = this.#waiters.get(id);
    this.#waiters.delete(id);
    if (waiter) waiter(outcome);
    else remember(this.#outcomes, id, outcome);
  }

  /**
   * Resolves when the server took it; `done` then says how it ended.
   * @param {object} payload @param {File[]} files @param {string | null} origin
   * @returns {Promise<{done: Promise<Outcome>}>}
   */
  async #send(payload, files, origin) {
    const { interaction_id: id } = await this.api.interact(payload, files);
    remember(this.#origins, id, origin);
    return { done: this.#outcome(id) };
  }

  /** @param {string} id @returns {Promise<Outcome>} */
  async #outcome(id) {
    const known = this.#outcomes.get(id);
    if (known) {
      this.#outcomes.delete(id);
      return known;
    }
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.settle(id, { state: "failed", message: NO_RESPONSE }), PATIENCE_MS);
      this.#waiters.set(id, (outcome) => {
        clearTimeout(timer);
        resolve(outcome);
      });
    });
  }
}

/** @template V @param {Map<string, V>} map @param {string} key @param {V} value */
function remember(map, key, value) {
  map.set(key, value);
  if (map.size > OUTCOMES_MAX) map.delete(map.keys().next().value);
}
