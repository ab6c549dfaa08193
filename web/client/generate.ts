// Generates src/gen from openapi.json, the overlay of its descriptions, and the schemas of events. `--check` writes
// nothing, and fails if what is committed differs.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = resolve(HERE, "../..");
const DOCUMENT = resolve(ROOT, "openapi.json");
const OVERLAY = resolve(ROOT, "docs/reference/descriptions.overlay.json");
const EVENTS = resolve(ROOT, "events/schemas");
const SCRATCH = resolve(ROOT, "target/web/client");
const METHODS = ["get", "put", "post", "delete", "patch", "head"];

interface Operation {
  operationId: string;
  responses: Record<string, unknown>;
}

interface Document {
  paths: Record<string, Record<string, Operation>>;
}

interface Overlay {
  actions: { target: string; update: Record<string, unknown> }[];
}

/** Splits a normalised JSONPath such as `$['paths']['/api/me'][0]` into its names and indices. */
export function stepsOf(target: string): string[] {
  const steps = [...target.matchAll(/\[(?:'((?:[^'\\]|\\.)*)'|(\d+))\]/g)];
  if (`$${steps.map(([text]) => text).join("")}` !== target) throw new Error(`${target} is not a normalised JSONPath`);
  return steps.map(([, name, index]) => name?.replace(/\\(.)/g, "$1") ?? index ?? "");
}

/** Applies an OpenAPI Overlay 1.0 whose targets name one object each. */
export function apply(document: unknown, { actions }: Overlay): void {
  for (const { target, update } of actions) {
    // biome-ignore lint/suspicious/noExplicitAny: any part of the document may be named.
    const found = stepsOf(target).reduce<any>((part, step) => part?.[step], document);
    if (typeof found !== "object" || found === null) throw new Error(`the overlay names ${target}, which is not in openapi.json`);
    Object.assign(found, update);
  }
}

/** Writes a map from `GET /api/me` and the like to the types of the request and of its answer. */
function operations(document: Document): string {
  const imported: string[] = [];
  const lines: string[] = [];
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of METHODS) {
      const operation = item[method];
      // Answers to HEAD have no body. Services behind the gateway answer what they like. An address of a published file
      // answers with the file, after a redirect.
      if (!operation || method === "head" || path.startsWith("/api/v1/") || path.startsWith("/public/")) continue;
      const name = operation.operationId.replace(/^./, (letter) => letter.toUpperCase());
      imported.push(`${name}Data`, `${name}Response`);
      lines.push(`  "${method.toUpperCase()} ${path}": { data: ${name}Data; answer: ${name}Response };`);
    }
  }
  return `// This file is generated from openapi.json by generate.ts.

import type {
${imported.map((name) => `  ${name},`).join("\n")}
} from "./types.gen.js";

/** Each operation by its method and path, with the types of its request and of its answer. */
export interface Operations {
${lines.join("\n")}
}
`;
}

/** Returns the name of an event's type: `KeyIssued` for `key.issued`. */
function typeOf(event: string): string {
  return event.replace(/(?:^|[.-])(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** Returns a document that has the schemas of events as components, without the two fields that a webhook lacks. */
function eventsDocument(events: string[]): object {
  const schemas = events.map((event) => {
    const schema = JSON.parse(readFileSync(resolve(EVENTS, `${event}.json`), "utf8"));
    const { event_id, occurred_at, ...properties } = schema.properties;
    const required = schema.required.filter((name: string) => name in properties);
    return [typeOf(event), { type: "object", description: schema.description, required, properties }];
  });
  return { openapi: "3.1.0", info: { title: "Events", version: "0" }, paths: {}, components: { schemas: Object.fromEntries(schemas) } };
}

/** Has hey-api write the types of a document. */
function types(name: string, document: object): string {
  const input = resolve(SCRATCH, `${name}.json`);
  writeFileSync(input, JSON.stringify(document));
  const script = resolve(ROOT, "web/node_modules/@hey-api/openapi-ts/bin/run.js");
  const options = ["--input", input, "--output", resolve(SCRATCH, name), "--plugins", "@hey-api/typescript", "--silent"];
  execFileSync(process.execPath, [script, ...options], { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"] });
  return readFileSync(resolve(SCRATCH, name, "types.gen.ts"), "utf8");
}

function main(): void {
  const document = JSON.parse(readFileSync(DOCUMENT, "utf8")) as Document;
  if (existsSync(OVERLAY)) apply(document, JSON.parse(readFileSync(OVERLAY, "utf8")) as Overlay);
  mkdirSync(SCRATCH, { recursive: true });
  const files = readdirSync(EVENTS).filter((file) => !file.endsWith(".example.json"));
  const events = files.map((file) => file.replace(/\.json$/, "")).sort();
  const map = events.map((event) => `  "${event}": ${typeOf(event)};`).join("\n");

  const generated = {
    "types.gen.ts": types("api", document),
    "operations.gen.ts": operations(document),
    "events.gen.ts": `${types("events", eventsDocument(events))}
/** The fields \`data\` of each type of event. */
export interface EventData {
${map}
}
`,
  };
  for (const [name, text] of Object.entries(generated)) {
    const path = resolve(HERE, "src/gen", name);
    if (!process.argv.includes("--check")) writeFileSync(path, text);
    else if (!existsSync(path) || readFileSync(path, "utf8") !== text) {
      console.error(`web/client/src/gen/${name} is out of date: make web-types writes it`);
      process.exitCode = 1;
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
