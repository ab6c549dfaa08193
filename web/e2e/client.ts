// Bundles the client for a page of the tests.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";

import { build } from "tsdown";

import { ROOT } from "./stack.ts";

/** Returns a script that puts the client into `window.consigne`. */
export async function bundleClient(): Promise<string> {
  const folder = resolve(ROOT, "target/web/e2e");
  const source = resolve(ROOT, "web/client/src");
  mkdirSync(folder, { recursive: true });
  const entry = resolve(folder, "entry.ts");
  const text = `import { createClient, isConsigneError } from "${source}/index.js";
import { createUploads } from "${source}/upload.js";
Object.assign(window, { consigne: { createClient, createUploads, isConsigneError } });
`;
  writeFileSync(entry, text);
  const output = {
    outDir: resolve(folder, "bundle"),
    format: "esm",
    platform: "browser",
    dts: false,
    config: false,
    outExtensions: () => ({ js: ".js" }),
    logLevel: "error",
  } as const;
  await build({ entry: { client: entry }, ...output });
  return readFileSync(resolve(folder, "bundle/client.js"), "utf8");
}
