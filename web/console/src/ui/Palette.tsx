import { useConsigne } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";
import { type KeyboardEvent, useId, useState } from "react";

import { useWords } from "../words.ts";
import { Dialog } from "./Dialog.tsx";

/** Something that the palette can do. */
export interface Command {
  id: string;
  label: string;
  run(): void;
}

/** Lower case without accents, so that "cle" finds "Clés". */
const plain = (text: string) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** Returns the commands whose labels have every word that was typed, in any order. */
export function matching(commands: readonly Command[], typed: string): Command[] {
  const wanted = plain(typed).split(/\s+/).filter(Boolean);
  return commands.filter(({ label }) => wanted.every((word) => plain(label).includes(word)));
}

/** Most files that are offered. */
const FILES = 5;

/** Goes anywhere from the keyboard: pages, organisations, a new key, a file by its name. */
export function Palette({ commands, onClose }: { commands: Command[]; onClose(): void }) {
  const { client, queries, keys } = useConsigne();
  const { say } = useWords();
  const id = useId();
  const [typed, setTyped] = useState("");
  const [at, setAt] = useState(0);
  const files = useQuery(
    {
      queryKey: [...keys.all, "palette"],
      queryFn: async ({ signal }) => (await client.files.list({ limit: 1000 }, { signal })).items,
      enabled: typed.trim().length > 1,
    },
    queries,
  );
  const openFile = async (key: string) => {
    const tab = window.open("", "_blank");
    try {
      const url = await client.files.url(key);
      if (tab) {
        tab.opener = null;
        tab.location.href = url;
      }
    } catch {
      tab?.close();
    }
  };
  const found: Command[] = (files.data ?? []).map((file) => ({
    id: file.key,
    label: say("palette.file", { name: file.filename }),
    run: () => void openFile(file.key),
  }));
  const shown = [...matching(commands, typed), ...(typed.trim().length > 1 ? matching(found, typed).slice(0, FILES) : [])];
  const chosen = Math.min(at, shown.length - 1);
  const run = (command: Command | undefined) => {
    if (!command) return;
    onClose();
    command.run();
  };
  const press = (event: KeyboardEvent) => {
    const moves: Record<string, number> = { ArrowDown: chosen + 1, ArrowUp: chosen - 1, Home: 0, End: shown.length - 1 };
    const next = moves[event.key];
    if (event.key === "Enter") run(shown[chosen]);
    else if (next === undefined) return;
    else setAt((next + shown.length) % Math.max(1, shown.length));
    event.preventDefault();
  };
  return (
    <Dialog title={say("palette.title")} onClose={onClose}>
      <input
        role="combobox"
        aria-label={say("palette.label")}
        aria-expanded="true"
        aria-controls={id}
        aria-activedescendant={shown[chosen] && `${id}-${chosen}`}
        aria-autocomplete="list"
        autoComplete="off"
        spellCheck={false}
        placeholder={say("palette.label")}
        className="h-9 w-full rounded-md border border-control bg-bg px-3 leading-6"
        value={typed}
        onChange={(event) => {
          setTyped(event.target.value);
          setAt(0);
        }}
        onKeyDown={press}
      />
      <div role="listbox" id={id} aria-label={say("palette.title")} className="grid max-h-80 overflow-y-auto">
        {shown.map((command, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the field.
          // biome-ignore lint/a11y/useFocusableInteractive: the field has the focus, and names the active one.
          <div
            key={command.id}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === chosen}
            className={`flex min-h-9 items-center rounded-md px-3 ${index === chosen ? "bg-hover" : ""}`}
            onClick={() => run(command)}
            onPointerMove={() => setAt(index)}
          >
            {command.label}
          </div>
        ))}
      </div>
      <p role="status" className={shown.length === 0 ? "text-muted" : "sr-only"}>
        {shown.length === 0 ? say("palette.none") : say("palette.count", { count: shown.length })}
      </p>
    </Dialog>
  );
}
