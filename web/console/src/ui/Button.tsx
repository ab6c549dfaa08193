import type { ButtonHTMLAttributes } from "react";

interface Props extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "className"> {
  /** The one main action of its page or dialog. */
  primary?: boolean;
  /** Takes something away for good. */
  danger?: boolean;
  /** Without a border, for actions inside of tables and heads. */
  quiet?: boolean;
  /** Work is on its way: the button cannot be pressed, and says so. */
  busy?: boolean;
}

/** A button. Its text is a verb. */
export function Button({ primary, danger, quiet, busy = false, disabled, type = "button", ...rest }: Props) {
  const look = primary
    ? "border-transparent bg-accent text-on-accent hover:bg-accent-strong"
    : quiet
      ? "border-transparent hover:bg-hover"
      : "border-control hover:bg-hover";
  return (
    <button
      {...rest}
      type={type}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      className={`inline-flex h-9 shrink-0 items-center justify-center gap-2 whitespace-nowrap rounded-md border px-3 font-medium transition-colors disabled:cursor-not-allowed disabled:opacity-60 ${look} ${danger ? "text-bad" : ""}`}
    />
  );
}
