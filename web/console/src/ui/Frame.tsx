import { Link, Outlet, useNavigate, useParams, useRouterState } from "@tanstack/react-router";
import { type ReactNode, useEffect, useRef, useState } from "react";

import { may, type Right } from "../roles.ts";
import { lastOrg, rememberOrg, useOrg, useSession } from "../session.tsx";
import { THEMES, type Theme, useTheme } from "../theme.ts";
import { type MessageId, useSpoken, useWords } from "../words.ts";
import { Button } from "./Button.tsx";
import { CreateOrg } from "./CreateOrg.tsx";
import { NotPermitted } from "./NotPermitted.tsx";
import { Empty, Head } from "./states.tsx";

interface Place {
  to: "/files" | "/pricing" | "/" | "/account" | "/orgs/$org/keys" | "/orgs/$org/usage" | "/orgs/$org/wallet";
  label: MessageId;
  sign: string;
  right?: Right;
}

/** The pages in the order of the rail. The first five are in the bar of a phone. */
const PLACES: Place[] = [
  { to: "/", label: "nav.home", sign: "M3 11 12 4l9 7v9h-6v-6H9v6H3z" },
  { to: "/files", label: "nav.files", sign: "M4 5h6l2 2h8v12H4z" },
  { to: "/orgs/$org/keys", label: "nav.keys", sign: "M14 4a6 6 0 1 0-2 9l1 1h2v2h2v2h3v-3l-6-5a6 6 0 0 0 0-6zM8 8h.01", right: "keys.see" },
  { to: "/orgs/$org/usage", label: "nav.usage", sign: "M4 20V10M10 20V4M16 20v-7M22 20H2", right: "usage.see" },
  { to: "/orgs/$org/wallet", label: "nav.wallet", sign: "M3 7h18v12H3zM3 7l3-3h12l3 3M16 13h2", right: "wallet.see" },
  { to: "/pricing", label: "nav.pricing", sign: "M4 4h8l8 8-8 8-8-8zM8 8h.01" },
  { to: "/account", label: "nav.account", sign: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c1-5 15-5 16 0" },
];

function usePlaces() {
  const { orgs } = useSession();
  const { org: id } = useParams({ strict: false });
  const org = orgs.find((one) => one.id === id) ?? lastOrg(orgs);
  const places = PLACES.filter(({ to, right }) => !to.includes("$org") || (org && (!right || may(org.role, right))));
  return { org, places };
}

function PlaceLink({ place, org, narrow = false }: { place: Place; org: string; narrow?: boolean }) {
  const { say } = useWords();
  const look = narrow ? "flex-col justify-center gap-0.5 py-1.5 text-xs" : "gap-3 rounded-md px-3 py-2";
  return (
    <Link
      to={place.to}
      params={{ org }}
      activeOptions={{ exact: place.to === "/", includeSearch: false }}
      className={`flex min-h-9 items-center hover:bg-hover ${look}`}
      inactiveProps={{ className: "text-muted" }}
      activeProps={{ className: narrow ? "text-accent" : "bg-hover font-medium" }}
    >
      <svg viewBox="0 0 24 24" className="size-4 shrink-0 fill-none stroke-current" strokeWidth="1.8" strokeLinejoin="round" aria-hidden="true">
        <path d={place.sign} />
      </svg>
      <span className={narrow ? "max-w-full truncate px-1" : "truncate"}>{say(place.label)}</span>
    </Link>
  );
}

/** The rail on wide screens, the bar on phones, and the page beside them. */
export function Frame() {
  const { say } = useWords();
  const { org, places } = usePlaces();
  const [more, setMore] = useState(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useEffect(() => {
    // A screen reader begins at the new page, not at the link that led to it.
    if (!first.current) main.current?.focus({ preventScroll: true });
    first.current = false;
    void path;
    setMore(false);
  }, [path]);
  const id = org?.id ?? "";
  return (
    <div className="min-h-dvh md:grid md:grid-cols-[232px_minmax(0,1fr)]">
      <a href="#main" className="sr-only focus:not-sr-only focus:absolute focus:z-10 focus:m-2 focus:bg-raised focus:p-2">
        {say("skip")}
      </a>
      <aside className="sticky top-0 hidden h-dvh flex-col gap-4 overflow-y-auto border-e border-line bg-rail p-3 md:flex">
        <OrgSwitch />
        <nav aria-label={say("nav")} className="grid gap-0.5">
          {places.map((place) => (
            <PlaceLink key={place.to} place={place} org={id} />
          ))}
        </nav>
        <Preferences />
      </aside>
      <header className="flex items-center gap-2 border-b border-line p-3 md:hidden">
        <OrgSwitch />
      </header>
      <main id="main" ref={main} tabIndex={-1} className="min-w-0 px-4 py-6 pb-24 outline-none md:px-6 md:pb-6">
        <div className="mx-auto grid max-w-[1200px] gap-6">
          <Offline />
          <Outlet />
        </div>
      </main>
      <nav aria-label={say("nav")} className="fixed inset-x-0 bottom-0 z-10 border-t border-line bg-bg pb-[env(safe-area-inset-bottom)] md:hidden">
        {more && (
          <div className="grid border-b border-line p-2">
            {places.slice(5).map((place) => (
              <PlaceLink key={place.to} place={place} org={id} />
            ))}
            <Preferences />
          </div>
        )}
        <div className="grid auto-cols-fr grid-flow-col">
          {places.slice(0, 5).map((place) => (
            <PlaceLink key={place.to} place={place} org={id} narrow />
          ))}
          <button
            type="button"
            aria-expanded={more}
            className="flex min-h-9 flex-col items-center justify-center py-1.5 text-xs text-muted"
            onClick={() => setMore(!more)}
          >
            <span aria-hidden="true" className="h-4 leading-3 font-semibold">
              …
            </span>
            {say("nav.more")}
          </button>
        </div>
      </nav>
    </div>
  );
}

/** Chooses the organisation whose pages are shown. */
function OrgSwitch() {
  const { orgs } = useSession();
  const { org } = usePlaces();
  const { say } = useWords();
  const navigate = useNavigate();
  const [creating, setCreating] = useState(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const choose = (id: string) => {
    if (id === "") {
      setCreating(true);
      return;
    }
    rememberOrg(id);
    const page = /^\/orgs\/[^/]+\/(keys|usage|wallet)/.exec(path)?.[1];
    void navigate({ to: page ? `/orgs/$org/${page as "keys"}` : "/", params: { org: id } });
  };
  return (
    <div className="min-w-0 grow md:grow-0">
      {org ? (
        <select
          aria-label={say("org.switch")}
          className="h-9 w-full min-w-0 truncate rounded-md border border-control bg-bg px-2 font-medium"
          value={org.id}
          onChange={(event) => choose(event.target.value)}
        >
          {orgs.map((one) => (
            <option key={one.id} value={one.id}>
              {one.name}
            </option>
          ))}
          <option value="">{say("org.create")}…</option>
        </select>
      ) : (
        <Button onClick={() => setCreating(true)}>{say("org.create")}</Button>
      )}
      {creating && <CreateOrg onClose={() => setCreating(false)} />}
    </div>
  );
}

const THEME_WORDS: Record<Theme, MessageId> = { system: "theme.system", light: "theme.light", dark: "theme.dark" };

/** Language, theme, and the way out. */
function Preferences() {
  const { words, choose } = useSpoken();
  const { auth, me } = useSession();
  const [theme, setTheme] = useTheme();
  const { say, locale } = words;
  const look = "h-9 min-w-0 rounded-md border border-line bg-bg px-2 text-muted";
  return (
    <div className="mt-auto grid gap-2 pt-4">
      <div className="grid grid-cols-2 gap-2">
        <select aria-label={say("theme")} className={look} value={theme} onChange={(event) => setTheme(event.target.value as Theme)}>
          {THEMES.map((one) => (
            <option key={one} value={one}>
              {say(THEME_WORDS[one])}
            </option>
          ))}
        </select>
        <select aria-label={say("language")} className={look} value={locale} onChange={(event) => choose(event.target.value === "fr" ? "fr" : "en")}>
          <option value="en" lang="en">
            English
          </option>
          <option value="fr" lang="fr">
            Français
          </option>
        </select>
      </div>
      <div className="flex items-center gap-2">
        <span className="min-w-0 grow truncate" title={me.user_id}>
          {me.full_name ?? me.email ?? me.user_id}
        </span>
        <Button quiet onClick={() => void auth.signOut()}>
          {say("signout")}
        </Button>
      </div>
    </div>
  );
}

/** Says that there is no connection, for as long as there is none. */
function Offline() {
  const { say } = useWords();
  const [online, setOnline] = useState(navigator.onLine);
  useEffect(() => {
    const update = () => setOnline(navigator.onLine);
    addEventListener("online", update);
    addEventListener("offline", update);
    return () => {
      removeEventListener("online", update);
      removeEventListener("offline", update);
    };
  }, []);
  if (online) return null;
  return (
    <p role="status" className="border-s-2 border-warn ps-3">
      {say("offline")}
    </p>
  );
}

export function NotFound() {
  const { say } = useWords();
  return (
    <>
      <Head title={say("notfound.title")} />
      <Empty text={say("notfound.text")} action={<Link to="/">{say("nav.home")}</Link>} />
    </>
  );
}

/** Shows a page of an organisation to those who may see it, and says to others what it needs. */
export function OfOrg({ id, right, title, children }: { id: string; right: Right; title: string; children: ReactNode }) {
  const org = useOrg(id);
  const { say } = useWords();
  useEffect(() => {
    if (org) rememberOrg(org.id);
  }, [org]);
  if (!org) {
    return (
      <>
        <Head title={title} />
        <Empty text={say("org.unknown")} />
      </>
    );
  }
  if (!may(org.role, right)) return <NotPermitted org={org} right={right} title={title} />;
  return children;
}
