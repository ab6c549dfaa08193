// @vitest-environment node

// The package as it would be published.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { build } from "vite";
import { beforeAll, expect, test } from "vitest";

import { pack } from "../../pack.js";

const WEB = fileURLToPath(new URL("../..", import.meta.url));
const OUT = resolve(WEB, "../target/web/react-package");

/** Most bytes of what an application adds by an import, compressed by gzip. React, the cache and the client come on top. */
const BUDGETS = [
  { name: "all hooks", limit: "6 kB", code: `export * from "@consigne/react"` },
  { name: "FileManager", limit: "10 kB", code: `export { FileManager } from "@consigne/react/components"` },
  { name: "ImageResults", limit: "10 kB", code: `export { ImageResults } from "@consigne/react/components"` },
  { name: "VideoResults", limit: "10 kB", code: `export { VideoResults } from "@consigne/react/components"` },
];

let archive: string;

/** Runs a program of a package in web/node_modules. */
function run(script: string, ...options: string[]) {
  const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0", PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
  const { status, stdout, stderr } = spawnSync(process.execPath, [resolve(WEB, "node_modules", script), ...options], {
    cwd: WEB,
    env,
    encoding: "utf8",
  });
  return { status, output: stdout + stderr };
}

beforeAll(() => {
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  archive = pack().react;
  execFileSync("tar", ["-xzf", archive, "-C", OUT]);
}, 120_000);

test("publint finds nothing", async () => {
  const bytes = readFileSync(archive);
  const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});

test("attw finds its types, for bundlers and for Node", { timeout: 60_000 }, () => {
  const { status, output } = run("@arethetypeswrong/cli/dist/index.js", archive, "--profile", "esm-only", "--exclude-entrypoints", "styles.css");
  expect(status, output).toBe(0);
});

test("every entry is a client module, and a licence, a README and the style sheet come with it", () => {
  const { exports } = JSON.parse(readFileSync(resolve(OUT, "package/package.json"), "utf8")) as { exports: Record<string, string> };
  const entries = Object.values(exports).filter((path) => path.endsWith(".js"));
  expect(entries).toHaveLength(2);
  for (const entry of entries) expect(readFileSync(resolve(OUT, "package", entry), "utf8"), entry).toMatch(/^"use client";/);
  for (const file of ["LICENSE", "README.md", "dist/styles.css"])
    expect(readFileSync(resolve(OUT, "package", file), "utf8").length, file).toBeGreaterThan(500);
});

test("the budgets hold", { timeout: 60_000 }, async () => {
  const checks = [];
  for (const [number, { name, limit, code }] of BUDGETS.entries()) {
    const outDir = resolve(OUT, String(number));
    const entry = resolve(OUT, `import${number}.js`);
    writeFileSync(entry, code);
    await build({
      logLevel: "silent",
      configFile: false,
      build: {
        outDir,
        target: "es2022",
        lib: { entry, formats: ["es"], fileName: "import" },
        rolldownOptions: { external: /^(react|react-dom|@tanstack\/react-query|@consigne\/client)(\/|$)/, output: { minify: true } },
      },
      resolve: {
        alias: [
          { find: "@consigne/react/components", replacement: resolve(OUT, "package/dist/components.js") },
          { find: "@consigne/react", replacement: resolve(OUT, "package/dist/index.js") },
        ],
      },
    });
    checks.push({ name, limit, path: resolve(outDir, "import.js"), gzip: true });
  }
  checks.push({ name: "styles.css", limit: "4 kB", path: resolve(OUT, "package/dist/styles.css"), gzip: true });
  const config = resolve(OUT, "budgets.json");
  writeFileSync(config, JSON.stringify(checks));
  const { status, output } = run("size-limit/bin.js", "--config", config, "--json");
  expect(status, output).toBe(0);
  console.log((JSON.parse(output) as { name: string; size: number }[]).map(({ name, size }) => `${name}: ${size} bytes`).join("\n"));
});
