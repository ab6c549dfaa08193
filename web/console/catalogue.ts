// Compiles the catalogues of messages when the console is built, so that no parser of messages is sent to the browser.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { compileMessage } from "@lingui/message-utils/compileMessage";
import type { Plugin } from "vite";

const PREFIX = "virtual:catalogue/";

/** Serves `src/locales/<locale>.json` as the module `virtual:catalogue/<locale>`. */
export function catalogue(): Plugin {
  return {
    name: "catalogue",
    resolveId: (id) => (id.startsWith(PREFIX) ? `\0${id}` : undefined),
    load(id) {
      if (!id.startsWith(`\0${PREFIX}`)) return undefined;
      const path = fileURLToPath(new URL(`./src/locales/${id.slice(PREFIX.length + 1)}.json`, import.meta.url));
      this.addWatchFile(path);
      const messages = Object.entries(JSON.parse(readFileSync(path, "utf8")) as Record<string, string>);
      const compiled = Object.fromEntries(messages.map(([key, text]) => [key, compileMessage(text)]));
      return `export const messages = JSON.parse(${JSON.stringify(JSON.stringify(compiled))});`;
    },
  };
}
