// The first script that runs. It needs nothing of React, so it runs while the rest is on its way, and asks for what the page will need.

import "./styles.css";

import { readConfig } from "./config.ts";
import { firstMessages, KEPT, otherMessages, preferred } from "./locale.ts";
import { PAGES, pageAt } from "./pages.ts";
import { applyTheme } from "./theme.ts";

applyTheme();
const root = document.getElementById("root") as HTMLElement;
const config = readConfig();
const auth = config.then(({ clerkPublishableKey }) => (clerkPublishableKey ? import("./auth/clerk.tsx") : import("./auth/laptop.tsx")));

// What needs these asks for them again, and says what failed.
const early = (load: Promise<unknown>) => void load.catch(() => {});
const locale = preferred(localStorage.getItem(KEPT), navigator.languages);
const page = pageAt(location.pathname);
early(firstMessages(locale));
if (page) early(PAGES[page]());
if (page && page !== "home") early(otherMessages(locale));
early(auth);

import("./start.tsx")
  .then(({ start }) => start(root, config, auth))
  .catch((error: unknown) => {
    // Nothing is known yet, not even the language.
    const text = document.createElement("p");
    text.role = "alert";
    text.textContent = `The console could not start. ${(error as Error)?.message ?? error}`;
    root.replaceChildren(text);
  });
