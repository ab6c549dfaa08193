import { useConsigne, useUsage } from "@consigne/react";
import { FileManager } from "@consigne/react/components";
import { KIND_WORDS } from "../ui/kinds.ts";
import { Meter } from "../ui/Meter.tsx";
import { Failure, Head, Loading } from "../ui/states.tsx";
import { useWords } from "../words.ts";

/** The caller's files, and how much of the plan's storage they take. */
export function Files() {
  const { say } = useWords();
  const { queries, keys } = useConsigne();
  return (
    <>
      <Head title={say("nav.files")} text={say("files.text")} />
      <Storage />
      <FileManager onUploaded={() => void queries.invalidateQueries({ queryKey: keys.usage })} />
    </>
  );
}

function Storage() {
  const { say, bytes, number } = useWords();
  const { storage, percent, loading, error, refresh } = useUsage();
  if (error) return <Failure what={say("files.usage.failed")} error={error} retry={() => void refresh()} />;
  if (loading || !storage) return <Loading rows={1} />;
  const kinds = Object.entries(storage.byKind).filter(([, { files }]) => files > 0);
  return (
    <section aria-label={say("files.usage")} className="grid max-w-2xl gap-2">
      <Meter label={say("files.usage")} percent={percent} />
      <p>
        {say("files.usage.of", { used: bytes(storage.totalSize + storage.reservedSize), limit: bytes(storage.limit), plan: storage.plan })}
        {storage.reservedSize > 0 && <span className="text-muted"> {say("files.usage.reserved", { bytes: bytes(storage.reservedSize) })}</span>}
      </p>
      {kinds.length > 0 && (
        <ul className="flex flex-wrap gap-x-6 gap-y-1 text-muted">
          {kinds.map(([kind, { files, size }]) => (
            <li key={kind}>{say("files.kind", { kind: say(KIND_WORDS[kind] ?? "kind.other"), files: number(files), size: bytes(size) })}</li>
          ))}
        </ul>
      )}
    </section>
  );
}
