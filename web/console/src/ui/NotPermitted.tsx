import type { OrgView } from "@consigne/client";
import { useConsigne } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";

import { MAY, may, type Right } from "../roles.ts";
import { useWords } from "../words.ts";
import { Head } from "./states.tsx";
import { ROLE_WORDS } from "./words.ts";

/** Says which role a page needs, and who in the organisation has it. */
export function NotPermitted({ org, right, title }: { org: OrgView; right: Right; title: string }) {
  const { client, queries, keys } = useConsigne();
  const { say, locale } = useWords();
  const members = useQuery(
    { queryKey: [...keys.all, "members", org.id], queryFn: ({ signal }) => client.members.list(org.id, {}, { signal }).all() },
    queries,
  );
  const list = new Intl.ListFormat(locale, { type: "disjunction" });
  const able = members.data?.filter((member) => may(member.role, right)) ?? [];
  return (
    <>
      <Head title={title} />
      <div className="grid gap-3 border-t border-line py-6">
        <p className="font-medium">{say("denied.title")}</p>
        <p className="max-w-[68ch]">
          {say("denied.text", {
            role: say(ROLE_WORDS[org.role]),
            org: org.name,
            roles: list.format(MAY[right].map((role) => say(ROLE_WORDS[role]))),
          })}
        </p>
        {able.length > 0 && (
          <>
            <p>{say("denied.who")}</p>
            <ul className="list-disc ps-5">
              {able.map((member) => (
                <li key={member.user_id}>
                  {member.name ?? member.email ?? member.user_id} ({say(ROLE_WORDS[member.role])})
                </li>
              ))}
            </ul>
          </>
        )}
      </div>
    </>
  );
}
