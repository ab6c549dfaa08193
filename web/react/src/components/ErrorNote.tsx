import type { ReactNode } from "react";

import type { Words } from "../locales/words.js";

interface Props {
  /** What failed, and what was changed. */
  text: string;
  /** Its message, and the id of its request, are shown. */
  error: unknown;
  words: Words;
  children?: ReactNode;
}

/** Says what failed, with the API's message and the id of the request. */
export function ErrorNote({ text, error, words, children }: Props) {
  const { message, requestId } = (error ?? {}) as { message?: string; requestId?: string };
  return (
    <div role="alert" className="csg-error">
      <p>
        {text} {message}
      </p>
      {requestId && <p className="csg-request">{words.say("requestId", { id: requestId })}</p>}
      {children}
    </div>
  );
}
