import { type ReactNode, useId, useLayoutEffect, useRef } from "react";

interface Props {
  title: string;
  children: ReactNode;
  confirm: string;
  cancel: string;
  onConfirm(): void;
  onCancel(): void;
}

/** Asks before something is done that cannot be undone. Escape and the first button cancel. */
export function ConfirmDialog({ title, children, confirm, cancel, onConfirm, onCancel }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();

  useLayoutEffect(() => {
    const element = dialog.current;
    if (element && !element.open) element.showModal();
    // Closed before it leaves the page, which an effect would do after it: the browser gives the focus back.
    return () => element?.close();
  }, []);

  return (
    <dialog
      ref={dialog}
      className="csg-dialog"
      aria-labelledby={`${id}-title`}
      aria-describedby={`${id}-text`}
      onCancel={(event) => {
        event.preventDefault();
        onCancel();
      }}
    >
      <h2 id={`${id}-title`} className="csg-dialog-title">
        {title}
      </h2>
      <p id={`${id}-text`}>{children}</p>
      <div className="csg-dialog-actions">
        <button type="button" className="csg-button" onClick={onCancel}>
          {cancel}
        </button>
        <button type="button" className="csg-button csg-danger" onClick={onConfirm}>
          {confirm}
        </button>
      </div>
    </dialog>
  );
}
