import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { type ReactNode, useEffect, useRef, useState, useSyncExternalStore } from "react";

import { may, type Right } from "../roles.ts";
import { rememberOrg, useOrg, useSession } from "../session.tsx";
import { chooseTheme, chosenTheme, onTheme, THEMES, type Theme } from "../theme.ts";
import { type MessageId, useSpoken, useWords } from "../words.ts";
import { Button } from "./Button.tsx";
import { CreateOrg } from "./CreateOrg.tsx";
import { NotPermitted } from "./NotPermitted.tsx";
import { type Place, usePlaces } from "./places.ts";
import { Empty, Head } from "./states.tsx";
import { usePalette } from "./usePalette.tsx";

const SLOT = "min-h-13 min-w-11 flex-col justify-center gap-1 text-xs";

function PlaceLink({ place, org, narrow = false }: { place: Place; org: string; narrow?: boolean }) {
  const { say } = useWords();
  // In the bar of a phone each place is as wide as its word asks for, and no narrower than a finger.
  const look = narrow ? `${SLOT} flex-auto` : "min-w-0 min-h-9 gap-3 rounded-md px-3 py-2";
  return (
    <Link
      to={place.to}
      params={{ org }}
      activeOptions={{ exact: place.to === "/", includeSearch: false }}
      className={`flex items-center hover:bg-hover ${look}`}
      inactiveProps={{ className: "text-muted" }}
      activeProps={{ className: narrow ? "text-accent" : "bg-hover font-medium" }}
    >
      <svg viewBox="0 0 24 24" className="size-4 shrink-0 fill-none stroke-current" strokeWidth="1.8" strokeLinejoin="round" aria-hidden="true">
        <path d={place.sign} />
      </svg>
      <span className={narrow ? "max-w-full truncate tracking-tight" : "truncate"}>{say(place.label)}</span>
    </Link>
  );
}

/** The rail on wide screens, the bar on phones, and the page beside them. */
export function Frame() {
  const { say } = useWords();
  const { org, places } = usePlaces();
  const [more, setMore] = useState(false);
  const [palette, openPalette] = usePalette();
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
        <Button onClick={openPalette} aria-keyshortcuts="Control+K Meta+K">
          <span className="grow text-start text-muted">{say("palette.title")}</span>
          <kbd className="font-mono text-xs text-muted">Ctrl K</kbd>
        </Button>
        <nav aria-label={say("nav")} className="grid gap-0.5">
          {places.map((place) => (
            <PlaceLink key={place.to} place={place} org={id} />
          ))}
        </nav>
        <Preferences />
      </aside>
      <header className="flex items-center gap-2 border-b border-line p-3 md:hidden">
        <OrgSwitch />
        <Button onClick={openPalette}>{say("palette.title")}</Button>
      </header>
      <main id="main" ref={main} tabIndex={-1} className="min-w-0 px-4 py-6 pb-24 outline-none md:px-6 md:pb-6">
        <div className="mx-auto grid max-w-[1200px] grid-cols-[minmax(0,1fr)] gap-6">
          <Offline />
          <Outlet />
          {palette}
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
        <div className="flex">
          {places.slice(0, 5).map((place) => (
            <PlaceLink key={place.to} place={place} org={id} narrow />
          ))}
          <button type="button" aria-expanded={more} className={`flex flex-auto items-center text-muted ${SLOT}`} onClick={() => setMore(!more)}>
            <svg viewBox="0 0 24 24" className="size-4 shrink-0 fill-current" aria-hidden="true">
              <path d="M3 12a2 2 0 1 0 4 0 2 2 0 1 0-4 0M10 12a2 2 0 1 0 4 0 2 2 0 1 0-4 0M17 12a2 2 0 1 0 4 0 2 2 0 1 0-4 0" />
            </svg>
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
    const chosen = orgs.find((one) => one.id === id);
    if (chosen) rememberOrg(chosen);
    const page = /^\/orgs\/[^/]+\/(keys|usage|wallet|webhooks|members|audit)/.exec(path)?.[1];
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
  const theme = useSyncExternalStore(onTheme, chosenTheme);
  const { say, locale } = words;
  const look = "h-9 min-w-0 truncate rounded-md border border-control bg-bg px-2";
  return (
    <div className="mt-auto grid grid-cols-[minmax(0,1fr)] gap-2 pt-4">
      <div className="grid grid-cols-[minmax(0,1fr)_minmax(0,1fr)] gap-2">
        <select aria-label={say("theme")} className={look} value={theme} onChange={(event) => chooseTheme(event.target.value as Theme)}>
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
      <div className="flex flex-wrap items-center justify-between gap-x-2">
        <span className="min-w-0 max-w-full truncate px-3" title={me.user_id}>
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
      <Empty
        text={say("notfound.text")}
        action={
          <Link to="/" className="text-accent underline underline-offset-2">
            {say("nav.home")}
          </Link>
        }
      />
    </>
  );
}

/** Shows a page of an organisation to those who may see it, and says to others what it needs. */
export function OfOrg({ id, right, title, children }: { id: string; right: Right; title: string; children: ReactNode }) {
  const org = useOrg(id);
  const { say } = useWords();
  useEffect(() => {
    if (org) rememberOrg(org);
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
