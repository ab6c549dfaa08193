import { type ConsigneClient, ConsigneError, type FileKind, type FileMetadata } from "@consigne/client";

import type { Progress, Running } from "./uploads.js";

/** What is said about a file when its upload begins. */
export interface UploadFacts {
  kind?: FileKind;
  metadata?: Record<string, string>;
}

/** Begins to upload a file. */
export function startUpload(client: ConsigneClient, file: File, facts: UploadFacts, onProgress: (progress: Progress) => void): Running {
  const control = new AbortController();
  return { done: upload(client, file, facts, onProgress, control.signal), abort: () => control.abort() };
}

async function upload(
  client: ConsigneClient,
  file: File,
  facts: UploadFacts,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<FileMetadata> {
  const body = { filename: file.name.normalize("NFC"), contentType: file.type, size: file.size, ...facts };
  const grant = await client.call("POST /api/files/uploads", { body }, { signal });
  onProgress({ status: "sending", percent: 0 });
  const sent = await fetch(grant.url, { method: grant.method, headers: grant.headers, body: file, signal });
  if (!sent.ok) throw new ConsigneError("UPLOAD_REFUSED", `the storage answered ${sent.status}`, { status: sent.status, details: {} });
  onProgress({ status: "checking", percent: 99 });
  for (let wait = 300; ; wait = Math.min(wait * 1.5, 5_000)) {
    const metadata = await client.files.metadata(grant.s3Key, { signal });
    if (metadata.status === "ready") return metadata;
    if (metadata.status === "rejected") throw new ConsigneError("FILE_REJECTED", metadata.rejectedReason ?? "the file was rejected");
    await new Promise((wake) => setTimeout(wake, wait));
  }
}
