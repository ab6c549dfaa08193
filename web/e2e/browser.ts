// Starts the browser of the tests: the Chromium that is installed on the machine, without a window.

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

/** Returns the path of Chromium: `CHROMIUM`, or the first usual path. Throws an error with the remedy if there is none. */
export function chromiumPath(): string {
  const chosen = process.env.CHROMIUM;
  const found = [chosen, ...(chosen ? [] : CANDIDATES)].find((path) => path && isExecutable(path));
  if (!found) {
    const where = chosen ? `CHROMIUM=${chosen} cannot be run.` : "No Chromium was found.";
    throw new Error(
      `${where} Install one (Debian: apt install chromium; macOS: brew install --cask google-chrome) or name it: make e2e CHROMIUM=/path/to/chromium`,
    );
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

/**
 * Starts Chromium. Its background requests are off, because each of them would wait on a machine without a network. With
 * `proxy`, an address, it sends everything there, also what goes to this machine.
 */
export function launch(proxy?: string): Promise<Browser> {
  const root = process.getuid?.() === 0;
  return chromium.launch({
    executablePath: chromiumPath(),
    ...(proxy === undefined ? {} : { proxy: { server: proxy, bypass: "<-loopback>" } }),
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

// As a command: prints the path of Chromium, and fails if there is none.
if (process.argv[1]?.endsWith("browser.ts")) {
  try {
    console.log(`Browser: ${chromiumPath()}`);
  } catch (error) {
    console.error((error as Error).message);
    process.exit(1);
  }
}
