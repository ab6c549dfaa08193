import { defineConfig } from "tsdown";

export default defineConfig({
  entry: ["src/index.ts", "src/upload.ts", "src/webhooks.ts", "src/gateway.ts", "src/fetch.ts", "src/hono.ts", "src/express.ts"],
  format: "esm",
  platform: "neutral",
  target: "es2022",
  dts: true,
  sourcemap: false,
  clean: true,
  checks: { pluginTimings: false },
});
