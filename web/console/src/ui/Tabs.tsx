import { Link } from "@tanstack/react-router";

interface Tab {
  label: string;
  active: boolean;
  /** Changes the query of the address. */
  search(before: Record<string, unknown>): Record<string, unknown>;
}

/** Filters that are addresses, side by side. */
export function Tabs({ label, tabs }: { label: string; tabs: Tab[] }) {
  return (
    <nav aria-label={label} className="flex flex-wrap gap-1">
      {tabs.map((tab) => (
        <Link
          key={tab.label}
          to="."
          search={tab.search as never}
          activeOptions={{ includeSearch: true, exact: true }}
          className={`rounded-md px-3 py-1.5 hover:bg-hover ${tab.active ? "bg-hover font-medium" : "text-muted"}`}
          activeProps={{ "aria-current": tab.active ? "true" : undefined }}
          inactiveProps={{ "aria-current": tab.active ? "true" : undefined }}
        >
          {tab.label}
        </Link>
      ))}
    </nav>
  );
}
