// Deploys a stack for these tests on the laptop's server. Its CORS configuration allows the tests' origin.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const ENV_FILE = "target/local/e2e.env";

export interface Stack {
  /** Address of the API, without a slash at the end. */
  url: string;
  /** The variables in the stack's environment file. */
  names: Record<string, string>;
}

/** Deploys a stack named `e2e` that allows the given origins. The server must be running (`make up`). */
export function deploy(origins: string[]): Stack {
  const stack = ["deploy", "--stack", "e2e", "--env-file", ENV_FILE];
  const parameters = [`AuthorizedParties=${origins.join(",")}`].flatMap((one) => ["--parameter", one]);
  execFileSync(`${ROOT}/.venv/bin/python`, ["infra/local/stack.py", ...stack, ...parameters], { cwd: ROOT });
  const lines = readFileSync(`${ROOT}/${ENV_FILE}`, "utf8").trim().split("\n");
  const names = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
  return { url: names.CONSIGNE_URL ?? "", names };
}

/** Returns a session token of the laptop's issuer for a page of an origin, valid for a day or the given seconds. */
export function token(user: string, plan: string, origin: string, seconds?: number): string {
  const life = seconds === undefined ? [] : [`--ttl=${seconds}`];
  const command = ["token", "--user", user, "--plan", plan, "--azp", origin, ...life, "--env-file", ENV_FILE];
  return execFileSync(`${ROOT}/target/debug/consigne`, command, { cwd: ROOT, encoding: "utf8" }).trim();
}

/**
 * Serves pages on a free port, empty ones unless they load a script. Returns the server and its origin. `scripts` has
 * modules by their paths.
 */
export async function servePages(scripts: Record<string, string> = {}): Promise<{ server: Server; origin: string }> {
  const tags = Object.keys(scripts).map((path) => `<script type="module" src="${path}"></script>`);
  const server = createServer(({ url = "/" }, answer) => {
    const script = scripts[url];
    answer.setHeader("content-type", `${script === undefined ? "text/html" : "text/javascript"}; charset=utf-8`);
    answer.end(script ?? `<!DOCTYPE html><title>A page of another origin</title>${tags.join("")}`);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return { server, origin: `http://localhost:${(server.address() as AddressInfo).port}` };
}
