import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { compileMessage } from "@lingui/message-utils/compileMessage";
import { expect, test, vi } from "vitest";

import { isFirst } from "../catalogue.ts";
import { preferred } from "../src/locale.ts";
import english from "../src/locales/en.json";
import french from "../src/locales/fr.json";
import { load, loadRest } from "../src/words.ts";

/** Names of the values that a message is given. */
function placeholders(text: string): string[] {
  const names = new Set<string>();
  const walk = (message: unknown) => {
    if (!Array.isArray(message)) return;
    for (const token of message) {
      if (!Array.isArray(token)) continue;
      names.add(String(token[0]));
      for (const branch of Object.values((token[2] ?? {}) as object)) walk(branch);
    }
  };
  walk(compileMessage(text));
  return [...names].sort();
}

test("both languages have the same messages, with the same values", () => {
  expect(Object.keys(french)).toEqual(Object.keys(english));
  expect(Object.keys(english)).toEqual([...Object.keys(english)].sort());
  for (const [id, text] of Object.entries(english)) {
    const other = french[id as keyof typeof french];
    expect(placeholders(other), id).toEqual(placeholders(text));
    expect(text + other, id).not.toContain("!");
  }
});

test("every message is used", () => {
  const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((name) => /\.tsx?$/.test(name));
  const source = files.map((name) => readFileSync(`src/${name}`, "utf8")).join("\n");
  const patterns = [...source.matchAll(/`([a-z.]+)\$\{[^}]+\}`/g)].map(([, prefix]) => prefix ?? "");
  const unused = Object.keys(english).filter((id) => !source.includes(`"${id}"`) && !patterns.some((prefix) => id.startsWith(prefix)));
  expect(unused).toEqual([]);
});

test("the first page says nothing that comes later", () => {
  const seen = new Set<string>();
  const walk = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    const source = readFileSync(file, "utf8");
    for (const [, path = ""] of source.matchAll(/ from "(\.[^"]+\.tsx?)"/g)) walk(join(dirname(file), path));
  };
  for (const start of ["main.ts", "start.tsx", "auth/laptop.tsx", "auth/clerk.tsx", "routes/home.tsx", "ui/Palette.tsx"]) walk(`src/${start}`);
  // Its rights look like messages.
  seen.delete("src/roles.ts");
  const said = [...seen].flatMap((file) => [...readFileSync(file, "utf8").matchAll(/"([a-z]+(?:\.[a-z]+)*)"/g)].map(([, id = ""]) => id));
  expect(said.filter((id) => id in english && !isFirst(id))).toEqual([]);
});

test("a language that was loaded for the first page learns the other messages", async () => {
  const words = await load("fr");
  expect(words.say("usage.range")).toBe("usage.range");
  await loadRest();
  expect(words.say("usage.range")).toBe(french["usage.range"]);
  expect((await load("en")).say("usage.range")).toBe(english["usage.range"]);
});

test("a page that is opened while the first words are on their way has its own", async () => {
  vi.resetModules();
  const fresh = await import("../src/words.ts");
  const on = fresh.load("fr");
  await fresh.loadRest();
  expect((await on).say("usage.range")).toBe(french["usage.range"]);
});

test("plurals, figures and times are those of the language", async () => {
  const [en, fr] = await Promise.all([load("en"), load("fr")]);
  expect(en.say("usage.days", { days: 1 })).toBe("24 hours");
  expect(fr.say("usage.days", { days: 7 })).toBe("7 jours");
  expect(en.say("keys.revoke.text", { key: "k", calls: 0, count: "0" })).toContain("It made no calls today");
  expect(fr.say("keys.revoke.text", { key: "k", calls: 1200, count: "1 200" })).toContain("1 200 appels");
  expect(en.bytes(1536)).toBe("1.5 kB");
  expect(fr.bytes(5 * 1024 ** 3)).toMatch(/5\sGo/);
  expect(en.money(1000, "EUR")).toBe("€10.00");
  expect(en.relative("2026-11-28T10:00:00Z", Date.parse("2026-11-28T10:03:00Z"))).toBe("3 minutes ago");
  expect(fr.relative("2026-11-29T10:00:00Z", Date.parse("2026-11-28T10:00:00Z"))).toBe("demain");
});

test("the language is the one that was chosen, else the browser's, else English", () => {
  expect(preferred("fr", ["en"])).toBe("fr");
  expect(preferred(null, ["de-DE", "fr-CA", "en"])).toBe("fr");
  expect(preferred(null, ["de"])).toBe("en");
  expect(preferred("xx", [])).toBe("en");
});
