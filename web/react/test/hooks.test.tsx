import { createClient } from "@consigne/client";
import { act, renderHook, screen, waitFor } from "@testing-library/react";
import { type ReactNode, StrictMode } from "react";
import { expect, test, vi } from "vitest";

import { ConsigneProvider, useConsigne, useKeys, useS3Files, useSecureAPI, useUpload, useUsage } from "../src/index.js";
import { openWorld, picture } from "./render.js";
import { API, BUCKET, fault } from "./world.js";

const on = openWorld();

function Uploader() {
  const { add, items } = useUpload();
  return (
    <button type="button" onClick={() => add([picture()])}>
      {items.length} uploads
    </button>
  );
}

/** Runs a hook in StrictMode with a provider. */
function run<Result>(hook: () => Result, options: Parameters<typeof on.wrap>[1] = {}) {
  return renderHook(hook, { wrapper: ({ children }: { children: ReactNode }) => on.wrap(children, options) });
}

test("a hook without a provider says what it needs", () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  expect(() => renderHook(() => useS3Files())).toThrow("need a <ConsigneProvider> around them");
});

test("useS3Files works without arguments, and reads the list once in StrictMode", async () => {
  on.world.add("photo.png");
  const { result } = run(() => useS3Files());
  expect(result.current.loading).toBe(true);
  await waitFor(() => expect(result.current.loading).toBe(false));
  expect(result.current.files.map(({ filename }) => filename)).toEqual(["photo.png"]);
  expect(on.world.calls("GET /api/files/list")).toBe(1);
});

test("uploadFile resolves with the key once the file is ready, and progress goes from 0 to 100", async () => {
  const { result } = run(() => useS3Files({ contentType: "image" }));
  await waitFor(() => expect(result.current.loading).toBe(false));
  expect([result.current.uploading, result.current.uploadProgress]).toEqual([false, 0]);
  let uploaded: { s3Key: string } | undefined;
  await act(async () => {
    uploaded = await result.current.uploadFile(picture());
  });
  expect(uploaded?.s3Key).toBe(on.world.files[0]?.key);
  await waitFor(() => expect(result.current.uploading).toBe(false));
  expect(result.current.uploadProgress).toBe(100);
  expect(result.current.files).toHaveLength(1);
  expect(on.world.bodies.find((body) => (body as { size?: number } | undefined)?.size)).toMatchObject({ kind: "image", filename: "photo.png" });
});

test("uploadFile without a file does nothing, and one that fails rejects and says why", async () => {
  const { result } = run(() => useS3Files());
  await waitFor(() => expect(result.current.loading).toBe(false));
  expect(await result.current.uploadFile(undefined)).toBeUndefined();
  const refusal = fault(413, "FILE_TOO_LARGE", "photo.png is 12 MB; your plan allows 10 MB per image", { field: "size", limit: 10 });
  on.world.next.set("POST /api/files/uploads", () => refusal);
  await act(() => expect(result.current.uploadFile(picture())).rejects.toMatchObject({ code: "FILE_TOO_LARGE", status: 413 }));
  await waitFor(() => expect(result.current.uploadError?.message).toContain("your plan allows 10 MB"));
  expect(result.current.uploading).toBe(false);
});

test("getDownloadUrl returns the same URL twice, and downloadFile asks for an attachment of the name", async () => {
  const { key } = on.world.add("photo.png");
  const clicked: string[] = [];
  vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
    clicked.push(this.href);
  });
  const { result } = run(() => useS3Files());
  await waitFor(() => expect(result.current.loading).toBe(false));
  const first = await result.current.getDownloadUrl(key);
  expect(first).toContain(BUCKET);
  expect(await result.current.getDownloadUrl(key)).toBe(first);
  expect(on.world.calls("POST /api/files/presigned-url")).toBe(1);
  await result.current.downloadFile(key, "été.png");
  expect(clicked).toHaveLength(1);
  expect(on.world.bodies.at(-1)).toEqual({ s3Key: key, disposition: "attachment", filename: "été.png" });
});

test("deleteFile takes the file out of every list, and its URL is asked for anew", async () => {
  const { key } = on.world.add("photo.png");
  const { result } = run(() => ({ all: useS3Files(), images: useS3Files({ contentType: "image" }), ...useConsigne() }));
  await waitFor(() => expect(result.current.images.files).toHaveLength(1));
  await result.current.all.getDownloadUrl(key);
  await act(() => result.current.all.deleteFile(key));
  await waitFor(() => expect([result.current.all.files, result.current.images.files]).toEqual([[], []]));
  expect(result.current.all.total).toBe(0);
  expect(result.current.tickets.peek(key)).toBeUndefined();
});

test("uploads go on when their component leaves the page, and are told once", async () => {
  const ready = vi.fn();
  const { result, unmount } = run(() => ({ ...useUpload({ onReady: ready }), queue: useConsigne().uploads }));
  act(() => void result.current.add([picture("a.png"), picture("b.png")]));
  expect(result.current.counts.waiting + result.current.counts.sending).toBe(2);
  unmount();
  await waitFor(() => expect(ready).toHaveBeenCalledTimes(2));
  expect(on.world.calls("POST /api/files/uploads")).toBe(2);
  expect(on.world.calls("PUT bucket")).toBe(2);
  // And the queue does not keep their files.
  await waitFor(() => expect(result.current.queue.snapshot()).toEqual([]));
});

test("an upload that failed can be tried again, and one that was aborted is no error", async () => {
  const failed = vi.fn();
  const { result } = run(() => useUpload({ onError: failed }));
  on.world.next.set("POST /api/files/uploads", () => fault(403, "STORAGE_QUOTA_EXCEEDED", "5 bytes are left of your plan"));
  act(() => void result.current.add([picture()]));
  await waitFor(() => expect(result.current.counts.failed).toBe(1));
  expect(failed).toHaveBeenCalledTimes(1);
  const [item] = result.current.items;
  act(() => result.current.retry(item?.id ?? ""));
  await waitFor(() => expect(result.current.counts.ready).toBe(1));
  expect(result.current.progress).toBe(100);

  act(() => {
    const [id] = result.current.add([picture("late.png")]);
    result.current.abort(id ?? "");
  });
  await waitFor(() => expect(result.current.counts.aborted).toBe(1));
  expect(failed).toHaveBeenCalledTimes(1);
  act(() => result.current.clear());
  expect(result.current.items).toEqual([]);
});

test("useSecureAPI takes data out of its envelope, and leaves plain answers whole", async () => {
  on.world.jobs.set("job_1", { job_id: "job_1", status: "pending", message: "Waiting", progress: 0 });
  const { result } = run(() => useSecureAPI());
  expect(result.current.isReady).toBe(true);
  expect(await act(() => result.current.request("/api/secure/jobs/job_1/status"))).toMatchObject({ status: "pending" });
  expect(await act(() => result.current.request(`${API}/api/files/usage`, { method: "get" }))).toMatchObject({ plan: "pro" });
  expect(on.world.tokens).toEqual(["Bearer token-of-ann", "Bearer token-of-ann"]);
});

test("useSecureAPI sends data, parameters and headers", async () => {
  on.world.add("a.pdf", { kind: "book" });
  on.world.add("b.pdf", { kind: "book" });
  const { result } = run(() => useSecureAPI());
  const params = { content_type: "book", limit: 1, cursor: undefined };
  expect(await act(() => result.current.request("/api/secure/files/list", { params }))).toHaveLength(1);
  expect(on.world.calls("GET /api/secure/files/list")).toBe(1);
});

test("an error of useSecureAPI can be read as one of axios, and the next request takes it away", async () => {
  const { result } = run(() => useSecureAPI());
  const { request } = result.current;
  await act(() =>
    expect(request("/api/secure/books/generate", { method: "POST", data: {} })).rejects.toMatchObject({
      ...{ name: "ConsigneError", code: "INVALID_REQUEST", message: "topic must have 1 to 500 characters" },
      response: {
        status: 400,
        data: { success: false, error: { code: "INVALID_REQUEST", message: "topic must have 1 to 500 characters" }, requestId: "req-1" },
      },
    }),
  );
  expect(result.current.error).toBe("topic must have 1 to 500 characters");
  expect(result.current.loading).toBe(false);
  await act(() => request("/api/files/usage"));
  expect(result.current.error).toBeNull();
  expect(result.current.request).toBe(request);
});

test("useSecureAPI sends no token to another address", async () => {
  const { result } = run(() => useSecureAPI());
  for (const endpoint of ["https://elsewhere.example/api", "//elsewhere.example/api", "api/me"]) {
    await act(() => expect(result.current.request(endpoint)).rejects.toThrow("must begin with one slash"));
  }
  expect(on.world.requests).toEqual([]);
});

test("useUsage has storage, and the days of an organisation", async () => {
  on.world.add("photo.png", { size: 40_000 });
  const { result } = run(() => useUsage({ org: "org_1" }));
  await waitFor(() => expect(result.current.loading).toBe(false));
  expect(result.current).toMatchObject({ percent: 40, free: 60_000, days: [{ date: "2026-11-21", requests: 7 }], error: null });
});

test("useKeys gives the text of a new key to its caller only", async () => {
  const { result } = run(() => ({ ...useKeys("org_1"), queries: useConsigne().queries }));
  await waitFor(() => expect(result.current.loading).toBe(false));
  const issued = await act(() => result.current.issue({ name: "Production API", environment: "production", scopes: ["pdf:read"] }));
  expect(issued.key).toBe("sk_live_secret");
  await waitFor(() => expect(result.current.keys).toHaveLength(1));
  const kept = [...result.current.queries.getQueryCache().getAll(), ...result.current.queries.getMutationCache().getAll()];
  expect(JSON.stringify(kept.map(({ state }) => state))).not.toContain("sk_live_secret");

  await act(() => result.current.revoke("key_1", "leaked"));
  await waitFor(() => expect(result.current.keys[0]).toMatchObject({ status: "revoked", revoked_reason: "leaked" }));
});

test("useKeys asks for nothing until there is an organisation", async () => {
  const { result } = run(() => useKeys(undefined));
  expect(result.current).toMatchObject({ keys: [], loading: false, error: null });
  expect(on.world.requests).toEqual([]);
});

test("an expired token is renewed as Clerk wants it, unseen", async () => {
  const getToken = vi.fn(async (options?: { skipCache?: boolean }) => (options?.skipCache ? "new" : "old"));
  on.world.next.set("GET /api/files/usage", () => fault(401, "TOKEN_EXPIRED", "The session token has expired"));
  const { result } = renderHook(() => useUsage(), {
    wrapper: ({ children }: { children: ReactNode }) => (
      <StrictMode>
        <ConsigneProvider baseUrl={API} getToken={getToken}>
          {children}
        </ConsigneProvider>
      </StrictMode>
    ),
  });
  await waitFor(() => expect(result.current.storage).toBeDefined());
  expect(getToken).toHaveBeenCalledWith({ skipCache: true });
  expect(on.world.tokens).toEqual(["Bearer old", "Bearer new"]);
});

test("a client of one's own is used as it is", async () => {
  const client = createClient({ baseUrl: API, getToken: () => "of a server" });
  const { result } = renderHook(() => ({ ...useUsage(), ...useConsigne() }), {
    wrapper: ({ children }: { children: ReactNode }) => <ConsigneProvider client={client}>{children}</ConsigneProvider>,
  });
  await waitFor(() => expect(result.current.storage).toBeDefined());
  expect(result.current.client).toBe(client);
  expect(on.world.tokens).toEqual(["Bearer of a server"]);
});

test("when another person signs in, the uploads of the one before are aborted", async () => {
  const { rerender } = on.show(<Uploader />);
  on.world.next.set("PUT bucket", () => new Promise(() => {}));
  act(() => screen.getByRole("button").click());
  await waitFor(() => expect(on.world.calls("PUT bucket")).toBe(1));
  rerender(on.wrap(<Uploader />, { userId: "user_bob" }));
  await screen.findByText("0 uploads");
  // The grant's bytes are given back.
  await waitFor(() => expect(on.world.calls("DELETE /api/files/delete")).toBe(1));
});
