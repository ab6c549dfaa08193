import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App, preloadPage } from "./App.tsx";
import type { AuthModule } from "./auth/adapter.ts";
import type { Config } from "./config.ts";
import { loadPreferred, WordsProvider } from "./words.ts";

/** Shows the console once what it needs is there. None of these waits for another one. */
export async function start(root: HTMLElement, read: Promise<Config>, auth: Promise<AuthModule>): Promise<void> {
  preloadPage();
  const [config, { Auth }, words] = await Promise.all([read, auth, loadPreferred()]);
  createRoot(root).render(
    <StrictMode>
      <WordsProvider first={words}>
        <Auth config={config}>{(adapter) => <App config={config} auth={adapter} />}</Auth>
      </WordsProvider>
    </StrictMode>,
  );
}
