import type { ButtonHTMLAttributes } from "react";

interface Props extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "className"> {
  /** The one main action of its page or dialog. */
  primary?: boolean;
  /** Takes something away for good: red, and filled where it is the main action. */
  danger?: boolean;
  /** The dialog around it opens with the focus on it. */
  first?: boolean;
  /** Without a border, for actions inside of tables and heads. */
  quiet?: boolean;
  /** Work is on its way: the button cannot be pressed, and says so. */
  busy?: boolean;
}

/** A button. Its text is a verb. */
export function Button({ primary, danger, first, quiet, busy = false, disabled, type = "button", ...rest }: Props) {
  const filled = danger ? "bg-bad hover:bg-bad-strong" : "bg-accent hover:bg-accent-strong";
  const border = quiet ? "border-transparent" : "border-control";
  const look = primary ? `border-transparent text-on-accent ${filled}` : `hover:bg-hover ${border} ${danger ? "text-bad" : "text-fg"}`;
  return (
    <button
      {...rest}
      type={type}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      data-first={first || undefined}
      className={`inline-flex h-9 shrink-0 items-center justify-center gap-2 whitespace-nowrap rounded-md border px-3 font-medium transition-colors disabled:cursor-not-allowed disabled:opacity-60 ${look}`}
    />
  );
}
