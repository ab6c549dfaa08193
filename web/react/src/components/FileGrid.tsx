// biome-ignore-all lint/a11y/useSemanticElements: a table element cannot have rows that are not in the document.
// biome-ignore-all lint/a11y/useFocusableInteractive: rows and the buttons in them take the focus, not heads and cells.

import type { FileView } from "@consigne/client";
import { type KeyboardEvent, useCallback, useEffect, useRef, useState } from "react";

import type { Words } from "../locales/words.js";
import { FileRow } from "./FileRow.js";
import type { Order, SortColumn } from "./order.js";
import { useWindowed } from "./useWindowed.js";

/** What can be done with a file. */
export interface FileActions {
  open(file: FileView): void;
  rename(file: FileView, filename: string): void;
  download(file: FileView): void;
  remove(file: FileView): void;
}

interface Props {
  files: FileView[];
  /** How many files there are, those that are not loaded included. */
  total: number;
  order: Order;
  onOrder(order: Order): void;
  actions: FileActions;
  words: Words;
  /** Height of a row in pixels. */
  rowHeight: number;
  busy: boolean;
  /** The last rows are in sight: time to load more. */
  onEnd(): void;
}

const COLUMNS: { column: SortColumn; title: "name" | "kind" | "size" | "modified" }[] = [
  { column: "filename", title: "name" },
  { column: "kind", title: "kind" },
  { column: "size", title: "size" },
  { column: "lastModified", title: "modified" },
];

/**
 * The files as a grid of which only the visible rows are in the document. One row can be reached with Tab; arrows, Page
 * and Home and End move to others, Enter opens, F2 renames and Delete deletes.
 */
export function FileGrid({ files, total, order, onOrder, actions, words, rowHeight, busy, onEnd }: Props) {
  const { scroller, onScroll, first, end, visible, reveal } = useWindowed(files.length, rowHeight);
  const [activeKey, setActiveKey] = useState<string>();
  const [editing, setEditing] = useState<string>();
  const body = useRef<HTMLDivElement>(null);
  const wantsFocus = useRef(false);
  const lastActive = useRef(0);

  const found = activeKey === undefined ? -1 : files.findIndex((file) => file.key === activeKey);
  // When the active file is gone, its place goes to the file that moved up.
  const active = found >= 0 ? found : Math.min(lastActive.current, files.length - 1);

  useEffect(() => {
    // The row of a deleted file had the focus, which the browser gave to the page.
    if (found < 0 && activeKey !== undefined && document.activeElement === document.body) wantsFocus.current = true;
    lastActive.current = Math.max(active, 0);
    if (wantsFocus.current && editing === undefined) {
      wantsFocus.current = false;
      body.current?.querySelector<HTMLElement>(`[data-row="${active}"]`)?.focus();
    }
  });

  useEffect(() => {
    if (files.length > 0 && end >= files.length) onEnd();
  }, [end, files.length, onEnd]);

  const go = (row: number) => {
    const next = Math.max(0, Math.min(row, files.length - 1));
    setActiveKey(files[next]?.key);
    wantsFocus.current = true;
    reveal(next);
  };

  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    if (editing !== undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const file = files[active];
    const row = (event.target as HTMLElement).closest<HTMLElement>("[data-row]");
    if (!file || !row) return;
    const onRow = event.target === row;
    const steps: Record<string, number> = {
      ...{ ArrowDown: 1, ArrowUp: -1, PageDown: visible - 1, PageUp: 1 - visible },
      ...{ Home: Number.NEGATIVE_INFINITY, End: Number.POSITIVE_INFINITY },
    };
    const step = steps[event.key];
    if (step !== undefined) go(active + step);
    else if (event.key === "ArrowRight") moveInRow(row, event.target as HTMLElement, 1);
    else if (event.key === "ArrowLeft") moveInRow(row, event.target as HTMLElement, -1);
    else if (event.key === "F2") setEditing(file.key);
    else if (event.key === "Delete") actions.remove(file);
    else if (event.key === "Enter" && onRow) actions.open(file);
    else return;
    event.preventDefault();
  };

  const onEdited = useCallback(
    (file: FileView, filename: string | undefined, refocus: boolean) => {
      setEditing(undefined);
      wantsFocus.current = refocus;
      if (filename !== undefined && filename !== file.filename) actions.rename(file, filename);
    },
    [actions],
  );

  const rows = range(first, end);
  // The active row stays in the document when it is scrolled out of sight, or the focus would be lost.
  if (active >= 0 && (active < first || active >= end)) rows.push(active);

  return (
    <div role="grid" className="csg-grid" aria-label={words.say("files")} aria-rowcount={total + 1} aria-colcount={5} aria-busy={busy}>
      <div role="rowgroup" className="csg-head">
        <div role="row" aria-rowindex={1} className="csg-row csg-head-row">
          {COLUMNS.map(({ column, title }) => (
            <ColumnHead key={column} title={words.say(title)} column={column} order={order} onOrder={onOrder} />
          ))}
          <div role="columnheader" className="csg-cell csg-actions">
            {words.say("actions")}
          </div>
        </div>
      </div>
      <div role="rowgroup" className="csg-body" ref={scroller} onScroll={onScroll} style={{ overflowY: "auto" }} onKeyDown={onKeyDown}>
        <div role="presentation" ref={body} style={{ position: "relative", height: files.length * rowHeight }}>
          {rows.map((row) => {
            const file = files[row] as FileView;
            return (
              <FileRow
                key={file.key}
                file={file}
                row={row}
                top={row * rowHeight}
                height={rowHeight}
                active={row === active}
                editing={file.key === editing}
                actions={actions}
                onActive={setActiveKey}
                onEdit={setEditing}
                onEdited={onEdited}
                words={words}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

function ColumnHead({ title, column, order, onOrder }: { title: string; column: SortColumn; order: Order; onOrder(order: Order): void }) {
  const sorted = order.column === column;
  const sort = sorted ? (order.descending ? "descending" : "ascending") : "none";
  const next = { column, descending: sorted ? !order.descending : column === "lastModified" };
  return (
    <div role="columnheader" aria-sort={sort} className={`csg-cell csg-${column}`}>
      <button type="button" className="csg-sort" onClick={() => onOrder(next)}>
        {title}
        <span aria-hidden="true" className="csg-arrow">
          {sorted ? (order.descending ? " ↓" : " ↑") : ""}
        </span>
      </button>
    </div>
  );
}

/** Moves the focus between a row and the buttons in it. */
function moveInRow(row: HTMLElement, from: HTMLElement, step: number): void {
  const stops = [row, ...row.querySelectorAll<HTMLElement>("button, a")];
  stops[Math.max(0, Math.min(stops.indexOf(from) + step, stops.length - 1))]?.focus();
}

function range(from: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - from) }, (_, index) => from + index);
}
