// Runs the tools that read openapi.json.

import { execFile } from "node:child_process";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
export const DOCUMENT = resolve(ROOT, "openapi.json");
/** Where the tests put what they generate. */
export const GENERATED = resolve(ROOT, "target/web");

const run = promisify(execFile);

export interface Ended {
  code: number;
  output: string;
}

/** Runs a script of a package in web/node_modules. Returns its exit code, and everything that it printed. */
export async function tool(script: string, ...options: string[]): Promise<Ended> {
  // Neither tool may call home.
  const env = { ...process.env, NO_COLOR: "1", REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };
  const command = [resolve(ROOT, "web/node_modules", script), ...options];
  try {
    const { stdout, stderr } = await run(process.execPath, command, { cwd: ROOT, env });
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}
