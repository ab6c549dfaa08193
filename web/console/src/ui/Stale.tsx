import { useEffect, useState } from "react";

import { useWords } from "../words.ts";
import { Button } from "./Button.tsx";

/** Milliseconds after which data says how old it is. */
const OLD = 60_000;

interface Props {
  /** When the data was read, in milliseconds since 1970; 0 or absent before that. */
  at: number | undefined;
  again(): void;
}

/** Says when the data of a page was read once it is older than a minute, and reads it again. */
export function Stale({ at = 0, again }: Props) {
  const { say, relative } = useWords();
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), OLD / 4);
    return () => clearInterval(timer);
  }, []);
  if (at === 0 || now - at < OLD) return null;
  return (
    <p className="flex flex-wrap items-center gap-2 text-muted">
      {say("stale.text", { when: relative(at, now) })}
      <Button quiet onClick={again}>
        {say("stale.refresh")}
      </Button>
    </p>
  );
}
