// @vitest-environment node

// Components and hooks are rendered on a server first, where there is neither a document nor a storage.

import { renderToString } from "react-dom/server";
import { expect, test, vi } from "vitest";

import { FileManager, ImageResults, VideoResults } from "../src/components.js";
import { ConsigneProvider, useJob, useKeys, useS3Files, useSecureAPI, useTicket, useUpload, useUsage } from "../src/index.js";

function Everything() {
  const states = [useJob("job_1").running, useKeys("org_1").loading, useS3Files().loading, useUsage({ org: "org_1" }).loading];
  const { isReady } = useSecureAPI();
  return (
    <p>
      {JSON.stringify([...states, isReady, useUpload().items.length, useTicket("key").url ?? "none"])}
      <FileManager />
      <ImageResults images={[{ key: "a.png", filename: "a.png" }]} />
      <VideoResults videos={[{ key: "a.mp4", filename: "a.mp4" }]} />
    </p>
  );
}

test("a server renders everything as loading, and asks for nothing", () => {
  const getToken = vi.fn(async () => "token");
  const fetched = vi.spyOn(globalThis, "fetch");
  const html = renderToString(
    <ConsigneProvider baseUrl="https://api.example" getToken={getToken} locale="fr">
      <Everything />
    </ConsigneProvider>,
  );
  expect(html).toContain("[true,true,true,true,true,0,&quot;none&quot;]");
  expect(html).toContain("Chargement des fichiers");
  expect(getToken).not.toHaveBeenCalled();
  expect(fetched).not.toHaveBeenCalled();
});
