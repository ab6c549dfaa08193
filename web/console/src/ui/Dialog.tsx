import { type ReactNode, useEffect, useId, useRef } from "react";

import { useWords } from "../words.ts";
import { Button } from "./Button.tsx";

interface Props {
  title: string;
  children: ReactNode;
  /** Called when the person closes it by Escape. Without it the dialog cannot be closed that way. */
  onClose?: (() => void) | undefined;
  /** Slides in at the end of the line on wide screens, and fills the screen of a phone. */
  drawer?: boolean;
}

const DRAWER = "my-0 me-0 ms-auto h-dvh max-h-dvh w-full max-w-full border-s sm:w-[440px]";
const CENTRED = "m-auto max-h-[calc(100dvh-32px)] w-[560px] max-w-[calc(100vw-32px)] rounded-md border";

/** A dialog of the browser's own: the page behind it is inert, and the focus goes back at its end. */
export function Dialog({ title, children, onClose, drawer = false }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const id = useId();
  const close = useRef(onClose);
  useEffect(() => {
    close.current = onClose;
  });
  useEffect(() => {
    const shown = dialog.current;
    const before = document.activeElement;
    shown?.showModal();
    // In a drawer there is something to read first; in a form, something to fill; before a loss, the way back.
    if (drawer) heading.current?.focus();
    else shown?.querySelector<HTMLElement>("[data-first]")?.focus();
    // Chromium closes a dialog at a second Escape whatever the page says. This one is shown again.
    const again = () => {
      // The event comes late. A dialog that became another one meanwhile is open.
      if (shown?.open) return;
      if (close.current) close.current();
      else if (shown?.isConnected) shown.showModal();
    };
    const keep = (event: Event) => {
      event.preventDefault();
      close.current?.();
    };
    shown?.addEventListener("cancel", keep);
    shown?.addEventListener("close", again);
    return () => {
      shown?.removeEventListener("cancel", keep);
      shown?.removeEventListener("close", again);
      shown?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
      // What opened it was taken away, as a row is once it was deleted.
      else document.getElementById("main")?.focus({ preventScroll: true });
    };
  }, [drawer]);
  return (
    <dialog ref={dialog} aria-labelledby={id} className={`overflow-y-auto border-line bg-raised p-5 ${drawer ? DRAWER : CENTRED}`}>
      <div className="grid gap-4">
        <h2 id={id} ref={heading} tabIndex={drawer ? -1 : undefined} className="outline-none text-lg font-semibold">
          {title}
        </h2>
        {children}
      </div>
    </dialog>
  );
}

/** The buttons at the end of a dialog. */
export function Buttons({ children }: { children: ReactNode }) {
  return <div className="flex flex-wrap justify-end gap-2">{children}</div>;
}

/** What can be done with the thing that a drawer shows, and at the end of the row the way out. */
export function Actions({ children, onClose }: { children?: ReactNode; onClose(): void }) {
  const { say } = useWords();
  return (
    <div className="flex flex-wrap gap-2">
      {children}
      <span className="ms-auto">
        <Button onClick={onClose}>{say("close")}</Button>
      </span>
    </div>
  );
}
