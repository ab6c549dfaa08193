/** How much of a limit is used. `percent` may be above 100. */
export function Meter({ label, percent }: { label: string; percent: number }) {
  const shown = Math.min(100, Math.max(0, percent));
  const colour = percent >= 100 ? "fill-bad" : percent >= 80 ? "fill-warn" : "fill-accent";
  return (
    <div className="relative">
      <meter className="sr-only" aria-label={label} min={0} max={100} value={shown} />
      <svg aria-hidden="true" className="meter h-2 w-full rounded-md bg-line">
        <rect width={`${shown}%`} height="100%" rx="4" className={colour} />
      </svg>
    </div>
  );
}
