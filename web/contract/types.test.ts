// The types that hey-api generates from openapi.json compile, and a program that is written with them works against the
// laptop's stack.

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { DOCUMENT, GENERATED, ROOT, tool } from "./tools.ts";

const TYPES = `${GENERATED}/types`;

before(async () => {
  const { code, output } = await tool("@hey-api/openapi-ts/bin/run.js", "--input", DOCUMENT, "--output", TYPES, "--plugins", "@hey-api/typescript");
  assert.equal(code, 0, output);
});

test("the types and a program that uses them compile", async () => {
  const { code, output } = await tool("typescript/bin/tsc", "--project", "web/contract/tsconfig.json");
  assert.equal(code, 0, output);
});

test("a program with these types uploads a file, lists it, and handles errors by their code", async () => {
  const { walk } = await import("./program.ts");
  const { CONSIGNE_URL: url, TOKEN: token, SERVICE_TOKEN: serviceToken } = process.env;
  assert.ok(url && token && serviceToken, `run this with make test, which starts the stack of ${ROOT}`);
  assert.deepEqual(await walk(url, token, serviceToken), {
    granted: "PUT",
    uploaded: 200,
    listed: ["types.png"],
    tooLarge: "FILE_TOO_LARGE: limit 52428800",
    refusedKey: "NOT_FOUND",
  });
});
