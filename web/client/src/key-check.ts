import { createCall } from "./call.js";
import { type ConsigneError, isConsigneError } from "./errors.js";
import type { RefusalCode, Refused, Valid } from "./gen/types.gen.js";
import { fromBase64, type RequestHeaders, single } from "./signature.js";
import { type ClientOptions, createTransport } from "./transport.js";

/** What a call needs and costs. */
export interface Price {
  /** Scope that the key must have. Without one any active key passes. */
  scope?: string | undefined;
  /** Credits to charge. Without `cost` and `service` nothing is charged. */
  cost?: number | undefined;
  /** Service of the catalogue. Its price is charged unless `cost` is given. */
  service?: string | undefined;
}

/** How keys are checked. */
export interface KeyCheckOptions<Request> extends Price, Pick<ClientOptions, "fetch" | "timeout" | "tries"> {
  /** Address of the API. */
  baseUrl: string;
  /** The service's token. */
  serviceToken: string;
  /** The price of one call, in place of `scope`, `cost` and `service`. */
  price?: ((request: Request) => Price) | undefined;
  /** The caller's address, for the usage log; that of the connection when absent, which behind a proxy is the proxy's. */
  ip?: ((request: Request) => string | undefined) | undefined;
  /** The caller's country as two letters, such as the header of a CDN says. */
  country?: ((request: Request) => string | undefined) | undefined;
  /** Called with what the caller does not see: a wrong service token, an API that does not answer. */
  onError?: ((error: unknown) => void) | undefined;
}

/** The key of a call that may be served. */
export interface CheckedKey extends Valid {
  /** Notes how the call went. The middleware does so by itself when the answer is sent. */
  report(statusCode: number, details?: Record<string, unknown>): Promise<void>;
}

/** What is known of a call. */
export interface IncomingCall<Request> {
  request: Request;
  method: string;
  /** The path, without its query, which may have secrets. */
  endpoint: string;
  headers: RequestHeaders;
  ip?: string | undefined;
}

/** An answer for a caller whose call is not served. */
export interface Refusal {
  status: number;
  headers: Record<string, string>;
  body: { success: false; error: { code: string; message: string; details?: object }; timestamp: string };
}

const MESSAGES: Record<RefusalCode, [status: number, code: string, message: string]> = {
  NOT_FOUND: [401, "UNAUTHENTICATED", "the API key is not valid"],
  REVOKED: [401, "UNAUTHENTICATED", "the API key is revoked"],
  EXPIRED: [401, "UNAUTHENTICATED", "the API key has expired"],
  SUSPENDED: [403, "KEY_REFUSED", "the API key or its organisation is suspended"],
  INSUFFICIENT_SCOPE: [403, "INSUFFICIENT_SCOPE", "the API key does not have the scope of this call"],
  MINUTE_QUOTA_EXCEEDED: [429, "RATE_LIMITED", "the API key has made all its calls of the minute"],
  DAILY_QUOTA_EXCEEDED: [429, "RATE_LIMITED", "the API key has made all its calls of the day"],
  MONTHLY_QUOTA_EXCEEDED: [429, "RATE_LIMITED", "the API key has made all its calls of the month"],
  INSUFFICIENT_CREDITS: [402, "INSUFFICIENT_CREDITS", "the wallet has too few credits"],
  SERVICE_UNKNOWN: [500, "INTERNAL", "something went wrong on the server"],
};

/** Makes the function that checks and charges the key of each call. */
export function createKeyCheck<Request>(options: KeyCheckOptions<Request>) {
  const { baseUrl, serviceToken, fetch, timeout = 5_000, tries = 3, onError } = options;
  const transport = { baseUrl, getToken: () => serviceToken, timeout, tries, maxRetryAfter: 2, ...(fetch && { fetch }) };
  const call = createCall(createTransport(transport));

  return async ({ request, method, endpoint, headers, ip }: IncomingCall<Request>): Promise<CheckedKey | Refusal> => {
    const key = keyOf(headers);
    if (!key) return refusal(401, "UNAUTHENTICATED", "send an API key as Authorization: Bearer <key> or X-API-Key: <key>");
    const began = Date.now();
    const { scope, cost, service } = options.price?.(request) ?? options;
    const facts = { ip: options.ip?.(request) ?? ip, country: options.country?.(request), user_agent: single(headers, "user-agent") };
    try {
      // With an Idempotency-Key of its own: under one of the caller's, many calls would cost one.
      const answer = await call("POST /api/keys/verify", { body: { key, scope, cost, service, endpoint, method, ...facts } });
      if (!answer.valid) return refusedKey(answer, onError);
      const report = async (statusCode: number, details?: Record<string, unknown>) => {
        if (!answer.receipt_id) return;
        const body = { status_code: statusCode, response_ms: Date.now() - began, ...(details && { details }) };
        try {
          await call("POST /api/keys/receipts/{id}/outcome", { path: { id: answer.receipt_id }, body });
        } catch (error) {
          onError?.(error);
        }
      };
      return { ...answer, report };
    } catch (error) {
      onError?.(error);
      return unavailable(error);
    }
  };
}

/** Whether a call is refused. */
export function isRefusal(checked: CheckedKey | Refusal): checked is Refusal {
  return "body" in checked;
}

/** Reads the API key of a call from the headers in which the gateway takes one, too. */
function keyOf(headers: RequestHeaders): string | undefined {
  const authorization = single(headers, "authorization");
  if (authorization === undefined) return single(headers, "x-api-key")?.trim();
  const [, scheme = "", value = ""] = /^(\w+) +(\S+) *$/.exec(authorization) ?? [];
  if (/^bearer$/i.test(scheme)) return value;
  const decoded = /^basic$/i.test(scheme) ? fromBase64(value) : undefined;
  const user = decoded && new TextDecoder().decode(decoded).replace(/:$/, "");
  return user && !user.includes(":") ? user : undefined;
}

function refusedKey({ code, limiter, resets_at }: Refused, onError: KeyCheckOptions<never>["onError"]): Refusal {
  const [status, wire, message] = MESSAGES[code] ?? [403, "KEY_REFUSED", "the API key is refused"];
  if (status === 500) {
    onError?.(new Error("the service of the key check is not in the catalogue"));
    return refusal(status, wire, message);
  }
  const details = { code, ...(limiter && { limiter }), ...(resets_at && { resets_at }) };
  const seconds = resets_at && status === 429 ? Math.max(1, Math.ceil((Date.parse(resets_at) - Date.now()) / 1000)) : undefined;
  return refusal(status, wire, message, details, seconds);
}

function unavailable(error: unknown): Refusal {
  const { retryAfter = 1 } = (isConsigneError(error) ? error : {}) as Partial<ConsigneError>;
  return refusal(503, "UNAVAILABLE", "keys cannot be checked at the moment", undefined, retryAfter);
}

function refusal(status: number, code: string, message: string, details?: object, retryAfter?: number): Refusal {
  return {
    status,
    headers: {
      "content-type": "application/json",
      ...(status === 401 && { "www-authenticate": "Bearer" }),
      ...(retryAfter !== undefined && { "retry-after": String(retryAfter) }),
    },
    body: { success: false, error: { code, message, ...(details && { details }) }, timestamp: new Date().toISOString() },
  };
}
