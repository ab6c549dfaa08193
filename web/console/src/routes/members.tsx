import type { InvitationView, MemberView, OrgRole, OrgView } from "@consigne/client";
import { useConsigne } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";

import { may } from "../roles.ts";
import { useOrg, useSession } from "../session.tsx";
import { Button } from "../ui/Button.tsx";
import { Confirm } from "../ui/Confirm.tsx";
import { Choice, Field, TextInput } from "../ui/Field.tsx";
import { OfOrg } from "../ui/Frame.tsx";
import { Failure, Head, Loading, Time } from "../ui/states.tsx";
import { useWork } from "../ui/useWork.ts";
import { ROLE_WORDS } from "../ui/words.ts";
import { useWords } from "../words.ts";

const ROLES: OrgRole[] = ["owner", "admin", "developer", "billing"];

/** An organisation: its members, its invitations, and itself. */
export function Members() {
  const { org: id } = useParams({ from: "/orgs/$org/members" });
  const org = useOrg(id);
  const { say } = useWords();
  const [members, cache] = useMembers(id);
  const found = useQuery({ ...members, enabled: org !== undefined }, cache);
  const changes = org !== undefined && may(org.role, "members.change");
  const [invitations] = useInvitations(id);
  // A section comes once the one above it has its height. Both lists are read at once.
  const invited = useQuery({ ...invitations, enabled: changes }, cache);
  const listed = !found.isPending && !(changes && invited.isPending);
  return (
    <OfOrg id={id} right="members.see" title={say("nav.members")}>
      <Head
        title={say("nav.members")}
        text={say("org.text")}
        action={
          org &&
          may(org.role, "audit.see") && (
            <Link to="/orgs/$org/audit" params={{ org: id }} className="py-2 text-accent underline underline-offset-2">
              {say("audit.title")}
            </Link>
          )
        }
      />
      {org && <MemberList org={org} key={`members ${id}`} />}
      {org && changes && listed && <Invitations org={org} key={`invitations ${id}`} />}
      {org && may(org.role, "org.rename") && listed && <Settings org={org} key={`settings ${id}`} />}
    </OfOrg>
  );
}

function useMembers(org: string) {
  const { client, queries, keys } = useConsigne();
  const query = {
    queryKey: [...keys.all, "members", org],
    queryFn: ({ signal }: { signal: AbortSignal }) => client.members.list(org, {}, { signal }).all(),
  };
  return [query, queries] as const;
}

function useInvitations(org: string) {
  const { client, queries, keys } = useConsigne();
  const query = {
    queryKey: [...keys.all, "invitations", org],
    queryFn: ({ signal }: { signal: AbortSignal }) => client.invitations.list(org, {}, { signal }).all(),
  };
  return [query, queries] as const;
}

/** Roles that one member may give to another: an admin neither makes nor changes owners and admins. */
export function rolesFor(mine: OrgRole, theirs: OrgRole): OrgRole[] {
  if (mine === "owner") return ROLES;
  const given: OrgRole[] = ["developer", "billing"];
  return mine === "admin" && given.includes(theirs) ? given : [];
}

function MemberList({ org }: { org: OrgView }) {
  const { client, queries, keys } = useConsigne();
  const { me } = useSession();
  const { say } = useWords();
  const navigate = useNavigate();
  const key = [...keys.all, "members", org.id];
  const list = useQuery(...useMembers(org.id));
  const [leaving, setLeaving] = useState<MemberView>();
  const [stepping, setStepping] = useState<{ member: MemberView; role: OrgRole }>();
  const [failure, setFailure] = useState<unknown>();
  const setRole = async (member: MemberView, role: OrgRole) => {
    setFailure(undefined);
    try {
      await client.members.setRole(org.id, member.user_id, role);
    } catch (error) {
      setFailure(error);
    }
    await queries.invalidateQueries({ queryKey: key });
    if (member.user_id === me.user_id) await queries.invalidateQueries({ queryKey: [...keys.all, "orgs"] });
  };
  const remove = async (member: MemberView) => {
    await client.members.remove(org.id, member.user_id);
    if (member.user_id !== me.user_id) return void (await queries.invalidateQueries({ queryKey: key }));
    await navigate({ to: "/" });
    await queries.invalidateQueries({ queryKey: [...keys.all, "orgs"] });
  };
  const nameOf = (member: MemberView) => member.name ?? member.email ?? member.user_id;
  const self = leaving?.user_id === me.user_id;
  return (
    <section className="grid gap-3">
      <h2 className="text-base font-semibold">{say("members.title")}</h2>
      {list.error && <Failure what={say("members.failed")} error={list.error} retry={() => void list.refetch()} />}
      {list.isPending && <Loading rows={3} />}
      {failure !== undefined && <Failure what={say("members.work.failed")} error={failure} />}
      {list.data && (
        <table className="grid-table stacked">
          <thead>
            <tr>
              <th scope="col">{say("members.name")}</th>
              <th scope="col">{say("members.role")}</th>
              <th scope="col" className="hidden sm:table-cell">
                {say("members.since")}
              </th>
              <th scope="col">
                <span className="sr-only">{say("members.remove")}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {list.data.map((member) => {
              const mine = member.user_id === me.user_id;
              const roles = rolesFor(org.role, member.role);
              return (
                <tr key={member.user_id}>
                  <td>
                    {nameOf(member)} {mine && <span className="text-muted">({say("members.you")})</span>}
                    {member.email && member.name && <div className="text-xs text-muted">{member.email}</div>}
                  </td>
                  <td>
                    {roles.length > 0 ? (
                      <select
                        aria-label={say("members.role.of", { name: nameOf(member) })}
                        className="h-9 w-40 truncate rounded-md border border-control bg-bg px-2"
                        value={member.role}
                        onChange={(event) => {
                          const role = event.target.value as OrgRole;
                          // Whoever gives up a role of their own cannot take it back.
                          if (mine) setStepping({ member, role });
                          else void setRole(member, role);
                        }}
                      >
                        {roles.map((role) => (
                          <option key={role} value={role}>
                            {say(ROLE_WORDS[role])}
                          </option>
                        ))}
                      </select>
                    ) : (
                      say(ROLE_WORDS[member.role])
                    )}
                  </td>
                  <td className="hidden sm:table-cell">
                    <Time at={member.joined_at} />
                  </td>
                  <td className="num">
                    {(mine || roles.length > 0) && (
                      <Button quiet danger onClick={() => setLeaving(member)}>
                        {say(mine ? "members.leave" : "members.remove")}
                        {!mine && <span className="sr-only"> {nameOf(member)}</span>}
                      </Button>
                    )}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
      {stepping && (
        <Confirm
          title={say("members.step.title", { role: say(ROLE_WORDS[stepping.role]) })}
          verb={say("members.step")}
          failed={say("members.work.failed")}
          work={() => setRole(stepping.member, stepping.role)}
          onClose={() => setStepping(undefined)}
        >
          <p>{say("members.step.text", { role: say(ROLE_WORDS[stepping.role]), before: say(ROLE_WORDS[stepping.member.role]) })}</p>
        </Confirm>
      )}
      {leaving && (
        <Confirm
          title={self ? say("members.leave.title", { org: org.name }) : say("members.remove.title", { name: nameOf(leaving) })}
          verb={say(self ? "members.leave.do" : "members.remove.do")}
          failed={say("members.work.failed")}
          work={() => remove(leaving)}
          onClose={() => setLeaving(undefined)}
        >
          <p>{self ? say("members.leave.text", { org: org.name }) : say("members.remove.text", { name: nameOf(leaving), org: org.name })}</p>
        </Confirm>
      )}
    </section>
  );
}

function Invitations({ org }: { org: OrgView }) {
  const { client, queries, keys } = useConsigne();
  const { say } = useWords();
  const key = [...keys.all, "invitations", org.id];
  const list = useQuery(...useInvitations(org.id));
  const again = () => queries.invalidateQueries({ queryKey: key });
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<OrgRole>("developer");
  const [sent, setSent] = useState("");
  const [withdrawn, setWithdrawn] = useState<InvitationView>();
  const invite = useWork(async () => {
    await client.invitations.create(org.id, { email, role });
    setSent(email);
    setEmail("");
    await again();
  });
  // An admin invites anybody but owners.
  const roles = org.role === "owner" ? ROLES : ROLES.slice(1);
  return (
    <section className="grid gap-3">
      <h2 className="text-base font-semibold">{say("invite.title")}</h2>
      <form className="grid max-w-2xl items-end gap-3 sm:grid-cols-[minmax(0,1fr)_10rem_auto]" onSubmit={invite.run}>
        <Field label={say("invite.email")}>
          <TextInput type="email" required value={email} onChange={setEmail} />
        </Field>
        <Field label={say("members.role")}>
          <Choice value={role} options={roles.map((one) => [one, say(ROLE_WORDS[one])])} onChange={(value) => setRole(value as OrgRole)} />
        </Field>
        <Button primary type="submit" busy={invite.busy}>
          {say("invite.send")}
        </Button>
      </form>
      <p role="status" className={sent ? "text-good" : "sr-only"}>
        {sent && `✓ ${say("invite.sent", { email: sent })}`}
      </p>
      {invite.failure !== undefined && <Failure what={say("invite.failed")} error={invite.failure} />}
      {list.error && <Failure what={say("invite.list.failed")} error={list.error} retry={() => void list.refetch()} />}
      {list.isPending && <Loading rows={2} />}
      {list.data?.length === 0 && <p className="text-muted">{say("invite.none")}</p>}
      {list.data && list.data.length > 0 && (
        <table className="grid-table stacked">
          <thead>
            <tr>
              <th scope="col">{say("invite.email")}</th>
              <th scope="col">{say("members.role")}</th>
              <th scope="col" className="hidden sm:table-cell">
                {say("invite.expires")}
              </th>
              <th scope="col">
                <span className="sr-only">{say("invite.revoke")}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {list.data.map((invitation) => (
              <tr key={invitation.id}>
                <td>{invitation.email}</td>
                <td className="whitespace-nowrap">{say(ROLE_WORDS[invitation.role])}</td>
                <td className="hidden sm:table-cell">
                  <Time at={invitation.expires_at} />
                </td>
                <td className="num">
                  <Button quiet danger onClick={() => setWithdrawn(invitation)}>
                    {say("invite.revoke")}
                    <span className="sr-only"> {invitation.email}</span>
                  </Button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {withdrawn && (
        <Confirm
          title={say("invite.revoke.title", { email: withdrawn.email })}
          verb={say("invite.revoke.do")}
          failed={say("members.work.failed")}
          work={() => client.invitations.revoke(org.id, withdrawn.id).then(again)}
          onClose={() => setWithdrawn(undefined)}
        >
          <p>{say("invite.revoke.text")}</p>
        </Confirm>
      )}
    </section>
  );
}

function Settings({ org }: { org: OrgView }) {
  const { client, queries, keys } = useConsigne();
  const { say } = useWords();
  const navigate = useNavigate();
  const [name, setName] = useState(org.name);
  const [deleting, setDeleting] = useState(false);
  const again = () => queries.invalidateQueries({ queryKey: [...keys.all, "orgs"] });
  const rename = useWork(() => client.orgs.rename(org.id, name.trim()).then(again));
  const remove = async () => {
    await client.orgs.delete(org.id, org.slug);
    await navigate({ to: "/" });
    await again();
  };
  return (
    <section className="grid gap-3">
      <h2 className="text-base font-semibold">{say("org.settings")}</h2>
      <form className="flex max-w-2xl items-end gap-3" onSubmit={rename.run}>
        <div className="min-w-0 grow">
          <Field label={say("org.name")}>
            <TextInput required maxLength={100} value={name} onChange={setName} />
          </Field>
        </div>
        <Button type="submit" busy={rename.busy} disabled={name.trim() === org.name}>
          {say("org.rename")}
        </Button>
      </form>
      {rename.failure !== undefined && <Failure what={say("org.rename.failed")} error={rename.failure} />}
      {may(org.role, "org.delete") && (
        <div>
          <Button danger onClick={() => setDeleting(true)}>
            {say("org.delete")}
          </Button>
        </div>
      )}
      {deleting && (
        <Confirm
          title={say("org.delete.title", { org: org.name })}
          verb={say("org.delete")}
          failed={say("org.delete.failed")}
          typed={{ label: say("org.delete.type", { slug: org.slug }), text: org.slug }}
          work={remove}
          onClose={() => setDeleting(false)}
        >
          <p>{say("org.delete.text")}</p>
        </Confirm>
      )}
    </section>
  );
}
