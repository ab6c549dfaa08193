// Builds the example of Next.js with the packages as they would be published. A command of its own, because it downloads
// Next.js (about 200 MB) and takes a minute: .venv/node/bin/node web/examples/build.ts

import { execFileSync } from "node:child_process";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { NPM, pack } from "../pack.ts";

const EXAMPLES = dirname(fileURLToPath(import.meta.url));
const COPY = resolve(EXAMPLES, "../../target/web/next-app");

const { client, react } = pack();
rmSync(resolve(COPY, ".next"), { recursive: true, force: true });
cpSync(resolve(EXAMPLES, "next-app"), COPY, { recursive: true, filter: (path) => !/node_modules|\.next$/.test(path) });

const manifest = JSON.parse(readFileSync(resolve(COPY, "package.json"), "utf8"));
Object.assign(manifest.dependencies, { "@consigne/client": `file:${client}`, "@consigne/react": `file:${react}` });
// Both packages come from here, also the one that the other asks for.
manifest.overrides = { "@consigne/client": "$@consigne/client" };
writeFileSync(resolve(COPY, "package.json"), JSON.stringify(manifest, null, 2));

const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1", PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
const run = (...command: string[]) => execFileSync(process.execPath, command, { cwd: COPY, env, stdio: "inherit" });
// The archives' names stay the same from one build to the next, so what npm remembers of them does not count.
rmSync(resolve(COPY, "package-lock.json"), { force: true });
rmSync(resolve(COPY, "node_modules/@consigne"), { recursive: true, force: true });
run(NPM, "install", "--no-audit", "--no-fund", "--loglevel=error");
run(resolve(COPY, "node_modules/next/dist/bin/next"), "build");
