// Builds @consigne/client and @consigne/react, and packs them into target/web/packs as they would be published.
//
// Run as a command, it prints the paths of the two archives.

import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const WEB = dirname(fileURLToPath(import.meta.url));
/** The npm that came with this Node. */
export const NPM = resolve(dirname(process.execPath), "../lib/node_modules/npm/bin/npm-cli.js");
/** Where the archives are. */
export const PACKS = resolve(WEB, "../target/web/packs");

/** Builds and packs both packages. Returns the paths of their archives. */
export function pack(): { client: string; react: string } {
  rmSync(PACKS, { recursive: true, force: true });
  mkdirSync(PACKS, { recursive: true });
  return { client: packOne("client"), react: packOne("react") };
}

function packOne(name: "client" | "react"): string {
  const cwd = resolve(WEB, name);
  // What tsdown starts finds the same Node, whatever else is installed.
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
  execFileSync(process.execPath, [resolve(WEB, "node_modules/tsdown/dist/run.mjs"), "--log-level", "error"], {
    cwd,
    env,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const output = execFileSync(process.execPath, [NPM, "pack", "--json", "--pack-destination", PACKS, "--loglevel=error"], {
    cwd,
    env,
    encoding: "utf8",
  });
  const [packed] = JSON.parse(output) as { filename: string }[];
  return resolve(PACKS, packed?.filename ?? "");
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  for (const path of Object.values(pack())) console.log(path);
}
