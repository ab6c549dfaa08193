// Packs the package in the current folder as `npm publish` would, and has publint and attw look at the archive. npm runs
// it, and says in `npm_execpath` where it is itself: the Node from PyPI has no `npm` on the path.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

function node(...command: string[]): string {
  return execFileSync(process.execPath, command, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

const npm = process.env.npm_execpath;
if (!npm) throw new Error("run this with npm");
const folder = mkdtempSync(join(tmpdir(), "consigne-pack-"));
try {
  const [packed] = JSON.parse(node(npm, "pack", "--json", "--ignore-scripts", "--loglevel=error", "--pack-destination", folder));
  const archive = join(folder, packed.filename);
  const files = packed.files.map(({ path }: { path: string }) => path).filter((path: string) => !path.startsWith("dist/"));
  console.log(`${packed.filename}: ${packed.entryCount} files, ${packed.size} bytes; beside dist: ${files.join(", ")}`);
  const modules = resolve(import.meta.dirname, "node_modules");
  for (const [script, ...options] of [
    ["publint/src/cli.js", archive, "--strict"],
    ["@arethetypeswrong/cli/dist/index.js", archive, "--profile", "esm-only", "--no-emoji", "--format", "ascii"],
  ] as const) {
    try {
      node(join(modules, script), ...options);
    } catch (error) {
      console.log((error as { stdout?: string }).stdout ?? error);
      process.exitCode = 1;
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
