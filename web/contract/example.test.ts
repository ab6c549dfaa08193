// The client as it is published, and the server in web/examples/node-script, against the laptop's stack.

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { after, before, test } from "node:test";

import type { ConsigneClient } from "../client/src/index.ts";
import { ROOT, tool } from "./tools.ts";

const CLIENT = resolve(ROOT, "web/client");

let client: ConsigneClient;
let example: ChildProcess | undefined;
let output = "";

before(async () => {
  const { code, output: built } = await tool("tsdown/dist/run.mjs", "--config", resolve(CLIENT, "tsdown.config.ts"), "--cwd", CLIENT);
  assert.equal(code, 0, built);
  const { createClient } = await import(resolve(CLIENT, "dist/index.js"));
  const { CONSIGNE_URL: baseUrl, SERVICE_TOKEN: serviceToken, BINARIES: binaries = "target/debug" } = process.env;
  assert.ok(baseUrl && serviceToken, "run this with make test, which starts the stack");
  // A user of its own, because the other tests count the files of theirs.
  const user = ["token", "--user", `user_example${Date.now()}`, "--plan", "pro"];
  const token = execFileSync(resolve(ROOT, binaries, "consigne"), user, { cwd: ROOT, encoding: "utf8" }).trim();
  client = createClient({ baseUrl, getToken: () => token });
});

after(() => void example?.kill());

/** Waits until something is there. */
async function until<Value>(look: () => Promise<Value | undefined> | Value | undefined): Promise<Value> {
  for (let tries = 0; tries < 150; tries += 1) {
    const found = await look();
    if (found) return found;
    await new Promise((wake) => setTimeout(wake, 100));
  }
  throw new Error(`it did not happen; the server has written: ${output}`);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}

test("a server that checks keys is paid for its calls, and hears of new keys", async () => {
  const port = await freePort();
  const { id: org } = await client.orgs.create({ name: "Example" });
  const endpoint = await client.endpoints.create(org, { url: `http://127.0.0.1:${port}/hooks`, events: ["key.issued"] });
  const env = { ...process.env, PORT: String(port), WEBHOOK_SECRET: endpoint.secret };
  example = spawn(process.execPath, ["web/examples/node-script/server.mjs"], { cwd: ROOT, env });
  for (const stream of [example.stdout, example.stderr]) stream?.on("data", (text) => (output += text));
  await until(() => output.includes("listening"));

  const { key, id } = await client.keys.issue(org, { name: "Nightly", environment: "test", scopes: ["pdf:read"] });
  await until(() => output.includes("key issued: Nightly"));

  const address = `http://127.0.0.1:${port}`;
  const sold = await fetch(`${address}/render`, { headers: { "x-api-key": key } });
  assert.deepEqual([sold.status, await sold.json()], [200, { pages: 3, organisation: org }]);
  assert.equal((await fetch(address)).status, 401);
  const forged = { method: "POST", body: "{}", headers: { "webhook-id": "msg_1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA" } };
  assert.equal((await fetch(`${address}/hooks`, forged)).status, 401);

  assert.equal((await client.credits.wallet(org)).test?.balance, 99);
  // The outcome is noted after the answer.
  const receipt = await until(async () => (await client.credits.usage(org).all()).find(({ status_code }) => status_code === 200));
  assert.equal(receipt.endpoint, "/render");
  assert.equal(receipt.key_id, id);

  await client.keys.revoke(org, id, "the example is over");
  const refused = await fetch(address, { headers: { authorization: `Bearer ${key}` } });
  const { error } = (await refused.json()) as { error: { code: string } };
  assert.deepEqual([refused.status, error.code], [401, "UNAUTHENTICATED"]);
});

test("a file is uploaded, listed page by page, read and deleted from Node", async () => {
  const { createUploads } = await import(resolve(CLIENT, "dist/upload.js"));
  const uploads = createUploads(client);
  for (const name of ["one.md", "two.md", "three.md"]) uploads.add(new File([`# ${name}`], name, { type: "text/markdown" }), { sha256: true });
  const states = await uploads.settled();
  assert.deepEqual(
    states.map(({ status }: { status: string }) => status),
    ["ready", "ready", "ready"],
  );
  const names: string[] = [];
  for await (const { filename } of client.files.list({ contentType: "blog", limit: 2 })) names.push(filename);
  assert.deepEqual(names.sort(), ["one.md", "three.md", "two.md"]);

  const key = states[0]?.s3Key ?? "";
  assert.equal(await (await fetch(await client.files.url(key))).text(), "# one.md");
  assert.equal((await client.files.update(key, { filename: "un.md" })).filename, "un.md");
  await client.files.delete(key);
  await assert.rejects(client.files.metadata(key), { code: "NOT_FOUND" });
});
