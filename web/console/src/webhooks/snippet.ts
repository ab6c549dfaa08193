import type { DeliveryView } from "@consigne/client";

/** How a server verifies a request, with the client's own function. */
export const SNIPPET = `import { verifyWebhook } from "@consigne/client/webhooks";

const event = await verifyWebhook({
  secret: process.env.CONSIGNE_WEBHOOK_SECRET,
  headers: request.headers, // webhook-id, webhook-timestamp, webhook-signature
  body: await request.text(),
});`;

/** Seconds since 1970 of the last attempt, which its signature covers; null before the first. */
function secondsOf({ attempts }: DeliveryView): number | null {
  const last = attempts.at(-1);
  return last ? Math.floor(Date.parse(last.at) / 1000) : null;
}

/** The headers with which a delivery was sent last. Only the endpoint's secret can write the signature, so it is left open. */
export function headersOf(delivery: DeliveryView): string {
  return [
    "content-type: application/json",
    `webhook-id: ${delivery.id}`,
    `webhook-timestamp: ${secondsOf(delivery) ?? "<seconds since 1970>"}`,
    "webhook-signature: v1,<base64>",
  ].join("\n");
}

/** A program that says what the signature of a delivery had to be, to compare it with the one that arrived. */
export function verificationOf(delivery: DeliveryView): string {
  return `import { createHmac } from "node:crypto";

const id = "${delivery.id}"; // webhook-id
const timestamp = "${secondsOf(delivery) ?? "<seconds since 1970>"}"; // webhook-timestamp
const body = await request.text(); // "${delivery.type}", the bytes as they came
const key = Buffer.from(process.env.CONSIGNE_WEBHOOK_SECRET.slice("whsec_".length), "base64");
const expected = "v1," + createHmac("sha256", key).update(\`\${id}.\${timestamp}.\${body}\`).digest("base64");
const ours = request.headers.get("webhook-signature").split(" ").includes(expected);`;
}
