import { ClerkProvider, SignIn, useAuth } from "@clerk/react";
import { useEffect, useState } from "react";

import { type AuthAdapter, type AuthProps, Listeners } from "./adapter.ts";

/** Signs in with a Clerk application. */
export function Auth({ config, children }: AuthProps) {
  return (
    <ClerkProvider publishableKey={config.clerkPublishableKey ?? ""}>
      <Bridge>{children}</Bridge>
    </ClerkProvider>
  );
}

function Bridge({ children }: Pick<AuthProps, "children">) {
  const { isLoaded, userId, getToken, signOut } = useAuth();
  const [listeners] = useState(() => new Listeners(undefined));
  useEffect(() => {
    if (isLoaded) listeners.tell(userId ?? null);
  }, [listeners, isLoaded, userId]);
  if (!isLoaded) return null;
  if (!userId) {
    return (
      <main className="grid min-h-dvh place-content-center p-4">
        <SignIn routing="hash" />
      </main>
    );
  }
  const adapter: AuthAdapter = {
    getToken: ({ fresh = false } = {}) => getToken({ skipCache: fresh }),
    subscribe: (listener) => listeners.add(listener),
    signOut: () => signOut(),
  };
  return children(adapter);
}
