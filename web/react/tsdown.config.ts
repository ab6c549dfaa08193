import { defineConfig } from "tsdown";

export default defineConfig({
  entry: { index: "src/index.ts", components: "src/components.ts" },
  format: "esm",
  platform: "browser",
  target: "es2022",
  dts: true,
  sourcemap: true,
  copy: [{ from: "src/styles.css", to: "dist" }],
});
