/** Verifies webhooks of Consigne, and of anybody who signs as Standard Webhooks defines it. */

import { parsed } from "./errors.js";
import type { EventData } from "./gen/events.gen.js";
import { bytesOf, fromBase64, invalid, isRecent, isSigned, type RequestBody, type RequestHeaders, single } from "./signature.js";

export type { EventData } from "./gen/events.gen.js";
export type { RequestBody, RequestHeaders } from "./signature.js";

/** A webhook whose signature is right. `switch (event.type)` narrows `event.data`. */
export type WebhookEvent = {
  [Type in keyof EventData]: {
    /** The same in every delivery of this webhook. Remember it for a week. */
    id: string;
    type: Type;
    /** When it happened. */
    timestamp: string;
    data: EventData[Type];
  };
}[keyof EventData];

/** A webhook as it came. */
export interface WebhookRequest {
  /** The endpoint's secret, `whsec_...`; several while one is being replaced. */
  secret: string | readonly string[];
  headers: RequestHeaders;
  /** The body before anything has parsed it. */
  body: RequestBody;
  /** Now, in milliseconds since 1970; this machine's clock when absent. */
  now?: number;
}

/**
 * Verifies a webhook and returns its event.
 *
 * Rejects with `INVALID_SIGNATURE` if it was not signed with the secret, was changed, or is older than five minutes.
 */
export async function verifyWebhook({ secret, headers, body, now = Date.now() }: WebhookRequest): Promise<WebhookEvent> {
  const [id, timestamp, signatures] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => single(headers, name));
  if (!id || !timestamp || !signatures) throw invalid("the request lacks the headers of a webhook");
  if (!isRecent(timestamp, now)) throw invalid("the webhook is too old, or this machine's clock is wrong");

  const secrets = [secret].flat().map((text) => fromBase64(text.trim().replace(/^whsec_/, "")));
  // An empty or unreadable secret would accept what anybody signs with nothing.
  if (secrets.length === 0 || secrets.some((bytes) => !bytes || bytes.length < 24)) {
    throw new TypeError("a webhook secret is whsec_ and at least 24 bytes in base64");
  }
  const made = signatures.split(" ").flatMap((one) => (one.startsWith("v1,") ? (fromBase64(one.slice(3)) ?? []) : []));
  const content = bytesOf(body);
  const prefix = bytesOf(`${id}.${timestamp}.`);
  const signed = new Uint8Array(prefix.length + content.length);
  signed.set(prefix);
  signed.set(content, prefix.length);
  if (!(await isSigned(secrets as Uint8Array<ArrayBuffer>[], made as Uint8Array<ArrayBuffer>[], signed))) {
    throw invalid("the webhook was signed with another secret, or was changed");
  }
  const event = parsed(new TextDecoder().decode(content));
  if (!event) throw invalid("the webhook is not a JSON object");
  return { ...event, id } as WebhookEvent;
}
