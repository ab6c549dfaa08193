import { type ReactNode, useCallback, useState } from "react";

/** Says something to screen readers, politely. */
export type Announce = (text: string) => void;

/** Returns a live region to render, and what writes into it. */
export function useAnnouncer(): [region: ReactNode, announce: Announce] {
  const [said, setSaid] = useState({ text: "", times: 0 });
  // The key changes with each text, so that a text is read again when it is the same as the last.
  const announce = useCallback((text: string) => setSaid(({ times }) => ({ text, times: times + 1 })), []);
  const region = (
    <div className="csg-hidden" style={HIDDEN} role="status" aria-live="polite">
      <span key={said.times}>{said.text}</span>
    </div>
  );
  return [region, announce];
}

/** Takes an element out of sight and leaves it to screen readers. Inline, because it must hold without the style sheet. */
export const HIDDEN = {
  position: "absolute",
  width: 1,
  height: 1,
  overflow: "hidden",
  clipPath: "inset(50%)",
  whiteSpace: "nowrap",
} as const;
