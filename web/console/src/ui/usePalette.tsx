import { useNavigate } from "@tanstack/react-router";
import { lazy, type ReactNode, Suspense, useEffect, useState } from "react";

import { may } from "../roles.ts";
import { rememberOrg, useSession } from "../session.tsx";
import { useWords } from "../words.ts";
import type { Command } from "./Palette.tsx";
import { type Place, usePlaces } from "./places.ts";

const Palette = lazy(() => import("./Palette.tsx").then((module) => ({ default: module.Palette })));

/** Opens the palette at Ctrl or Cmd K. Returns it while it is open, and the function that opens it. */
export function usePalette(): [palette: ReactNode, open: () => void] {
  const [opened, setOpened] = useState(false);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
      event.preventDefault();
      // Not over another dialog: what is open there would be lost.
      if (!document.querySelector("dialog[open]")) setOpened(true);
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
  const palette = opened && (
    <Suspense>
      <Commands onClose={() => setOpened(false)} />
    </Suspense>
  );
  return [palette, () => setOpened(true)];
}

function Commands({ onClose }: { onClose(): void }) {
  const { say } = useWords();
  const { orgs } = useSession();
  const { org, places } = usePlaces();
  const navigate = useNavigate();
  const go = (place: Place): Command => ({
    id: place.to,
    label: say("palette.go", { page: say(place.label) }),
    run: () => void navigate({ to: place.to, params: { org: org?.id ?? "" } }),
  });
  const create: Command[] =
    org && may(org.role, "keys.change")
      ? [
          {
            id: "create",
            label: say("keys.create"),
            run: () => void navigate({ to: "/orgs/$org/keys", params: { org: org.id }, search: { create: true } }),
          },
        ]
      : [];
  const why: Command[] = org
    ? [
        {
          id: "why",
          label: say("palette.why"),
          run: () => void navigate({ to: "/orgs/$org/usage", params: { org: org.id }, search: { why: "" } }),
        },
      ]
    : [];
  const others = orgs
    .filter(({ id }) => id !== org?.id)
    .map(
      (one): Command => ({
        id: one.id,
        label: say("palette.org", { org: one.name }),
        run: () => {
          rememberOrg(one);
          void navigate({ to: "/orgs/$org/wallet", params: { org: one.id } });
        },
      }),
    );
  return <Palette commands={[...places.map(go), ...create, ...why, ...others]} onClose={onClose} />;
}
