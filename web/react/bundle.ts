// Bundles what an application adds by an import, minified, for the budgets in package.json. React, the cache and the
// client come on top, and are left out. Also checks that every entry is still a client module after the build.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "tsdown";

const HERE = dirname(fileURLToPath(import.meta.url));
const SCRATCH = resolve(HERE, "../../target/web/react/size");

const IMPORTS = {
  hooks: 'export * from "./index.js";',
  FileManager: 'export { FileManager } from "./components.js";',
  ImageResults: 'export { ImageResults } from "./components.js";',
  VideoResults: 'export { VideoResults } from "./components.js";',
};

for (const entry of ["index.js", "components.js"]) {
  const [first] = readFileSync(resolve(HERE, "dist", entry), "utf8").split("\n");
  if (first !== '"use client";') throw new Error(`dist/${entry} does not begin with "use client"`);
}

mkdirSync(SCRATCH, { recursive: true });
for (const [name, text] of Object.entries(IMPORTS)) {
  const file = resolve(HERE, `dist/.${name}.entry.js`);
  writeFileSync(file, text);
  await build({
    ...{ entry: { [name]: file }, outDir: SCRATCH, format: "esm", platform: "browser", minify: true, dts: false, clean: false },
    ...{ config: false, logLevel: "error" },
  });
}
