import "./styles.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App, preloadPage } from "./App.tsx";
import { readConfig } from "./config.ts";
import { applyTheme } from "./theme.ts";
import { loadPreferred, WordsProvider } from "./words.ts";

applyTheme();
const root = createRoot(document.getElementById("root") as HTMLElement);

try {
  // None of these waits for another one.
  const preferred = loadPreferred();
  preloadPage();
  const config = await readConfig();
  const [{ Auth }, words] = await Promise.all([config.clerkPublishableKey ? import("./auth/clerk.tsx") : import("./auth/laptop.tsx"), preferred]);
  root.render(
    <StrictMode>
      <WordsProvider first={words}>
        <Auth config={config}>{(auth) => <App config={config} auth={auth} />}</Auth>
      </WordsProvider>
    </StrictMode>,
  );
} catch (error) {
  // Nothing is known yet, not even the language.
  root.render(<p role="alert">The console could not start. {String((error as Error).message ?? error)}</p>);
}
