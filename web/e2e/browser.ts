// The browser of the tests: whatever Chromium the machine has, without a window.

import { accessSync, constants } from "node:fs";

import { type Browser, chromium } from "playwright-core";

const CANDIDATES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/snap/bin/chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/** Finds Chromium: `CHROMIUM`, or wherever it is usually installed. Throws with the cure when there is none. */
export function chromiumPath(): string {
  const chosen = process.env.CHROMIUM;
  const found = [chosen, ...(chosen ? [] : CANDIDATES)].find((path) => path && isExecutable(path));
  if (!found) {
    const where = chosen ? `CHROMIUM=${chosen} cannot be run.` : "No Chromium was found.";
    throw new Error(`${where} Install one (Debian: apt install chromium) or name it: make e2e CHROMIUM=/path/to/chromium`);
  }
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Starts Chromium. Its own calls home are off: on a machine without a network each of them waits. */
export function launch(): Promise<Browser> {
  const root = process.getuid?.() === 0;
  return chromium.launch({
    executablePath: chromiumPath(),
    args: [
      ...(root ? ["--no-sandbox"] : []),
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-gpu",
      "--disable-quic",
      "--disable-sync",
      "--no-first-run",
    ],
  });
}

// Run by itself: is there one?
if (process.argv[1]?.endsWith("browser.ts")) {
  try {
    console.log(`Browser: ${chromiumPath()}`);
  } catch (error) {
    console.error((error as Error).message);
    process.exit(1);
  }
}
