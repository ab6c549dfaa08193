import { ConsigneError, errorOf, isConsigneError, parsed } from "./errors.js";
import { type GetToken, Session } from "./session.js";
import { backoff, race, sleep } from "./wait.js";

/** How a client reaches the API. */
export interface ClientOptions {
  /** Address of the API, such as `https://api.example.com/prod`. It may have a path. */
  baseUrl: string;
  /** Returns a session token, or a service token on a server. Without it only public routes can be called. */
  getToken?: GetToken;
  /** Sent with every request, such as `{ "x-consigne-user": "user_123" }`. */
  headers?: Record<string, string>;
  /** Takes the place of the global `fetch`. */
  fetch?: typeof fetch;
  /** Whether cookies of the API's origin are sent, as `fetch` defines it. */
  credentials?: RequestCredentials;
  /** Tries of a request that is limited, meets a busy server or gets no answer; 5 when absent. 1 means no retry. */
  tries?: number;
  /** Longest `Retry-After` in seconds for which a request waits, 60 when absent. A longer one is an error at once. */
  maxRetryAfter?: number;
  /** Milliseconds for one try, 30,000 when absent. */
  timeout?: number;
}

/** What every call takes. */
export interface CallOptions {
  /** Ends the call with `ABORTED`. */
  signal?: AbortSignal | undefined;
  /** Identifies a write, so that repeating it has no second effect; a random one when absent. */
  idempotencyKey?: string | undefined;
}

/** A request to any path. */
export interface RawRequest extends CallOptions {
  /** Values of the query. Undefined and null ones are left out. */
  query?: object | undefined;
  /** Sent as JSON. */
  body?: unknown;
  headers?: Record<string, string> | undefined;
}

/** A successful answer. */
export interface RawAnswer {
  status: number;
  headers: Headers;
  /** The JSON, as it came; undefined if there is none. */
  body: unknown;
}

/** Sends requests, each until it is answered or not worth another try. */
export type Send = (method: string, path: string, request?: RawRequest) => Promise<RawAnswer>;

/** Codes of failures that another try with the same idempotency key may mend. */
const RETRYABLE = new Set(["RATE_LIMITED", "UNAVAILABLE", "NETWORK_ERROR", "IDEMPOTENCY_IN_FLIGHT"]);

/** Makes the function that all others send their requests with. */
export function createTransport(options: ClientOptions): Send {
  const { tries = 5, maxRetryAfter = 60, timeout = 30_000, credentials } = options;
  const base = options.baseUrl.replace(/\/+$/, "");
  const session = new Session(options.getToken);
  const send = options.fetch ?? ((...request: Parameters<typeof fetch>) => fetch(...request));

  /** Sends once. */
  async function attempt(url: string, init: RequestInit, signal?: AbortSignal): Promise<RawAnswer> {
    const control = new AbortController();
    const timer = setTimeout(() => control.abort(), timeout);
    try {
      const exchange = async () => {
        const answer = await send(url, { ...init, signal: control.signal });
        return { answer, text: await answer.text() };
      };
      const { answer, text } = await race(exchange(), signal);
      const { status, headers } = answer;
      if (!answer.ok) throw errorOf(status, headers, text);
      const body = parsed(text);
      if (text && !body) {
        throw new ConsigneError("UNEXPECTED_ANSWER", "the answer is not JSON", { status, details: { text: text.slice(0, 200) } });
      }
      return { status, headers, body };
    } catch (cause) {
      if (isConsigneError(cause)) throw cause;
      const message = control.signal.aborted ? `no answer within ${timeout / 1000} seconds` : "the network failed, or the answer may not be read";
      throw new ConsigneError("NETWORK_ERROR", message, { cause });
    } finally {
      clearTimeout(timer);
      // Also ends a request that is still on its way.
      control.abort();
    }
  }

  async function tokenOf(signal: AbortSignal | undefined, ask: () => Promise<string | undefined>): Promise<string | undefined> {
    try {
      return await race(ask(), signal);
    } catch (cause) {
      throw isConsigneError(cause) ? cause : new ConsigneError("NETWORK_ERROR", "getToken failed", { cause });
    }
  }

  return async (method, path, { query, body, headers, signal, idempotencyKey } = {}) => {
    const url = base + path + queryOf(query);
    const init: RequestInit = { method, ...(credentials && { credentials }) };
    const fixed: Record<string, string> = { accept: "application/json", ...options.headers, ...headers };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
      fixed["content-type"] = "application/json";
    }
    if (method !== "GET" && method !== "HEAD") fixed["idempotency-key"] = idempotencyKey ?? newId();

    let mayRenew = true;
    for (let tried = 1; ; tried += 1) {
      let token: string | undefined;
      try {
        token = await tokenOf(signal, () => session.token());
        init.headers = token ? { authorization: `Bearer ${token}`, ...fixed } : fixed;
        return await attempt(url, init, signal);
      } catch (error) {
        const failure = error as ConsigneError;
        if (failure.code === "TOKEN_EXPIRED" && token && mayRenew) {
          const refused = token;
          mayRenew = false;
          tried -= 1;
          await tokenOf(signal, () => session.renew(refused));
          continue;
        }
        const { retryAfter } = failure;
        if (!RETRYABLE.has(failure.code) || tried >= tries || (retryAfter ?? 0) > maxRetryAfter) throw failure;
        // Not all at the same moment, and never before the time that the answer named.
        await sleep(retryAfter ? retryAfter * 1000 + Math.random() * 500 : backoff(tried), signal);
        mayRenew = true;
      }
    }
  };
}

/** Writes a query with its question mark, or nothing. */
function queryOf(query: object = {}): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  const text = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}

/** Returns a random id. `crypto.randomUUID` exists on pages of HTTPS and of localhost only. */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
