// The page of the tests of components. Its address says what it shows: `?show=FileManager&locale=fr&theme=dark`. The test
// leaves the address of the API and the token in `window.consigne`.

import { ConsigneProvider, useS3Files } from "@consigne/react";
import { FileManager, ImageResults, VideoResults } from "@consigne/react/components";
import "@consigne/react/styles.css";
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";

import BookGenerator from "../../react/test/fixtures/BookGenerator.js";
import TestS3 from "../../react/test/fixtures/TestS3.js";
import UserFiles from "../../react/test/fixtures/UserFiles.js";

declare global {
  interface Window {
    consigne: { url: string; token: string };
  }
}

const asked = new URLSearchParams(location.search);

/** A gallery of all images that can be taken off the page and put back. */
function Gallery() {
  const { files } = useS3Files({ contentType: "image" });
  const [shown, setShown] = useState(true);
  return (
    <>
      <button type="button" onClick={() => setShown(!shown)}>
        Toggle
      </button>
      {shown && <ImageResults images={files} />}
    </>
  );
}

function Films() {
  const { files } = useS3Files({ contentType: "video" });
  return <VideoResults videos={files} />;
}

const PAGES: Record<string, () => React.ReactNode> = {
  BookGenerator: () => <BookGenerator />,
  FileManager: () => <FileManager />,
  Films: () => <Films />,
  Gallery: () => <Gallery />,
  TestS3: () => <TestS3 />,
  UserFiles: () => <UserFiles />,
};

const locale = asked.get("locale") === "fr" ? "fr" : "en";
const theme = asked.get("theme") ?? "light";
document.documentElement.lang = locale;
document.documentElement.dataset.theme = theme;
document.documentElement.style.background = theme === "dark" ? "#09090b" : "#ffffff";
document.documentElement.style.color = theme === "dark" ? "#f4f4f5" : "#18181b";

createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <ConsigneProvider
      baseUrl={window.consigne.url}
      getToken={async () => window.consigne.token}
      userId="user_e2e"
      locale={locale}
      ticketSeconds={asked.has("seconds") ? Number(asked.get("seconds")) : undefined}
    >
      <h1>{asked.get("show")}</h1>
      {PAGES[asked.get("show") ?? ""]?.()}
    </ConsigneProvider>
  </StrictMode>,
);
