import { ConsigneProvider } from "@consigne/react";
import { RouterProvider } from "@tanstack/react-router";
import { useEffect, useState } from "react";

import type { AuthAdapter, SignedIn } from "./auth/adapter.ts";
import type { Config } from "./config.ts";
import { newRouter } from "./router.tsx";
import { SessionProvider } from "./session.tsx";
import { useWords } from "./words.ts";

let early: ReturnType<typeof newRouter> | undefined;

/** Begins to load the scripts of the page that the address names: they come while the session is asked for. */
export function preloadPage(): void {
  early = newRouter();
  void early.load();
}

/** The console of somebody who is signed in. */
export function App({ config, auth }: { config: Config; auth: AuthAdapter }) {
  const { locale } = useWords();
  const [user, setUser] = useState<SignedIn>();
  useEffect(() => auth.subscribe(setUser), [auth]);
  const [router] = useState(() => early ?? newRouter());
  if (!user) return null;
  return (
    <ConsigneProvider
      baseUrl={config.apiUrl}
      getToken={({ skipCache = false } = {}) => auth.getToken({ fresh: skipCache })}
      userId={user}
      locale={locale}
    >
      <SessionProvider config={config} auth={auth} user={user}>
        <RouterProvider router={router} />
      </SessionProvider>
    </ConsigneProvider>
  );
}
