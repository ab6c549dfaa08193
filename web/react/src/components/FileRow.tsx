// biome-ignore-all lint/a11y/useSemanticElements: a table element cannot have rows that are not in the document.
// biome-ignore-all lint/a11y/useFocusableInteractive: rows and the buttons in them take the focus, not heads and cells.

import type { FileView } from "@consigne/client";
import { type KeyboardEvent, memo, useEffect, useRef } from "react";

import type { Words } from "../locales/words.js";
import type { FileActions } from "./FileGrid.js";
import { Thumbnail } from "./Thumbnail.js";

interface Props {
  file: FileView;
  /** Its number among the rows, from 0. */
  row: number;
  /** Where it begins, in pixels. */
  top: number;
  height: number;
  /** Whether Tab reaches it. */
  active: boolean;
  /** Whether its name is being changed. */
  editing: boolean;
  actions: FileActions;
  onActive(key: string): void;
  onEdit(key: string): void;
  /** The new name, or undefined if it stays as it was; and whether the row gets the focus back. */
  onEdited(file: FileView, filename: string | undefined, refocus: boolean): void;
  words: Words;
}

const ACTIONS = [
  ["rename", "✎"],
  ["download", "↓"],
  ["delete", "✕"],
] as const;

/** One file in the grid. */
export const FileRow = memo(function FileRow(props: Props) {
  const { file, row, top, height, active, editing, actions, onActive, onEdit, onEdited, words } = props;
  const stop = active ? 0 : -1;
  const name = { name: file.filename };
  const does = { rename: ({ key }: FileView) => onEdit(key), download: actions.download, delete: actions.remove };
  return (
    <div
      role="row"
      aria-rowindex={row + 2}
      aria-label={file.filename}
      data-row={row}
      tabIndex={stop}
      className="csg-row"
      style={{ position: "absolute", insetInline: 0, top: 0, height, transform: `translateY(${top}px)` }}
      onFocus={() => onActive(file.key)}
    >
      <div role="gridcell" className="csg-cell csg-filename">
        <Thumbnail file={file} />
        {editing ? (
          <NameInput file={file} label={words.say("newName", name)} onEdited={onEdited} />
        ) : (
          <button
            type="button"
            className="csg-link"
            tabIndex={stop}
            title={file.filename}
            aria-label={words.say("open", name)}
            onClick={() => actions.open(file)}
          >
            {file.filename}
          </button>
        )}
        {file.metadata?.title && !editing && <span className="csg-title">{file.metadata.title}</span>}
      </div>
      <div role="gridcell" className="csg-cell csg-kind">
        {words.kind(file.kind)}
      </div>
      <div role="gridcell" className="csg-cell csg-size">
        {words.bytes(file.size)}
      </div>
      <div role="gridcell" className="csg-cell csg-lastModified">
        <time dateTime={file.lastModified}>{words.time(file.lastModified)}</time>
      </div>
      <div role="gridcell" className="csg-cell csg-actions">
        {ACTIONS.map(([action, sign]) => (
          <button
            key={action}
            type="button"
            className="csg-action"
            data-sign={sign}
            tabIndex={stop}
            aria-label={words.say(action, name)}
            onClick={() => does[action](file)}
          >
            {words.say(`${action}Short`)}
          </button>
        ))}
      </div>
    </div>
  );
});

/** The field for a new name. Enter and leaving it accept, Escape keeps the old name. */
function NameInput({ file, label, onEdited }: { file: FileView; label: string; onEdited: Props["onEdited"] }) {
  const input = useRef<HTMLInputElement>(null);
  const ended = useRef(false);

  useEffect(() => {
    const dot = file.filename.lastIndexOf(".");
    input.current?.focus();
    // The extension stays, so the name alone is selected.
    input.current?.setSelectionRange(0, dot > 0 ? dot : file.filename.length);
    // StrictMode runs effects twice; the field is open again then.
    ended.current = false;
  }, [file.filename]);

  const end = (name: string | undefined, refocus: boolean) => {
    // Leaving the page takes the focus away, which must not count as a second answer.
    if (ended.current) return;
    ended.current = true;
    onEdited(file, name?.trim() || undefined, refocus);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    end(event.key === "Enter" ? event.currentTarget.value : undefined, true);
  };
  return (
    <input
      ref={input}
      className="csg-input"
      aria-label={label}
      defaultValue={file.filename}
      maxLength={255}
      onKeyDown={onKeyDown}
      onBlur={(event) => end(event.currentTarget.value, false)}
    />
  );
}
