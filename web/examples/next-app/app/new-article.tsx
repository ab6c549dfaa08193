"use client";

import { useJob } from "@consigne/react";
import { useState } from "react";

/** Has an article written, and shows how far it is. */
export function NewArticle() {
  const [topic, setTopic] = useState("");
  const [refusal, setRefusal] = useState<string>();
  const { start, running, progress, status, message } = useJob();

  const write = async () => {
    setRefusal(undefined);
    try {
      await start("blog", { topic });
    } catch (error) {
      setRefusal((error as Error).message);
    }
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void write();
      }}
    >
      <label>
        Article about <input value={topic} onChange={(event) => setTopic(event.target.value)} />
      </label>{" "}
      <button type="submit" disabled={running}>
        Write
      </button>
      <p role="status">
        {running && `${progress} %`} {status === "failed" ? message : ""} {refusal}
      </p>
    </form>
  );
}
