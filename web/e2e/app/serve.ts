// Builds the page of the tests of components, and serves it.

import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";

import react from "@vitejs/plugin-react";
import { build } from "vite";

import { ROOT } from "../stack.ts";

const OUT = `${ROOT}/target/web/components-e2e`;
const TYPES: Record<string, string> = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css" };

/** Bundles the page with the packages as they stand in their sources. */
export async function bundle(): Promise<void> {
  await build({
    root: `${ROOT}/web/e2e/app`,
    base: "/",
    logLevel: "warn",
    configFile: false,
    plugins: [react()],
    resolve: {
      alias: [
        { find: /^@consigne\/react\/components$/, replacement: `${ROOT}/web/react/src/components.ts` },
        { find: /^@consigne\/react\/styles.css$/, replacement: `${ROOT}/web/react/src/styles.css` },
        { find: /^@consigne\/react$/, replacement: `${ROOT}/web/react/src/index.ts` },
        { find: /^@consigne\/client$/, replacement: `${ROOT}/web/client/src/index.ts` },
        { find: /^@consigne\/client\/(.*)$/, replacement: `${ROOT}/web/client/src/$1.ts` },
      ],
    },
    build: { outDir: OUT, emptyOutDir: true, target: "es2022" },
  });
}

/** Serves what `bundle` built on a free port. Returns the server and its origin. */
export async function serve(): Promise<{ server: Server; origin: string }> {
  const server = createServer((request, answer) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    // Only files of the folder: URL has taken out every `..`.
    const path = join(OUT, pathname === "/" ? "index.html" : pathname);
    try {
      const bytes = readFileSync(path);
      answer.setHeader("content-type", TYPES[extname(path)] ?? "application/octet-stream");
      answer.end(bytes);
    } catch {
      answer.statusCode = 404;
      answer.end();
    }
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return { server, origin: `http://localhost:${(server.address() as AddressInfo).port}` };
}
