// The shapes that applications were written against. tsc checks this file; nothing runs it.

import type { FileView, JobView } from "@consigne/client";
import { type S3Files, useJob, useS3Files, useSecureAPI } from "@consigne/react";
import { expectTypeOf } from "vitest";

// Called by nobody, so that no hook runs outside a component.
export function useShapes() {
  const all = useS3Files();
  const images = useS3Files({ contentType: "image", autoRefresh: false });
  expectTypeOf(all).toEqualTypeOf<S3Files>();
  expectTypeOf(images.files).toEqualTypeOf<FileView[]>();
  expectTypeOf(images.loading).toEqualTypeOf<boolean>();
  expectTypeOf(images.uploading).toEqualTypeOf<boolean>();
  expectTypeOf(images.uploadProgress).toEqualTypeOf<number>();
  expectTypeOf(images.uploadFile).toBeCallableWith(undefined);
  expectTypeOf(images.uploadFile(new File([], "a"))).toEqualTypeOf<Promise<{ s3Key: string }>>();
  expectTypeOf(images.deleteFile("key")).toExtend<Promise<unknown>>();
  expectTypeOf(images.downloadFile("key", "name")).toExtend<Promise<unknown>>();
  expectTypeOf(images.getDownloadUrl("key")).toEqualTypeOf<Promise<string>>();

  const { request, loading, error, isReady } = useSecureAPI();
  expectTypeOf(loading).toEqualTypeOf<boolean>();
  expectTypeOf(error).toEqualTypeOf<string | null>();
  expectTypeOf(isReady).toEqualTypeOf<boolean>();
  const options = { method: "POST", data: { topic: "a" }, params: { page: 1, filter: null }, headers: { "x-a": "b" } };
  expectTypeOf(request<{ job_id: string }>("/api/secure/books/generate", options)).toEqualTypeOf<Promise<{ job_id: string }>>();
  expectTypeOf(request("/api/me")).resolves.toBeAny();

  const job = useJob(null);
  expectTypeOf(job.status).toEqualTypeOf<JobView["status"] | undefined>();
  expectTypeOf(job.start).toBeCallableWith("image", { prompt: "A lighthouse", count: 2 });
  // @ts-expect-error a book has a topic, no prompt
  void job.start("book", { prompt: "A lighthouse" });
}
