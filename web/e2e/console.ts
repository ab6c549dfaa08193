// Opens the console on the laptop's stack: what the tests of its pages share.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createCipheriv, createHmac, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Browser, Page } from "playwright-core";

import { ROOT } from "./stack.ts";

export interface Person {
  user: string;
  plan: string;
  role: string;
}

export interface Console {
  page: Page;
  /**
   * What the page reported: errors that nobody caught, `console.error`, and what its content security policy refused. Refused
   * requests to the API are left out.
   */
  errors: string[];
}

/** Reads the file of addresses and secrets of the first stack. The console must be built. */
export function readStack(): Record<string, string> {
  assert.ok(existsSync(`${ROOT}/target/web/console/index.html`), "the console is not built; make console builds it");
  const lines = readFileSync(`${ROOT}/target/local/stack.env`, "utf8").trim().split("\n");
  const names = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
  assert.ok(names.CONSOLE_URL, "the stack was deployed before the console was built; make up writes CONSOLE_URL");
  return names;
}

const env = readStack();
export const API = env.CONSIGNE_URL ?? "";
export const CONSOLE = env.CONSOLE_URL ?? "";

let people = 0;

/** Returns somebody who was never seen before. */
export function somebody(name: string): Person {
  people += 1;
  return { user: `user_${name}${Date.now().toString(36)}${people}`, plan: "pro", role: "user" };
}

export const emailOf = ({ user }: Person): string => `${user.replace("user_", "").toLowerCase()}@people.example`;

/** Returns a session token of a person, as the console gets it. */
export async function tokenOf(person: Person): Promise<string> {
  const answer = await fetch(`${CONSOLE}/_laptop/token`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: CONSOLE },
    body: JSON.stringify(person),
  });
  assert.equal(answer.status, 200);
  return ((await answer.json()) as { token: string }).token;
}

/** Calls the API as a person, and returns the answer's data. */
// biome-ignore lint/suspicious/noExplicitAny: each test knows the fields that it reads.
export async function call(person: Person, path: string, body?: unknown, method = body === undefined ? "GET" : "POST"): Promise<any> {
  const headers = { authorization: `Bearer ${await tokenOf(person)}`, "content-type": "application/json" };
  const answer = await fetch(API + path, { headers, method, ...(body !== undefined && { body: JSON.stringify(body) }) });
  const text = await answer.text();
  assert.ok(answer.ok, `${path}: ${answer.status} ${text}`);
  const parsed = JSON.parse(text);
  // The routes of files have their answer at the top.
  return "data" in parsed ? parsed.data : parsed;
}

/** Calls a service through the gateway with a key. */
export function callService(key: string, path = "pdf/documents/1", method = "GET"): Promise<Response> {
  return fetch(`${API}/api/v1/${path}`, { method, headers: { "x-api-key": key } });
}

/** Brings keys of an older installation over for a person, as an operator does. Returns their organisation. */
export async function migrateKeys(owner: Person, names: string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "consigne-keys-"));
  try {
    const secret = randomBytes(32);
    const rows = names.map((name) => {
      const start = randomBytes(16);
      const cipher = createCipheriv("aes-256-cbc", secret, start);
      const text = Buffer.concat([cipher.update(`sk_live_${randomBytes(12).toString("hex")}`), cipher.final()]);
      const encryptedKey = `${start.toString("hex")}:${text.toString("hex")}`;
      const id = randomBytes(12).toString("hex");
      return JSON.stringify({ id, encryptedKey, accessLevel: "read", ownerId: owner.user, name, createdAt: "2024-05-01T10:00:00Z", revoked: false });
    });
    writeFileSync(join(folder, "export.jsonl"), `${rows.join("\n")}\n`);
    writeFileSync(join(folder, "key.txt"), secret.toString("hex"), { mode: 0o600 });
    const files = [join(folder, "export.jsonl"), "--key-file", join(folder, "key.txt")];
    execFileSync(`${ROOT}/target/debug/consigne`, ["migrate-keys", ...files, "--yes"], { cwd: ROOT, stdio: ["ignore", "ignore", "pipe"] });
  } finally {
    rmSync(folder, { recursive: true });
  }
  return (await call(owner, "/api/orgs"))[0].id;
}

/** Uploads a file as a person, and returns its key once it can be used. */
export async function upload(person: Person, filename: string, contentType: string, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const grant = await call(person, "/api/files/uploads", { filename, contentType, size: bytes.length });
  const sent = await fetch(grant.url, { method: "PUT", headers: grant.headers, body: bytes });
  assert.ok(sent.ok, `${filename}: ${sent.status}`);
  for (let tries = 0; tries < 100; tries += 1) {
    const { status } = await call(person, `/api/files/metadata?s3Key=${encodeURIComponent(grant.s3Key)}`);
    if (status === "ready") return grant.s3Key;
    await new Promise((wake) => setTimeout(wake, 100));
  }
  throw new Error(`${filename} did not become ready`);
}

/** Returns the token of the invitation that was mailed to somebody. */
export async function invitationOf(guest: Person): Promise<string> {
  for (let tries = 0; tries < 100; tries += 1) {
    const answer = await fetch(`${API}/_local/mail.json?to=${encodeURIComponent(emailOf(guest))}`);
    const { mails } = (await answer.json()) as { mails: { text: string }[] };
    const token = /accept\?token=(\S+)/.exec(mails[0]?.text ?? "")?.[1];
    if (token) return token;
    await new Promise((wake) => setTimeout(wake, 100));
  }
  throw new Error(`no invitation reached ${guest.user}`);
}

/** Makes a member of somebody, by the invitation that is mailed to them. */
export async function invite(owner: Person, org: string, guest: Person, role: string): Promise<void> {
  await call(owner, `/api/orgs/${org}/invitations`, { email: emailOf(guest), role });
  await call(guest, "/api/invitations/accept", { token: await invitationOf(guest) });
}

interface Look {
  locale?: "en" | "fr";
  theme?: "light" | "dark";
  width?: number;
}

/** Opens an address of the console as a person, in a browser that has nothing kept. */
export async function visit(
  browser: Browser,
  path: string,
  person?: Person,
  { locale = "en", theme = "light", width = 1280 }: Look = {},
): Promise<Console> {
  const context = await browser.newContext({
    viewport: { width, height: 800 },
    locale,
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const kept = { "consigne.locale": locale, "consigne.theme": theme, ...(person && { "consigne.person": JSON.stringify(person) }) };
  await context.addInitScript((values) => {
    for (const [name, value] of Object.entries(values)) if (localStorage.getItem(name) === null) localStorage.setItem(name, value as string);
  }, kept);
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) errors.push(message.text());
  });
  await page.goto(CONSOLE + path);
  return { page, errors };
}

/** Says what the stand-in for a customer's server answers to the next webhooks of a name. Returns their address. */
export async function answerWebhooks(name: string, answers: number[]): Promise<string> {
  const body = JSON.stringify({ secrets: [], answers });
  const planned = await fetch(`${env.RECEIVER_URL}/_plan/${name}`, { method: "PUT", body });
  assert.ok(planned.ok, String(planned.status));
  return `${env.RECEIVER_URL}/${name}`;
}

/** Returns the ids of the webhooks that the stand-in received under a name. */
export async function webhooksOf(name: string): Promise<string[]> {
  const seen = (await (await fetch(`${env.RECEIVER_URL}/_seen/${name}`)).json()) as { webhooks: { id: string }[] };
  return seen.webhooks.map(({ id }) => id);
}

/** Tells the API, as Stripe does, that what an organisation has ordered last is paid. */
export async function pay(org: string): Promise<void> {
  const { sessions } = (await (await fetch(`${env.STRIPE_URL}/_stand-in/sessions/${org}`)).json()) as { sessions: { id: string }[] };
  const session = sessions.at(-1) as { id: string };
  const event = {
    id: `evt_${session.id}`,
    object: "event",
    type: "checkout.session.completed",
    created: Math.floor(Date.now() / 1000),
    livemode: false,
    data: { object: { ...session, payment_status: "paid", status: "complete", payment_intent: `pi_${session.id}` } },
  };
  const text = JSON.stringify(event);
  const mark = createHmac("sha256", env.STRIPE_WEBHOOK_SECRET ?? "")
    .update(`${event.created}.${text}`)
    .digest("hex");
  const answer = await fetch(`${API}/api/webhooks/stripe`, {
    method: "POST",
    headers: { "content-type": "application/json", "stripe-signature": `t=${event.created},v1=${mark}` },
    body: text,
  });
  assert.equal(answer.status, 200, await answer.text());
}
