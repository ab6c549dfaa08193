import { type FormEvent, useState, useSyncExternalStore } from "react";

import { Button } from "../ui/Button.tsx";
import { Choice, Field, TextInput } from "../ui/Field.tsx";
import { useWords } from "../words.ts";
import type { AuthProps, SignedIn } from "./adapter.ts";
import { LaptopAuth, type Person, PLANS, ROLES, USER } from "./person.ts";

const auth = new LaptopAuth();
// Before anything is drawn: whatever is asked of the API waits for it. A failure is told to whoever asks next.
auth.getToken().catch(() => {});
let user: SignedIn;
const subscribe = (changed: () => void) =>
  auth.subscribe((now) => {
    user = now;
    changed();
  });

/** Signs in with tokens of the laptop's own issuer: whoever sits at it chooses who they are. */
export function Auth({ children }: AuthProps) {
  const signedIn = useSyncExternalStore(subscribe, () => user);
  if (signedIn === undefined) return null;
  return signedIn === null ? <Chooser /> : children(auth);
}

const PEOPLE: Person[] = [
  { user: "user_ann", plan: "pro", role: "user" },
  { user: "user_bob", plan: "free", role: "user" },
  { user: "user_eve", plan: "pro", role: "expert" },
];

/** Asks who to be. */
function Chooser() {
  const { say } = useWords();
  const [person, setPerson] = useState<Person>({ user: "user_ann", plan: "pro", role: "user" });
  const [failure, setFailure] = useState("");
  const signIn = (chosen: Person) => {
    setFailure("");
    auth.signIn(chosen).catch((error: unknown) => setFailure(String((error as Error).message ?? error)));
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!USER.test(person.user)) setFailure(say("signin.user.wrong"));
    else signIn(person);
  };
  return (
    <main className="mx-auto grid min-h-dvh max-w-md content-center gap-6 p-4">
      <header className="grid gap-1">
        <h1 className="text-xl font-semibold">{say("signin.title")}</h1>
        <p className="text-muted">{say("signin.text")}</p>
      </header>
      <ul className="divide-y divide-line rounded-md border border-line">
        {PEOPLE.map((one) => (
          <li key={one.user}>
            <button type="button" className="flex w-full items-center gap-3 p-3 text-start hover:bg-hover" onClick={() => signIn(one)}>
              <span className="grow font-mono text-sm">{one.user}</span>
              <span className="text-sm text-muted">
                {one.plan}, {one.role}
              </span>
            </button>
          </li>
        ))}
      </ul>
      <form className="grid gap-4" onSubmit={submit}>
        <Field label={say("signin.user")} error={failure}>
          <TextInput required mono value={person.user} onChange={(value) => setPerson({ ...person, user: value })} />
        </Field>
        <div className="grid grid-cols-2 gap-4">
          <Field label={say("signin.plan")}>
            <Choice value={person.plan} options={PLANS.map((one) => [one, one])} onChange={(plan) => setPerson({ ...person, plan })} />
          </Field>
          <Field label={say("signin.role")}>
            <Choice value={person.role} options={ROLES.map((one) => [one, one])} onChange={(role) => setPerson({ ...person, role })} />
          </Field>
        </div>
        <Button primary type="submit">
          {say("signin.submit")}
        </Button>
      </form>
    </main>
  );
}
