import { useConsigne, useUsage } from "@consigne/react";
import { FileManager, type FilesView } from "@consigne/react/components";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useMemo, useRef, useState } from "react";

import { FILE_KINDS, type FilesSearch } from "../router.tsx";
import { KIND_WORDS } from "../ui/kinds.ts";
import { Failure, Head, Loading } from "../ui/states.tsx";
import { Tabs } from "../ui/Tabs.tsx";
import { useWords } from "../words.ts";

const FilePanel = lazy(() => import("../files/FilePanel.tsx").then((module) => ({ default: module.FilePanel })));

/** Milliseconds after the last key before a filter gets into the address. */
const TYPING = 300;

/** Reads filter and order from the address. */
export const viewOf = ({ q = "", sort = "lastModified", up }: FilesSearch): FilesView => ({
  filter: q,
  order: { column: sort, descending: !up },
});

/** Writes filter and order for the address. The usual ones are left out. */
export const searchOf = ({ filter, order }: FilesView): FilesSearch => ({
  q: filter || undefined,
  sort: order.column === "lastModified" ? undefined : order.column,
  up: order.descending ? undefined : true,
});

/** The caller's files, and how much of the plan's storage they take. */
export function Files() {
  const { say } = useWords();
  const { queries, keys } = useConsigne();
  const search = useSearch({ from: "/files" });
  const navigate = useNavigate({ from: "/files" });
  const { q, sort, up } = search;
  const view = useMemo(() => viewOf({ q, sort, up }), [q, sort, up]);
  // What was written to the address here. Another view there, such as by a link to all files, begins anew.
  const own = useRef(JSON.stringify(view));
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (JSON.stringify(view) === own.current) return;
    own.current = JSON.stringify(view);
    setRound((last) => last + 1);
  }, [view]);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const onView = (next: FilesView) => {
    clearTimeout(timer.current);
    const write = () => {
      own.current = JSON.stringify(next);
      void navigate({ search: (now: FilesSearch) => ({ ...now, ...searchOf(next) }), replace: true, resetScroll: false });
    };
    timer.current = setTimeout(write, TYPING);
  };
  const go = (file: string | undefined, replace = false) =>
    void navigate({ search: (now: FilesSearch) => ({ ...now, file }), replace, resetScroll: false });
  return (
    <>
      <Head title={say("nav.files")} text={say("files.text")} />
      {/* The height that it will have, so that the list below stays where it is. */}
      <div className="min-h-20">
        <Storage />
      </div>
      <Tabs
        label={say("files.kinds")}
        tabs={[undefined, ...FILE_KINDS].map((kind) => ({
          label: say(kind ? (KIND_WORDS[kind] ?? "kind.other") : "all"),
          active: kind === search.kind,
          search: (now) => ({ ...now, kind }),
        }))}
      />
      <FileManager
        key={round}
        {...(search.kind && { contentType: search.kind })}
        view={view}
        onView={onView}
        onOpen={({ key }) => go(key)}
        onUploaded={() => void queries.invalidateQueries({ queryKey: keys.usage })}
      />
      {search.file && (
        <Suspense>
          <FilePanel key={search.file} s3Key={search.file} onClose={() => go(undefined, true)} />
        </Suspense>
      )}
    </>
  );
}

const KIND_COLOURS = ["fill-pdf", "fill-ai", "fill-mileage", "fill-good", "fill-warn", "fill-other"];

/** What the plan allows, and which kinds of files take how much of it. */
function Storage() {
  const { say, bytes, number } = useWords();
  const { storage, percent, loading, error, refresh } = useUsage();
  if (error) return <Failure what={say("files.usage.failed")} error={error} retry={() => void refresh()} />;
  if (loading || !storage) return <Loading rows={1} />;
  const kinds = FILE_KINDS.flatMap((kind, index) => {
    const { files = 0, size = 0 } = storage.byKind[kind] ?? {};
    return files > 0 ? [{ kind, files, size, colour: KIND_COLOURS[index] ?? "fill-other" }] : [];
  });
  const share = (size: number) => (storage.limit === 0 ? 0 : (size / storage.limit) * 100);
  let start = 0;
  return (
    <section aria-label={say("files.usage")} className="grid max-w-2xl gap-2">
      <div className="relative">
        <meter className="sr-only" aria-label={say("files.usage")} min={0} max={100} value={Math.min(100, percent)} />
        <svg aria-hidden="true" className="h-2 w-full rounded-md bg-line">
          {kinds.map(({ kind, size, colour }) => {
            const from = start;
            start += share(size);
            return <rect key={kind} x={`${from}%`} width={`${share(size)}%`} height="100%" className={colour} />;
          })}
          <rect x={`${start}%`} width={`${share(storage.reservedSize)}%`} height="100%" className="fill-muted" />
        </svg>
      </div>
      <p>
        {say("files.usage.of", { used: bytes(storage.totalSize + storage.reservedSize), limit: bytes(storage.limit), plan: storage.plan })}
        {storage.reservedSize > 0 && <span className="text-muted"> {say("files.usage.reserved", { bytes: bytes(storage.reservedSize) })}</span>}
      </p>
      {kinds.length > 0 && (
        <ul className="flex flex-wrap gap-x-6 gap-y-1 text-muted">
          {kinds.map(({ kind, files, size, colour }) => (
            <li key={kind}>
              <Link to="/files" search={(now) => ({ ...now, kind })} className="flex items-center gap-2 underline-offset-2 hover:underline">
                <svg viewBox="0 0 8 8" className="size-2" aria-hidden="true">
                  <rect width="8" height="8" rx="2" className={colour} />
                </svg>
                {say("files.kind", {
                  kind: say(KIND_WORDS[kind] ?? "kind.other"),
                  files: number(files),
                  size: bytes(size),
                  percent: number(share(size) / 100, { style: "percent", maximumFractionDigits: 1 }),
                })}
              </Link>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
