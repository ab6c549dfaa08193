import { fileURLToPath } from "node:url";

import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

import { catalogue } from "./catalogue.ts";
import { preload } from "./preload.ts";

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  cacheDir: source("../node_modules/.vite/console"),
  plugins: [react(), tailwindcss(), catalogue(), preload("/src/start.tsx")],
  resolve: {
    // The packages as they stand in their sources.
    alias: [
      { find: /^@consigne\/react\/components$/, replacement: source("../react/src/components.ts") },
      { find: /^@consigne\/react\/styles.css$/, replacement: source("../react/src/styles.css") },
      { find: /^@consigne\/react$/, replacement: source("../react/src/index.ts") },
      { find: /^@consigne\/client$/, replacement: source("../client/src/index.ts") },
      { find: /^@consigne\/client\/(.*)$/, replacement: source("../client/src/$1.ts") },
    ],
  },
  build: {
    outDir: source("../../target/web/console"),
    emptyOutDir: true,
    target: "es2023",
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    // A font inlined as data would need a wider content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: true,
    rollupOptions: {
      output: {
        // What every page needs comes in few files and not in twenty: without HTTP/2 six are fetched at a time.
        // What the first script needs is beside it, or it would wait for React.
        codeSplitting: {
          groups: [
            { name: "first", test: /src\/(locale|pages|theme|config)\.ts$|vite\/preload-helper/, priority: 3 },
            { name: "vendor", test: /node_modules\/(react|react-dom|scheduler|@tanstack|@lingui)\//, priority: 2, minShareCount: 4 },
            { name: "shared", test: /\/(src\/(ui|session|router|words|roles)|react\/src|client\/src)/, priority: 1, minShareCount: 4 },
          ],
        },
        // A browser shows the licence only if its name says that it is text.
        assetFileNames: ({ names }) => (names[0] === "LICENSE" ? "assets/libheif-licence-[hash].txt" : "assets/[name]-[hash][extname]"),
      },
    },
  },
  test: {
    environment: "jsdom",
    environmentOptions: { jsdom: { url: "http://localhost:4581/" } },
    include: ["test/**/*.test.{ts,tsx}"],
    setupFiles: ["test/setup.ts"],
    restoreMocks: true,
  },
});
