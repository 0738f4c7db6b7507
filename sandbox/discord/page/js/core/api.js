/**
 * The page's HTTP calls: owns addresses and bodies of the local Discord's page endpoints, and their errors.
 * Must not know the DOM. Each call ends within its time limit.
 */

const TIMEOUT_MS = 20000;

/** What the server refused, or the network did not carry. */
export class ApiError extends Error {
  /** @param {number} status @param {number} code @param {string} message */
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export class Api {
  /** Id of the member acted as. */
  as = "";

  /** @param {string} session this page's random id; what an interaction opens comes back to it alone */
  constructor(session) {
    this.session = session;
  }

  /** @param {string} user id or name; empty asks for the server's first member */
  state(user) {
    return this.#request("GET", "/page/state", { query: user ? { as: user } : {}, anonymous: true });
  }

  /** @param {string} channelId @param {{before?: string, limit?: number}} [page] */
  messages(channelId, { before, limit = 50 } = {}) {
    const query = before ? { before, limit } : { limit };
    return this.#request("GET", `/page/channels/${encodeURIComponent(channelId)}/messages`, { query });
  }

  /**
   * @param {string} channelId
   * @param {{content: string, replyTo: string | null, ping: boolean, files: File[]}} draft
   */
  sendMessage(channelId, { content, replyTo, ping, files }) {
    const payload = { content, reply_to: replyTo, ping };
    return this.#request("POST", `/page/channels/${encodeURIComponent(channelId)}/messages`, { form: multipart(payload, files) });
  }

  /** @param {string} channelId */
  typing(channelId) {
    return this.#request("POST", `/page/channels/${encodeURIComponent(channelId)}/typing`);
  }

  /** @param {string} channelId @param {string} messageId */
  deleteMessage(channelId, messageId) {
    return this.#request("DELETE", `/page/channels/${encodeURIComponent(channelId)}/messages/${encodeURIComponent(messageId)}`);
  }

  /** @param {object} payload @param {File[]} [files] */
  interact(payload, files = []) {
    return this.#request("POST", "/page/interactions", { query: { session: this.session }, form: multipart(payload, files) });
  }

  /**
   * @param {string} method @param {string} path
   * @param {{query?: object, form?: FormData, anonymous?: boolean}} [options]
   */
  async #request(method, path, { query = {}, form, anonymous = false } = {}) {
    const url = new URL(path, location.origin);
    if (!anonymous) url.searchParams.set("as", this.as);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
    let response;
    try {
      response = await fetch(url, { method, body: form, signal: AbortSignal.timeout(TIMEOUT_MS) });
    } catch {
      throw new ApiError(0, 0, "The local Discord cannot be reached.");
    }
    const body = await readJson(response);
    if (!response.ok) {
      throw new ApiError(response.status, body?.code ?? 0, body?.message ?? `The local Discord answered ${response.status}.`);
    }
    return body;
  }
}

/** @param {object} payload @param {File[]} files */
function multipart(payload, files) {
  const form = new FormData();
  form.set("payload_json", JSON.stringify(payload));
  files.forEach((file, index) => form.set(`files[${index}]`, file, file.name));
  return form;
}

/** @param {Response} response */
async function readJson(response) {
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch {
    return null;
  }
}
