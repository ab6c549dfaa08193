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

/** Returns a session token of the laptop's issuer for a page of an origin. */
export function token(user: string, plan: string, origin: string): string {
  const command = ["token", "--user", user, "--plan", plan, "--azp", origin, "--env-file", ENV_FILE];
  return execFileSync(`${ROOT}/target/debug/consigne`, command, { cwd: ROOT, encoding: "utf8" }).trim();
}

/** Serves empty pages on a free port. Returns the server and its origin. */
export async function servePages(): Promise<{ server: Server; origin: string }> {
  const server = createServer((_, answer) => {
    answer.setHeader("content-type", "text/html; charset=utf-8");
    answer.end("<!DOCTYPE html><title>A page of another origin</title>");
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return { server, origin: `http://localhost:${(server.address() as AddressInfo).port}` };
}
