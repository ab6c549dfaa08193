// Bundles what an application would import, minified, for the budgets in package.json.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "tsdown";

const HERE = dirname(fileURLToPath(import.meta.url));
const SCRATCH = resolve(HERE, "../../target/web/client/size");

const IMPORTS = {
  client: 'export { createClient, isConsigneError } from "@consigne/client";',
  upload: 'export { createClient, isConsigneError } from "@consigne/client";\nexport { createUploads } from "@consigne/client/upload";',
  server: 'export { verifyWebhook } from "@consigne/client/webhooks";\nexport { keyCheck } from "@consigne/client/hono";',
};

mkdirSync(SCRATCH, { recursive: true });
const entry: Record<string, string> = {};
for (const [name, text] of Object.entries(IMPORTS)) {
  // Beside the package, so that its name leads to it.
  entry[name] = resolve(HERE, `dist/.${name}.entry.js`);
  writeFileSync(entry[name] as string, text);
}
for (const [name, file] of Object.entries(entry)) {
  await build({
    ...{
      entry: { [name]: file },
      outDir: SCRATCH,
      format: "esm",
      platform: "browser",
      minify: true,
      dts: false,
      clean: false,
      config: false,
      logLevel: "error",
    },
    deps: { alwaysBundle: [/^@consigne/] },
  });
}
