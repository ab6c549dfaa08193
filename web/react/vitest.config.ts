import { fileURLToPath } from "node:url";

import { defineConfig } from "vitest/config";

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      // The fixtures import the package by its name, as an application does.
      { find: /^@consigne\/react\/components$/, replacement: source("./src/components.ts") },
      { find: /^@consigne\/react$/, replacement: source("./src/index.ts") },
      { find: /^@consigne\/client$/, replacement: source("../client/src/index.ts") },
      { find: /^@consigne\/client\/(.*)$/, replacement: source("../client/src/$1.ts") },
    ],
  },
  test: {
    environment: "jsdom",
    environmentOptions: { jsdom: { url: "http://localhost:5173/" } },
    include: ["test/**/*.test.{ts,tsx}"],
    setupFiles: ["test/setup.ts"],
    restoreMocks: true,
  },
});
