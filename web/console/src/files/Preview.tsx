import type { FileView } from "@consigne/client";
import { useConsigne, useTicket } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";

import { Failure, Loading } from "../ui/states.tsx";
import { useWords } from "../words.ts";

/** Most bytes of a text that are shown. */
const SHOWN = 65_536;

/** How a file is shown; null if a browser cannot show it safely. */
export type Look = "image" | "video" | "audio" | "pdf" | "text" | null;

/** Says how a file is shown. Types that could run a script are saved and never shown. */
export function lookOf(contentType: string): Look {
  const type = contentType.split(";")[0]?.trim().toLowerCase() ?? "";
  if (/svg|html|xml/.test(type)) return null;
  if (type === "application/pdf") return "pdf";
  const kind = type.split("/")[0];
  if (kind === "image" || kind === "video" || kind === "audio") return kind;
  return kind === "text" || type === "application/json" ? "text" : null;
}

/** What is in a file. */
export function Preview({ file }: { file: FileView }) {
  const { say } = useWords();
  const look = lookOf(file.contentType);
  const { url, error, renew } = useTicket(look === null ? undefined : file.key);
  if (look === null) return <p className="text-muted">{say("preview.none")}</p>;
  if (error) return <Failure what={say("preview.failed")} error={error} retry={renew} />;
  if (!url) return <Loading rows={3} />;
  const frame = "max-h-96 w-full rounded-md border border-line bg-hover";
  if (look === "image") return <img src={url} alt={file.filename} className={`${frame} object-contain`} onError={renew} />;
  if (look === "audio") {
    // biome-ignore lint/a11y/useMediaCaption: the files of people come without captions.
    return <audio src={url} controls preload="metadata" className="w-full" aria-label={file.filename} onError={renew} />;
  }
  if (look === "video") {
    // biome-ignore lint/a11y/useMediaCaption: the files of people come without captions.
    return <video src={url} controls preload="metadata" className={frame} aria-label={file.filename} onError={renew} />;
  }
  if (look === "pdf") return <iframe src={url} title={file.filename} className={`h-96 ${frame}`} referrerPolicy="no-referrer" />;
  return <Text file={file} url={url} />;
}

/** The beginning of a text. */
function Text({ file, url }: { file: FileView; url: string }) {
  const { queries, keys } = useConsigne();
  const { say, bytes } = useWords();
  const text = useQuery(
    {
      queryKey: [...keys.all, "text", file.key, file.lastModified],
      async queryFn({ signal }) {
        const answer = await fetch(url, { signal, headers: { range: `bytes=0-${SHOWN - 1}` } });
        // An empty file has no range.
        if (answer.status === 416) return "";
        if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
        return new TextDecoder().decode((await answer.arrayBuffer()).slice(0, SHOWN));
      },
    },
    queries,
  );
  if (text.error) return <Failure what={say("preview.failed")} error={text.error} retry={() => void text.refetch()} />;
  if (text.isPending) return <Loading rows={3} />;
  return (
    <figure className="grid gap-1">
      <section
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it.
        tabIndex={0}
        aria-label={say("preview.text")}
        className="max-h-96 overflow-auto rounded-md border border-line bg-hover p-3"
      >
        <pre className="whitespace-pre-wrap font-mono text-xs">{text.data}</pre>
      </section>
      {file.size > SHOWN && <figcaption className="text-muted">{say("preview.part", { shown: bytes(SHOWN), size: bytes(file.size) })}</figcaption>}
    </figure>
  );
}
