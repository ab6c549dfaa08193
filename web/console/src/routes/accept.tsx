import type { Joined } from "@consigne/client";
import { useConsigne } from "@consigne/react";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { rememberOrg } from "../session.tsx";
import { Button } from "../ui/Button.tsx";
import { Empty, Failure, Head } from "../ui/states.tsx";
import { useWork } from "../ui/useWork.ts";
import { ROLE_WORDS } from "../ui/words.ts";
import { useWords } from "../words.ts";

/** Where the link in the mail of an invitation leads. Joining takes a click, since mail programs open links by themselves. */
export function Accept() {
  const { client, queries, keys } = useConsigne();
  const { say } = useWords();
  const { token } = useSearch({ from: "/invitations/accept" });
  const navigate = useNavigate();
  const [joined, setJoined] = useState<Joined>();
  const { busy, failure, run } = useWork(async () => {
    const done = await client.invitations.accept(token ?? "");
    setJoined(done);
    rememberOrg({ id: done.org.id, role: done.role });
    await queries.invalidateQueries({ queryKey: [...keys.all, "orgs"] });
    await navigate({ to: "/invitations/accept", search: {}, replace: true });
  });
  return (
    <>
      <Head title={say("accept.title")} />
      {joined ? (
        <Empty
          text={say("accept.done", { org: joined.org.name, role: say(ROLE_WORDS[joined.role]) })}
          action={
            <Button primary onClick={() => void navigate({ to: "/orgs/$org/usage", params: { org: joined.org.id } })}>
              {say("accept.go")}
            </Button>
          }
        />
      ) : token ? (
        <Empty
          text={say("accept.text")}
          action={
            <Button primary busy={busy} onClick={() => void run()}>
              {say("accept.join")}
            </Button>
          }
        >
          {failure !== undefined && <Failure what={say("accept.failed")} error={failure} />}
        </Empty>
      ) : (
        <Empty text={say("accept.none")} />
      )}
    </>
  );
}
