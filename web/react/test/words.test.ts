// @vitest-environment node

import { expect, test } from "vitest";

import { en } from "../src/locales/en.js";
import { fr } from "../src/locales/fr.js";
import { wordsOf } from "../src/locales/words.js";

const spaces = (text: string) => text.replace(/[\u00a0\u202f]/g, " ");
const names = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

test("both languages have the same texts with the same values in them", () => {
  expect(Object.keys(fr)).toEqual(Object.keys(en));
  for (const key of Object.keys(en) as (keyof typeof en)[]) {
    const [english, french] = [en[key], fr[key]];
    expect(typeof french, key).toBe(typeof english);
    if (typeof english === "string" && typeof french === "string") expect(names(french), key).toEqual(names(english));
    else expect(Object.keys(french), key).toEqual(Object.keys(english));
  }
});

test("numbers, sizes, percentages and plurals are those of the language", () => {
  const [english, french] = [wordsOf("en"), wordsOf("fr")];
  expect(english.say("count", { count: 10_000 })).toBe("10,000 files");
  expect(english.say("count", { count: 1 })).toBe("1 file");
  // In French zero is singular.
  expect(french.say("count", { count: 0 })).toBe("0 fichier");
  expect(spaces(french.say("countOf", { count: 1000, total: 10_000 }))).toBe("1 000 fichiers sur 10 000");
  expect(english.bytes(1000)).toBe("1,000 bytes");
  expect(spaces(french.bytes(0))).toBe("0 octet");
  expect(english.bytes(1_572_864)).toBe("1.5 MB");
  expect(spaces(french.bytes(1_572_864))).toBe("1,5 Mo");
  expect(spaces(french.percent(42))).toBe("42 %");
  expect(english.time("not a time")).toBe("");
});

test("a name with braces or dollars stays as it is", () => {
  expect(wordsOf("en").say("deleted", { name: "{count} $& $1.png" })).toBe("{count} $& $1.png deleted");
});

test("an application may replace words", () => {
  expect(wordsOf("en", { upload: "Add documents" }).say("upload")).toBe("Add documents");
});
