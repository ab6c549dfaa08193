import { isConsigneError } from "@consigne/client";
import { useConsigne } from "@consigne/react";
import { useState } from "react";

import { Button } from "../ui/Button.tsx";
import { Confirm } from "../ui/Confirm.tsx";
import { Code } from "../ui/Copy.tsx";
import { Failure } from "../ui/states.tsx";
import { useWork } from "../ui/useWork.ts";
import { useWords } from "../words.ts";

/** Gives a file a permanent address that everybody can read, and takes it away again. */
export function Publish({ s3Key }: { s3Key: string }) {
  const { client } = useConsigne();
  const { say } = useWords();
  const [url, setUrl] = useState<string>();
  const [taking, setTaking] = useState(false);
  const [taken, setTaken] = useState(false);
  const publish = useWork(async () => {
    const { body } = await client.send("POST", "/api/files/publish", { body: { s3Key } });
    setTaken(false);
    setUrl((body as { url: string }).url);
  });
  const unpublish = async () => {
    await client.send("DELETE", "/api/files/publish", { body: { s3Key } });
    setUrl(undefined);
    setTaken(true);
  };
  // Without its edge an installation has no such route.
  const absent = isConsigneError(publish.failure, "NOT_FOUND") || isConsigneError(publish.failure, "METHOD_NOT_ALLOWED");
  return (
    <section aria-label={say("publish.title")} className="grid gap-2">
      <h3 className="text-base font-semibold">{say("publish.title")}</h3>
      {url === undefined ? (
        <p className="text-muted">{say(taken ? "publish.taken" : "publish.text")}</p>
      ) : (
        <Code label={say("publish.url")} text={url} />
      )}
      {absent && <p role="status">{say("publish.absent")}</p>}
      {publish.failure !== undefined && !absent && <Failure what={say("publish.failed")} error={publish.failure} />}
      <div className="flex flex-wrap gap-2">
        {url === undefined ? (
          <Button busy={publish.busy} onClick={() => void publish.run()}>
            {say("publish")}
          </Button>
        ) : (
          <Button danger onClick={() => setTaking(true)}>
            {say("unpublish")}
          </Button>
        )}
      </div>
      {taking && (
        <Confirm
          title={say("unpublish.title")}
          verb={say("unpublish")}
          failed={say("unpublish.failed")}
          work={unpublish}
          onClose={() => setTaking(false)}
        >
          <p>{say("unpublish.text")}</p>
        </Confirm>
      )}
    </section>
  );
}
