/** Calls of our JSON API: same origin, CSRF token from the cookie, errors as sentences. */

/** Statuses that may pass: log in again, get a new token, wait. Any other 4xx is the final word. */
const PASSING = new Set([401, 403, 408, 429]);

export class ApiError extends Error {
  /** @param status  the HTTP status, or 0 when the server was not reached */
  constructor(message, status) {
    super(message);
    this.status = status;
  }

  /** Whether the same request can never succeed. */
  get final() {
    return this.status >= 400 && this.status < 500 && !PASSING.has(this.status);
  }
}

/** The value of a cookie in the form of `document.cookie`, or "". */
export function cookie(name, cookies) {
  for (const part of cookies.split(";")) {
    const [key, ...value] = part.trim().split("=");
    if (key === name) return decodeURIComponent(value.join("="));
  }
  return "";
}

export class Api {
  #urls;
  #fetch;
  #cookies;
  #timeout;

  /** @param urls  {rate, listens, evolve, cancel, state, playlists} */
  constructor(urls, { fetch = globalThis.fetch, cookies = () => document.cookie, timeout = 15_000 } = {}) {
    this.#urls = urls;
    this.#fetch = fetch;
    this.#cookies = cookies;
    this.#timeout = timeout;
  }

  rate = (rating) => this.#call("POST", this.#urls.rate, rating, { keepalive: true });
  listen = (hearing) => this.#call("POST", this.#urls.listens, hearing, { keepalive: true });
  evolve = () => this.#call("POST", this.#urls.evolve, {});
  cancel = () => this.#call("POST", this.#urls.cancel, {});
  state = () => this.#call("GET", this.#urls.state);
  get = (url) => this.#call("GET", url);
  post = (url, content) => this.#call("POST", url, content);
  playlist = (id) => this.#call("GET", `${this.#urls.playlists}${encodeURIComponent(id)}/`);

  async #call(method, url, body, options = {}) {
    const headers = { Accept: "application/json" };
    if (body !== undefined) {
      headers["Content-Type"] = "application/json";
      headers["X-CSRFToken"] = cookie("csrftoken", this.#cookies());
    }
    let response;
    try {
      response = await this.#fetch.call(globalThis, url, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: "same-origin",
        signal: AbortSignal.timeout(this.#timeout),
        ...options,
      });
    } catch {
      throw new ApiError("The server could not be reached.", 0);
    }
    const answer = await response.json().catch(() => null);
    if (response.ok && answer !== null) return answer;
    throw new ApiError(answer?.error ?? `The server answered with status ${response.status}.`, response.ok ? 0 : response.status);
  }
}
