import { createHash, createHmac } from "node:crypto";

import { describe, expect, test } from "vitest";

import { verifyGatewayCall } from "../src/gateway.js";
import { verifyWebhook } from "../src/webhooks.js";

const NOW = Date.parse("2026-11-28T10:00:00Z");
const AT = String(NOW / 1000);
const secret = `whsec_${Buffer.from("a secret of more than 24 bytes").toString("base64")}`;
const other = `whsec_${Buffer.from("another one of more than 24 bytes").toString("base64")}`;
const body = JSON.stringify({ type: "key.issued", timestamp: "2026-11-28T10:00:00Z", data: { key_id: "key_1", name: "été" } });

function sign(by: string, id: string, at: string, text: string): string {
  return `v1,${createHmac("sha256", Buffer.from(by.slice(6), "base64"))
    .update(`${id}.${at}.${text}`)
    .digest("base64")}`;
}

function headers(changes: Record<string, string | string[] | undefined> = {}, by = secret) {
  return { "webhook-id": "msg_1", "webhook-timestamp": AT, "webhook-signature": sign(by, "msg_1", AT, body), ...changes };
}

describe("a webhook", () => {
  test("that is signed is returned with its id", async () => {
    const event = await verifyWebhook({ secret, headers: headers(), body, now: NOW });
    expect(event).toEqual({ id: "msg_1", ...JSON.parse(body) });
  });

  test("may come as bytes, with any headers, and with two signatures", async () => {
    const both = `${sign(other, "msg_1", AT, body)} ${sign(secret, "msg_1", AT, body)} v2,AAAA`;
    for (const given of [
      headers({ "webhook-signature": both }),
      new Headers(headers() as Record<string, string>),
      { "Webhook-Id": ["msg_1"], "WEBHOOK-TIMESTAMP": AT, "Webhook-Signature": both },
    ]) {
      for (const bytes of [body, Buffer.from(body), new Uint8Array(Buffer.from(body)).buffer]) {
        expect(await verifyWebhook({ secret: [other, secret], headers: given, body: bytes, now: NOW })).toMatchObject({ id: "msg_1" });
      }
    }
  });

  test.each([
    ["with another secret", { by: other }],
    ["with another body", { body: `${body} ` }],
    ["with another id", { headers: headers({ "webhook-id": "msg_2" }) }],
    ["six minutes late", { now: NOW + 360_000 }],
    ["six minutes early", { now: NOW - 360_000 }],
    ["without a signature", { headers: headers({ "webhook-signature": undefined }) }],
    ["with a signature of another version", { headers: headers({ "webhook-signature": sign(secret, "msg_1", AT, body).replace("v1", "v2") }) }],
    ["with something that is no base64", { headers: headers({ "webhook-signature": "v1,*" }) }],
    ["with an id that came twice", { headers: headers({ "webhook-id": ["msg_1", "msg_1"] }) }],
    ["with a time that is no number", { headers: headers({ "webhook-timestamp": "soon" }) }],
  ])("%s is refused", async (_, { by, ...changes }: { by?: string; body?: string; now?: number; headers?: ReturnType<typeof headers> }) => {
    const request = { secret, headers: headers({}, by), body, now: NOW, ...changes };
    await expect(verifyWebhook(request)).rejects.toMatchObject({ code: "INVALID_SIGNATURE", status: 401 });
  });

  test.each(["", "whsec_", "whsec_c2hvcnQ=", "not base64!"])("a secret such as '%s' is a mistake of the program", async (wrong) => {
    await expect(verifyWebhook({ secret: wrong, headers: headers(), body, now: NOW })).rejects.toBeInstanceOf(TypeError);
  });

  test("without any secret is a mistake of the program, too", async () => {
    await expect(verifyWebhook({ secret: [], headers: headers(), body, now: NOW })).rejects.toBeInstanceOf(TypeError);
  });
});

describe("a call through the gateway", () => {
  const key = "the gateway's secret";
  const content = Buffer.from("%PDF");
  const values = ["org_1", "key_1", "production", "pdf", "3", "req-1", AT, createHash("sha256").update(content).digest("hex")];
  const names = ["org", "key", "environment", "service", "credits", "request", "timestamp", "body"].map((name) => `x-consigne-${name}`);

  function signed(method = "POST", target = "/v1/pdf/render?dpi=300", by = key): Record<string, string> {
    const mac = createHmac("sha256", by)
      .update(["consigne-gateway-v1", method, target, ...values].join("\n"))
      .digest("base64");
    return { ...Object.fromEntries(names.map((name, index) => [name, values[index] ?? ""])), "x-consigne-signature": `v1,${mac}` };
  }
  const call = { secret: key, service: "pdf", method: "POST", target: "/v1/pdf/render?dpi=300", headers: signed(), body: content, now: NOW };
  const identity = { org: "org_1", key: "key_1", environment: "production", service: "pdf", credits: 3, request: "req-1", at: NOW / 1000 };

  test("that is signed says who it is from", async () => {
    expect(await verifyGatewayCall(call)).toEqual(identity);
    expect(await verifyGatewayCall({ ...call, secret: ["a new one", key], target: "https://pdf.example/v1/pdf/render?dpi=300" })).toEqual(identity);
  });

  test.each([
    ["with another body", { body: "%PDF2" }],
    ["without its body", { body: "" }],
    ["of another service", { service: "ai" }],
    ["to another path", { target: "/v1/pdf/render?dpi=600" }],
    ["by another method", { method: "PUT" }],
    ["with another secret", { headers: signed("POST", call.target, "guessed") }],
    ["for another organisation", { headers: { ...signed(), "x-consigne-org": "org_2" } }],
    ["without its signature", { headers: { ...signed(), "x-consigne-signature": "" } }],
    ["from long ago", { now: NOW + 301_000 }],
  ])("%s is refused", async (_, changes) => {
    await expect(verifyGatewayCall({ ...call, ...changes })).rejects.toMatchObject({ code: "INVALID_SIGNATURE" });
  });

  test("without a secret is a mistake of the program", async () => {
    await expect(verifyGatewayCall({ ...call, secret: "" })).rejects.toBeInstanceOf(TypeError);
    await expect(verifyGatewayCall({ ...call, secret: [] })).rejects.toBeInstanceOf(TypeError);
  });
});
