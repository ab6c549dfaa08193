import type { ReactNode } from "react";

import { type MessageId, useWords } from "../words.ts";

/** A line of a drawer: what it is, and its value. */
export function Fact({ label, children }: { label: MessageId; children: ReactNode }) {
  const { say } = useWords();
  return (
    <div className="grid grid-cols-[minmax(0,9rem)_minmax(0,1fr)] gap-3 border-b border-line py-2">
      <dt className="text-muted">{say(label)}</dt>
      <dd>{children}</dd>
    </div>
  );
}
