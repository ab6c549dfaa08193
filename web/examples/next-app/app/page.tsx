import { createClient } from "@consigne/client";
import { FileManager } from "@consigne/react/components";

import { NewArticle } from "./new-article";
import { sessionToken } from "./session";

// Each visitor has their own files.
export const dynamic = "force-dynamic";

/** Reads on the server what the page says first. The rest is read by the browser. */
export default async function Page() {
  return (
    <main>
      <h1>Files</h1>
      <Storage />
      <NewArticle />
      <FileManager />
    </main>
  );
}

async function Storage() {
  const client = createClient({ baseUrl: process.env.CONSIGNE_URL ?? "http://localhost:4580", getToken: sessionToken });
  try {
    const { totalFiles, percent } = await client.files.usage();
    return (
      <p>
        {totalFiles} files, {percent} % of your plan
      </p>
    );
  } catch (error) {
    return <p role="alert">{String(error)}</p>;
  }
}
