// Sells an API: each call with a key costs one credit. Receives webhooks, too.

import { createServer } from "node:http";

import { isConsigneError } from "@consigne/client";
import { keyCheck } from "@consigne/client/express";
import { verifyWebhook } from "@consigne/client/webhooks";

const { CONSIGNE_URL, SERVICE_TOKEN, WEBHOOK_SECRET, PORT = "8080" } = process.env;
if (!CONSIGNE_URL || !SERVICE_TOKEN || !WEBHOOK_SECRET) throw new Error("set CONSIGNE_URL, SERVICE_TOKEN and WEBHOOK_SECRET");

const check = keyCheck({ baseUrl: CONSIGNE_URL, serviceToken: SERVICE_TOKEN, scope: "pdf:read", cost: 1, onError: console.error });

/** Webhooks that were handled. The same one may come twice; a real server keeps their ids for a week. */
const seen = new Set();

/** What is sold. */
function sell(request, response) {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ pages: 3, organisation: request.key.org_id }));
}

/** Answers a webhook, and then says what it is about. */
async function receive(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  try {
    const event = await verifyWebhook({ secret: WEBHOOK_SECRET, headers: request.headers, body: Buffer.concat(chunks) });
    response.writeHead(204).end();
    if (seen.has(event.id)) return;
    seen.add(event.id);
    if (event.type === "key.issued") console.log(`key issued: ${event.data.name}`);
    else console.log(event.type);
  } catch (error) {
    response.writeHead(isConsigneError(error) ? error.status : 500).end();
  }
}

const server = createServer((request, response) => {
  if (request.method === "POST" && request.url === "/hooks") void receive(request, response);
  else check(request, response, () => sell(request, response));
});
server.listen(Number(PORT), "127.0.0.1", () => console.log(`listening on port ${PORT}`));
