/** Verifies calls that come through Consigne's gateway. */
import { bytesOf, fromBase64, invalid, isRecent, isSigned, type RequestBody, type RequestHeaders, single } from "./signature.js";

export type { RequestBody, RequestHeaders } from "./signature.js";

/** Who a call is from. */
export interface GatewayIdentity {
  org: string;
  key: string;
  environment: "production" | "test";
  service: string;
  /** Credits held for the call. */
  credits: number;
  /** Id of the request, which the caller sees as `X-Request-Id`. */
  request: string;
  /** When the gateway accepted the call, in seconds since 1970. */
  at: number;
}

/** A call as it came to the service. */
export interface GatewayCall {
  /** The gateway's secret; several while one is being replaced. */
  secret: string | readonly string[];
  /** The service's own name. Services of one installation share the secret. */
  service: string;
  method: string;
  /** Path and query as the service sees them, such as `/v1/pdf/render?dpi=300`. A whole URL may be given, too. */
  target: string;
  headers: RequestHeaders;
  /** The body before anything has parsed it; empty when absent. */
  body?: RequestBody;
  /** Now, in milliseconds since 1970; this machine's clock when absent. */
  now?: number;
}

const NAMES = ["org", "key", "environment", "service", "credits", "request", "timestamp", "body"] as const;

/**
 * Verifies a call and returns who it is from. A service must refuse every other call.
 *
 * Rejects with `INVALID_SIGNATURE`.
 */
export async function verifyGatewayCall({
  secret,
  service,
  method,
  target,
  headers,
  body = "",
  now = Date.now(),
}: GatewayCall): Promise<GatewayIdentity> {
  const refused = () => invalid("the call is not from the gateway");
  const values = NAMES.map((name) => single(headers, `x-consigne-${name}`));
  const [org, key, environment, named, credits, request, timestamp, digest] = values;
  const signature = single(headers, "x-consigne-signature");
  const made = signature?.startsWith("v1,") ? fromBase64(signature.slice(3)) : undefined;
  if (values.some((value) => value === undefined) || !made || !timestamp || !isRecent(timestamp, now)) throw refused();

  const secrets = [secret].flat().map(bytesOf);
  if (secrets.length === 0 || secrets.some(({ length }) => length === 0)) throw new TypeError("the gateway's secret is empty");
  const path = target.replace(/^https?:\/\/[^/]*/, "");
  const text = ["consigne-gateway-v1", method.toUpperCase(), path, ...values].join("\n");
  if (!(await isSigned(secrets, [made], bytesOf(text)))) throw refused();
  // The digest is part of what is signed, and no secret.
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytesOf(body)));
  const hex = Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex !== digest || named !== service || (environment !== "production" && environment !== "test")) throw refused();
  return { org: org ?? "", key: key ?? "", environment, service, credits: Number(credits), request: request ?? "", at: Number(timestamp) };
}
