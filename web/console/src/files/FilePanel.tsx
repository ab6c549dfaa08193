import { type FileMetadata, isConsigneError } from "@consigne/client";
import { useConsigne, useS3Files } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useEffect, useState } from "react";

import { useSession } from "../session.tsx";
import { Button } from "../ui/Button.tsx";
import { Confirm } from "../ui/Confirm.tsx";
import { Copy } from "../ui/Copy.tsx";
import { Actions, Dialog } from "../ui/Dialog.tsx";
import { Fact } from "../ui/Fact.tsx";
import { Field, TextInput } from "../ui/Field.tsx";
import { KIND_WORDS } from "../ui/kinds.ts";
import { Failure, Loading, State, Time } from "../ui/states.tsx";
import { useWork } from "../ui/useWork.ts";
import { type MessageId, useWords } from "../words.ts";
import { Preview } from "./Preview.tsx";
import { Publish } from "./Publish.tsx";

/** A file, and the revision of its record that `If-Match` takes. */
interface Read {
  file: FileMetadata;
  revision: string | undefined;
}

const STATES: Record<FileMetadata["status"], ["good" | "plain" | "bad", MessageId]> = {
  ready: ["good", "file.ready"],
  pending: ["plain", "file.pending"],
  processing: ["plain", "file.processing"],
  rejected: ["bad", "file.rejected"],
  infected: ["bad", "file.infected"],
};

/** One file: what it shows, what is known of it, and what can be done with it. */
export function FilePanel({ s3Key, onClose }: { s3Key: string; onClose(): void }) {
  const { client, queries, keys } = useConsigne();
  const { config } = useSession();
  const { say, bytes, number } = useWords();
  const { downloadFile, deleteFile, refresh } = useS3Files({ autoRefresh: false });
  const [deleting, setDeleting] = useState(false);
  const at = [...keys.all, "file", s3Key];
  const read = useQuery(
    {
      queryKey: at,
      async queryFn({ signal }): Promise<Read> {
        const { body, headers } = await client.send("GET", "/api/files/metadata", { query: { s3Key }, signal });
        return { file: body as FileMetadata, revision: headers.get("etag") ?? undefined };
      },
      // It may become ready at any moment.
      refetchInterval: ({ state }) => (["pending", "processing"].includes(state.data?.file.status ?? "") ? 2_000 : false),
    },
    queries,
  );
  const download = useWork(() => downloadFile(s3Key, read.data?.file.filename));
  const rename = async (filename: string) => {
    await client.files.update(s3Key, { filename }, { ifMatch: read.data?.revision });
    // The answer's revision is in a header, so both are read again.
    await Promise.all([queries.invalidateQueries({ queryKey: at }), refresh()]);
  };
  const file = read.data?.file;
  if (deleting && file) {
    return (
      <Confirm
        title={say("file.delete.title", { name: file.filename })}
        verb={say("file.delete")}
        failed={say("file.delete.failed")}
        work={async () => {
          await deleteFile(s3Key);
          queries.removeQueries({ queryKey: at });
          onClose();
        }}
        onClose={() => setDeleting(false)}
      >
        <p>{say("file.delete.text", { bytes: bytes(file.size) })}</p>
      </Confirm>
    );
  }
  const gone = isConsigneError(read.error, "NOT_FOUND");
  return (
    <Dialog title={file?.filename ?? say("file.title")} onClose={onClose} drawer>
      {gone && <p role="status">{say("file.gone")}</p>}
      {read.error && !gone && <Failure what={say("file.failed")} error={read.error} retry={() => void read.refetch()} />}
      {read.isPending && <Loading rows={6} />}
      {file && (
        <>
          {file.status === "ready" && <Preview file={file} />}
          <Actions onClose={onClose}>
            <Button busy={download.busy} disabled={file.status !== "ready"} onClick={() => void download.run()}>
              {say("file.download")}
            </Button>
            <Button danger onClick={() => setDeleting(true)}>
              {say("file.delete")}
            </Button>
          </Actions>
          {download.failure !== undefined && <Failure what={say("file.download.failed")} error={download.failure} />}
          <Rename filename={file.filename} rename={rename} again={() => read.refetch()} />
          {config.edge && file.status === "ready" && <Publish s3Key={s3Key} />}
          <dl className="border-t border-line">
            <Fact label="file.state">
              <State tone={STATES[file.status][0]}>{say(STATES[file.status][1])}</State>
              {file.rejectedReason && <p>{file.rejectedReason}</p>}
            </Fact>
            <Fact label="file.kind">{say(KIND_WORDS[file.kind] ?? "kind.other")}</Fact>
            <Fact label="file.type">
              <code className="font-mono text-xs">{file.contentType}</code>
            </Fact>
            <Fact label="file.size">{bytes(file.size)}</Fact>
            {file.width !== null && file.height !== null && (
              <Fact label="file.pixels">
                {number(file.width)} × {number(file.height)}
              </Fact>
            )}
            {file.durationSeconds !== null && (
              <Fact label="file.duration">{number(file.durationSeconds, { style: "unit", unit: "second", maximumFractionDigits: 1 })}</Fact>
            )}
            <Fact label="file.modified">
              <Time at={file.lastModified} />
            </Fact>
            {Object.entries(file.metadata).map(([name, value]) => (
              <div key={name} className="grid grid-cols-[9rem_minmax(0,1fr)] gap-3 border-b border-line py-2">
                <dt className="font-mono text-xs text-muted">{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
            <Fact label="file.key">
              <span className="flex flex-wrap items-center gap-2">
                <code className="font-mono text-xs">{file.key}</code>
                <Copy text={file.key} />
              </span>
            </Fact>
            {file.sha256 && (
              <Fact label="file.hash">
                <code className="font-mono text-xs">{file.sha256}</code>
              </Fact>
            )}
          </dl>
        </>
      )}
      {!file && <Actions onClose={onClose} />}
    </Dialog>
  );
}

/** Gives the file another name, unless somebody changed it since it was read. */
function Rename({ filename, rename, again }: { filename: string; rename(name: string): Promise<unknown>; again(): Promise<unknown> }) {
  const { say } = useWords();
  const [name, setName] = useState(filename);
  const { busy, failure, run } = useWork(() => rename(name.trim()));
  const conflict = isConsigneError(failure, "PRECONDITION_FAILED");
  const [told, setTold] = useState(false);
  useEffect(() => {
    // The person sees the present name, and may decide again.
    if (conflict) void again().then(() => setTold(true));
  }, [conflict, again]);
  const submit = (event: FormEvent) => {
    setTold(false);
    void run(event);
  };
  return (
    <form className="grid gap-2" onSubmit={submit}>
      <div className="flex items-end gap-2">
        <div className="min-w-0 grow">
          <Field label={say("file.name")}>
            <TextInput required maxLength={255} value={name} onChange={setName} />
          </Field>
        </div>
        <Button type="submit" busy={busy} disabled={name.trim() === "" || name.trim() === filename}>
          {say("file.rename")}
        </Button>
      </div>
      {conflict
        ? told && (
            <p role="alert" className="border-s-2 border-warn ps-3">
              {say("file.conflict", { name: filename })} {say("file.conflict.again")}
            </p>
          )
        : failure !== undefined && <Failure what={say("file.rename.failed")} error={failure} />}
    </form>
  );
}
