// openapi.json is a document that other tools can read.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DOCUMENT, tool } from "./tools.ts";

test("redocly finds neither an error nor a warning", async () => {
  const { code, output } = await tool("@redocly/cli/bin/cli.js", "lint", DOCUMENT, "--config=web/contract/redocly.yaml");
  assert.equal(code, 0, output);
  assert.doesNotMatch(output, /Warning was generated|Error was generated/, output);
});
