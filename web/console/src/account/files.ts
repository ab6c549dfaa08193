// The download of the files that an export lists.

import type { DataExport } from "@consigne/client";

interface Part {
  records: { type: string; s3_key?: string; filename?: string; status?: string }[];
}

/** How far a download has come. It outlives a failure, so that the next attempt goes on there. */
export interface Progress {
  /** Id of the export. */
  of: string | null;
  /** Names of the parts whose files are all downloaded. */
  parts: string[];
  /** Number of records behind which the download goes on in the next part. */
  record: number;
  /** Number of files that are downloaded. */
  files: number;
}

/** Returns the progress of a download that has not begun. */
export const begin = (of: string | null = null): Progress => ({ of, parts: [], record: 0, files: 0 });

/**
 * Downloads the files of an export one after another. Before each part it reads the export anew: the URLs of parts live five
 * minutes, and the files of one part may take longer.
 *
 * @param from - how far an earlier attempt came; an attempt for another export starts at the beginning
 * @param moved - is told before each part and after each file
 */
export async function downloadFiles(
  from: Progress,
  read: () => Promise<DataExport>,
  save: (key: string, filename?: string) => Promise<void>,
  moved: (progress: Progress) => void,
): Promise<void> {
  let progress = from;
  for (let first = true; ; first = false) {
    const { export_id, state, parts } = await read();
    if (state !== "ready") throw new Error(`the export is ${state}`);
    if (progress.of !== export_id) {
      if (!first) throw new Error("the export was replaced by a new one");
      progress = begin(export_id);
    }
    const next = () => parts.find(({ name, files }) => files > 0 && !progress.parts.includes(name));
    // After a complete download, the next one starts from the beginning.
    if (first && next() === undefined) progress = begin(export_id);
    moved(progress);
    const part = next();
    if (part === undefined) return;
    const response = await fetch(part.url);
    if (!response.ok) throw new Error(`${part.name}: ${response.status}`);
    const { records } = (await response.json()) as Part;
    for (const [at, { type, status, s3_key, filename }] of records.entries()) {
      if (at < progress.record || type !== "file" || status !== "ready" || s3_key === undefined) continue;
      await save(s3_key, filename);
      progress = { ...progress, record: at + 1, files: progress.files + 1 };
      moved(progress);
    }
    progress = { ...progress, parts: [...progress.parts, part.name], record: 0 };
  }
}
