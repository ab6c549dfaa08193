import type { Me, OrgRole, OrgView } from "@consigne/client";
import { useConsigne } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useMemo } from "react";

import type { AuthAdapter } from "./auth/adapter.ts";
import type { Config } from "./config.ts";
import { PAGES, pageAt } from "./pages.ts";
import { Failure, Loading } from "./ui/states.tsx";
import { useWords } from "./words.ts";

interface Session {
  config: Config;
  auth: AuthAdapter;
  me: Me;
  orgs: OrgView[];
}

const Context = createContext<Session | undefined>(undefined);

interface Props {
  config: Config;
  auth: AuthAdapter;
  /** Id of whoever is signed in. */
  user: string;
  children: ReactNode;
}

/** Reads who is signed in and their organisations, which every page needs. */
export function SessionProvider({ config, auth, user, children }: Props) {
  const consigne = useConsigne();
  const { client, queries, keys } = consigne;
  const { say } = useWords();
  useEffect(() => {
    // Beside the session and not after it: the first page is what most people open.
    if (pageAt(location.pathname) !== "home") return;
    PAGES.home()
      .then(({ warm }) => warm(consigne, remembered(user)))
      // The page itself says what failed.
      .catch(() => {});
  }, [consigne, user]);
  const me = useQuery({ queryKey: [...keys.all, "me"], queryFn: ({ signal }) => client.me({ signal }) }, queries);
  const orgs = useQuery({ queryKey: [...keys.all, "orgs"], queryFn: ({ signal }) => client.orgs.list({}, { signal }).all() }, queries);
  const value = useMemo(
    () => (me.data && orgs.data ? { config, auth, me: me.data, orgs: orgs.data } : undefined),
    [config, auth, me.data, orgs.data],
  );
  useEffect(() => {
    const org = lastOrg(orgs.data ?? []);
    if (!org) return;
    rememberOrg(org);
    localStorage.setItem(USER, user);
  }, [orgs.data, user]);
  if (value) return <Context.Provider value={value}>{children}</Context.Provider>;
  const failed = me.error ?? orgs.error;
  return (
    <main className="mx-auto max-w-2xl p-6">
      {failed ? (
        <Failure
          what={say("session.failed")}
          error={failed}
          retry={() => {
            void me.refetch();
            void orgs.refetch();
          }}
        />
      ) : (
        <Loading />
      )}
    </main>
  );
}

export function useSession(): Session {
  const session = useContext(Context);
  if (!session) throw new Error("there is no <SessionProvider> around this component");
  return session;
}

/** Returns an organisation of the caller by its id, and what they are in it. */
export function useOrg(id: string): OrgView | undefined {
  return useSession().orgs.find((org) => org.id === id);
}

const LAST = "consigne.org";
/** Where the browser keeps what the caller was in that organisation, which says what may be read before the API has said it. */
const ROLE = "consigne.role";
/** Where the browser keeps whose organisation that was. */
const USER = "consigne.user";

/** Returns the organisation that was looked at last, else the first one. */
export function lastOrg(orgs: OrgView[]): OrgView | undefined {
  return orgs.find((org) => org.id === localStorage.getItem(LAST)) ?? orgs[0];
}

/** Remembers the organisation that is looked at, and what the caller is in it. */
export function rememberOrg({ id, role }: Pick<OrgView, "id" | "role">): void {
  localStorage.setItem(LAST, id);
  localStorage.setItem(ROLE, role);
}

/** Returns what a person looked at last. Nothing if somebody else was here last: that would be a stranger's organisation. */
function remembered(user: string): Pick<OrgView, "id" | "role"> | undefined {
  const [id, role] = [localStorage.getItem(LAST), localStorage.getItem(ROLE)];
  return id && role && localStorage.getItem(USER) === user ? { id, role: role as OrgRole } : undefined;
}

export type { OrgRole };
