// Compiles the catalogues of messages when the console is built, so that no parser of messages is sent to the browser.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { compileMessage } from "@lingui/message-utils/compileMessage";
import type { Plugin } from "vite";

/** Beginnings of the messages that the frame, the sign-in and the first page say. */
const FIRST = [
  "copy",
  "denied",
  "failure",
  "home",
  "keys.create",
  "migration",
  "nav",
  "notfound",
  "org",
  "palette",
  "role",
  "session",
  "signin",
  "theme",
];

/** Whether the first page says a message. Those of all other pages come with the first of these. */
export const isFirst = (id: string): boolean => !id.includes(".") || FIRST.some((one) => id === one || id.startsWith(`${one}.`));

/** Serves `src/locales/<locale>.json` as two modules: `virtual:catalogue/<locale>` for the first page, `virtual:more/<locale>` for the rest. */
export function catalogue(): Plugin {
  return {
    name: "catalogue",
    resolveId: (id) => (/^virtual:(catalogue|more)\//.test(id) ? `\0${id}` : undefined),
    load(id) {
      const [, part, locale] = /^\0virtual:(catalogue|more)\/(\w+)$/.exec(id) ?? [];
      if (!locale) return undefined;
      const path = fileURLToPath(new URL(`./src/locales/${locale}.json`, import.meta.url));
      this.addWatchFile(path);
      const messages = Object.entries(JSON.parse(readFileSync(path, "utf8")) as Record<string, string>);
      const chosen = messages.filter(([key]) => isFirst(key) === (part === "catalogue"));
      const compiled = Object.fromEntries(chosen.map(([key, text]) => [key, compileMessage(text)]));
      return `export const messages = JSON.parse(${JSON.stringify(JSON.stringify(compiled))});`;
    },
  };
}
