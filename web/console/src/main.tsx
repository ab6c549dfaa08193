import "./styles.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./App.tsx";
import { readConfig } from "./config.ts";
import { applyTheme } from "./theme.ts";
import { loadPreferred, WordsProvider } from "./words.ts";

applyTheme();
const root = createRoot(document.getElementById("root") as HTMLElement);

try {
  const [config, words] = await Promise.all([readConfig(), loadPreferred()]);
  const { Auth } = await (config.clerkPublishableKey ? import("./auth/clerk.tsx") : import("./auth/laptop.tsx"));
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
