/**
 * The live connection: owns the websocket, its reconnection and the state of the link.
 * Must not know what the events mean; hands each frame on as a `frame` event.
 */

const BACKOFF_MIN_MS = 300;
const BACKOFF_MAX_MS = 8000;
const PATIENCE_MS = 3000;

/** Emits `frame` ({t, d}), `up` (detail: true when it is a reconnect) and `down`. */
export class Socket extends EventTarget {
  #socket = null;
  #user = "";
  #attempts = 0;
  #timer = 0;
  #wasUp = false;

  /** @param {string} session this page's random id, by which the server tells its windows apart */
  constructor(session) {
    super();
    this.session = session;
  }

  /** Connect as a member; an earlier connection ends. Resolves when it is up, or when waiting has no end. @param {string} user */
  connect(user) {
    this.close();
    this.#user = user;
    this.#wasUp = false;
    this.#attempts = 0;
    const up = new Promise((resolve) => {
      this.addEventListener("up", resolve, { once: true });
      setTimeout(resolve, PATIENCE_MS);
    });
    this.#open();
    return up;
  }

  close() {
    clearTimeout(this.#timer);
    const old = this.#socket;
    this.#socket = null;
    old?.close();
  }

  #open() {
    const url = new URL("/page/events", location.origin);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("as", this.#user);
    url.searchParams.set("session", this.session);
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.addEventListener("open", () => this.#up(socket));
    socket.addEventListener("message", (event) => this.#frame(socket, event.data));
    socket.addEventListener("close", () => this.#down(socket));
  }

  /** @param {WebSocket} socket */
  #up(socket) {
    if (socket !== this.#socket) return;
    const again = this.#wasUp || this.#attempts > 0;
    this.#wasUp = true;
    this.#attempts = 0;
    this.dispatchEvent(new CustomEvent("up", { detail: again }));
  }

  /** @param {WebSocket} socket @param {unknown} data */
  #frame(socket, data) {
    if (socket !== this.#socket || typeof data !== "string") return;
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return;
    }
    if (frame && typeof frame.t === "string") this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
  }

  /** @param {WebSocket} socket */
  #down(socket) {
    if (socket !== this.#socket) return;
    this.dispatchEvent(new CustomEvent("down"));
    const delayMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(this.#attempts, 10));
    this.#attempts += 1;
    this.#timer = setTimeout(() => this.#open(), delayMs * (0.8 + Math.random() * 0.4));
  }
}
