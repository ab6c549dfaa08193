import type { DataExport as Export } from "@consigne/client";
import { useConsigne, useS3Files } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { Button } from "../ui/Button.tsx";
import { Failure, Time } from "../ui/states.tsx";
import { useWork } from "../ui/useWork.ts";
import { useWords } from "../words.ts";
import { begin, downloadFiles } from "./files.ts";

/** Milliseconds between two looks at an export that is being written. */
const PENDING = 3_000;
/** Milliseconds after which the links are read again. They live five minutes. */
const READY = 240_000;
/** Milliseconds after a request during which the same export is the answer to the next one. */
const REPEATED = 3_600_000;

/** Asks for everything that is stored of the person, and lets them download it. */
export function DataExport() {
  const { client, queries, keys } = useConsigne();
  const { downloadFile } = useS3Files({ autoRefresh: false });
  const { say, number, bytes } = useWords();
  const [progress, setProgress] = useState(begin);
  const read = useQuery(
    {
      queryKey: [...keys.all, "export"],
      async queryFn({ signal }): Promise<Export> {
        const { body } = await client.send("GET", "/api/me/export", { signal });
        return (body as { data: Export }).data;
      },
      refetchInterval: ({ state }) => (state.data?.state === "pending" ? PENDING : state.data?.state === "ready" ? READY : false),
    },
    queries,
  );
  const ask = useWork(async () => {
    await client.send("POST", "/api/me/export", {});
    await read.refetch();
  });
  const files = useWork(async () => {
    const fresh = async () => (await read.refetch({ throwOnError: true })).data as Export;
    await downloadFiles(progress, fresh, downloadFile, setProgress);
  });
  const { state = "none", parts = [], expires_at, requested_at } = read.data ?? {};
  const { files: done } = progress;
  const repeats = state === "ready" && Date.now() < Date.parse(requested_at ?? "") + REPEATED;
  const count = parts.reduce((sum, part) => sum + part.files, 0);
  return (
    <section aria-labelledby="export" className="grid max-w-2xl gap-3">
      <h2 id="export" className="text-base font-semibold">
        {say("export.title")}
      </h2>
      <p className="text-muted">{say("export.text")}</p>
      {read.error !== null && <Failure what={say("export.unread")} error={read.error} retry={() => void read.refetch()} />}
      {state === "pending" && <p role="status">{say("export.pending")}</p>}
      {state === "expired" && <p role="status">{say("export.expired")}</p>}
      {state === "ready" && (
        <>
          <ul className="grid gap-1">
            {parts.map(({ name, size, url }) => (
              <li key={name}>
                <a className="text-accent underline" href={url} download={name}>
                  {name}
                </a>{" "}
                <span className="text-muted">{bytes(size)}</span>
              </li>
            ))}
          </ul>
          {expires_at && (
            <p className="text-xs text-muted">
              {say("export.until")} <Time at={expires_at} />
            </p>
          )}
          {count > 0 && (
            <div className="flex flex-wrap items-center gap-3">
              <Button busy={files.busy} onClick={() => void files.run()}>
                {say("export.files")}
              </Button>
              {done > 0 && <span role="status">{say("export.done", { done: number(done) })}</span>}
            </div>
          )}
          {files.failure !== undefined && <Failure what={say("export.files.failed")} error={files.failure} />}
        </>
      )}
      {ask.failure !== undefined && <Failure what={say("export.failed")} error={ask.failure} />}
      {read.data && state !== "pending" && !repeats && (
        <div>
          <Button busy={ask.busy} onClick={() => void ask.run()}>
            {say(state === "ready" ? "export.again" : "export.ask")}
          </Button>
        </div>
      )}
    </section>
  );
}
