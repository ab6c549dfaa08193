import type { EndpointView, FileList, KeyView, OrgView, WalletView } from "@consigne/client";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { State, Time } from "../ui/states.tsx";
import { useWords } from "../words.ts";
import { type Matter, mattersOf, type Pace } from "./overview.ts";

const LINK = "text-accent underline underline-offset-2";

interface Props {
  org: OrgView | undefined;
  wallet: WalletView | undefined;
  keys: readonly KeyView[];
  endpoints: readonly EndpointView[];
  pace: Pace | undefined;
  files: FileList | undefined;
}

/** What needs somebody, what is left to spend, and what was uploaded last. */
export function Overview({ org, wallet, keys, endpoints, pace, files }: Props) {
  const { say } = useWords();
  const matters = mattersOf({ wallet, keys, endpoints });
  return (
    <>
      {org && (
        <Part title={say("home.matters")}>
          {matters.length === 0 ? (
            <p className="border-t border-line py-3">
              <State tone="good">{say("home.matters.none")}</State>
            </p>
          ) : (
            <ul className="border-t border-line">
              {matters.map((matter) => (
                <li key={JSON.stringify(matter)} className="flex gap-2 border-b border-line py-3">
                  <Sign matter={matter} />
                  <About org={org.id} matter={matter} />
                </li>
              ))}
            </ul>
          )}
        </Part>
      )}
      <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-x-8 gap-y-6 lg:grid-cols-2">
        {org && wallet && <Money org={org.id} wallet={wallet} pace={pace} />}
        {files && <Files files={files} />}
      </div>
    </>
  );
}

function Part({ title, more, children }: { title: string; more?: ReactNode; children: ReactNode }) {
  return (
    <section aria-label={title} className="grid grid-cols-[minmax(0,1fr)] content-start gap-3">
      <div className="flex flex-wrap items-baseline justify-between gap-x-4">
        <h2 className="text-base font-semibold">{title}</h2>
        {more}
      </div>
      {children}
    </section>
  );
}

/** Whether something is refused already, or will be. */
function Sign({ matter }: { matter: Matter }) {
  const refused = matter.what === "closed" || matter.what === "disabled" || ("share" in matter && matter.share >= 1);
  return (
    <span aria-hidden="true" className={`w-3 shrink-0 text-center ${refused ? "text-bad" : "text-warn"}`}>
      {refused ? "✕" : "!"}
    </span>
  );
}

/** One thing to look at, which leads to its page. */
function About({ org, matter }: { org: string; matter: Matter }) {
  const { say, number, relative } = useWords();
  const params = { org };
  const look = "min-w-0 underline decoration-line underline-offset-4 hover:decoration-current";
  if ("endpoint" in matter) {
    const { endpoint } = matter;
    const host = URL.canParse(endpoint.url) ? new URL(endpoint.url).host : endpoint.url;
    return (
      <Link to="/orgs/$org/webhooks" params={params} search={{ endpoint: endpoint.id }} className={look}>
        {matter.what === "disabled"
          ? say("home.endpoint.disabled", { host })
          : say("home.endpoint.failing", { host, when: relative(endpoint.failing_since ?? "") })}
      </Link>
    );
  }
  if ("key" in matter) {
    const { name, id } = matter.key;
    return (
      <Link to="/orgs/$org/keys" params={params} search={{ key: id }} className={look}>
        {matter.what === "expires"
          ? say("home.key.expires", { name, when: relative(matter.at) })
          : say(matter.what === "day" ? "home.key.day" : "home.key.month", {
              name,
              share: number(matter.share, { style: "percent", maximumFractionDigits: 0 }),
            })}
      </Link>
    );
  }
  return (
    <Link to="/orgs/$org/wallet" params={params} {...(matter.what === "lots" && { hash: "lots" })} className={look}>
      {matter.what === "closed" ? say("home.closed") : say("home.lots", { credits: number(matter.credits), when: relative(matter.at) })}
    </Link>
  );
}

function Money({ org, wallet, pace }: { org: string; wallet: WalletView; pace: Pace | undefined }) {
  const { say, number } = useWords();
  const left = pace?.left ?? null;
  const forecast =
    wallet.balance <= 0
      ? say("home.credits.empty")
      : left === null
        ? say("home.credits.unused")
        : say("home.credits.last", {
            pace: number(pace?.credits ?? 0, { maximumFractionDigits: 0 }),
            days: left,
            shown: number(left),
          });
  return (
    <Part
      title={say("home.credits")}
      more={
        <Link to="/orgs/$org/wallet" params={{ org }} className={LINK}>
          {say("home.credits.go")}
        </Link>
      }
    >
      <div className="grid gap-3 border-t border-line pt-3">
        <p className="text-xl font-semibold">{number(wallet.balance)}</p>
        {pace && (
          <p className="max-w-[68ch]">
            <State tone={wallet.balance <= 0 ? "bad" : left !== null && left < 7 ? "warn" : "plain"}>
              <span className="whitespace-normal">{forecast}</span>
            </State>
          </p>
        )}
        {pace && (
          <dl className="grid grid-cols-2 gap-4 border-t border-line pt-3">
            <div>
              <dt className="text-muted">{say("home.calls")}</dt>
              <dd className="text-base font-semibold">
                <Link to="/orgs/$org/usage" params={{ org }} search={{ days: 7 }} className="underline decoration-line underline-offset-4">
                  {number(pace.calls)}
                </Link>
              </dd>
            </div>
            <div>
              <dt className="text-muted">{say("home.success")}</dt>
              <dd className="text-base font-semibold">
                {pace.success === null ? "–" : number(pace.success, { style: "percent", maximumFractionDigits: 1 })}
              </dd>
            </div>
          </dl>
        )}
      </div>
    </Part>
  );
}

function Files({ files }: { files: FileList }) {
  const { say, bytes } = useWords();
  return (
    <Part
      title={say("home.files")}
      more={
        <Link to="/files" className={LINK}>
          {say("home.files.go")}
        </Link>
      }
    >
      {files.files.length === 0 ? (
        <p className="border-t border-line py-3 text-muted">{say("home.files.none")}</p>
      ) : (
        <ul className="border-t border-line">
          {files.files.map((file) => (
            <li key={file.key} className="flex items-center gap-3 border-b border-line py-3">
              <Link to="/files" search={{ file: file.key }} className="min-w-0 grow truncate font-medium underline-offset-2 hover:underline">
                {file.filename}
              </Link>
              <span className="hidden shrink-0 whitespace-nowrap text-muted sm:inline">{bytes(file.size)}</span>
              <span className="shrink-0 text-muted">
                <Time at={file.lastModified} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </Part>
  );
}
