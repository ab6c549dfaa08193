import type { FileKind, FileView } from "@consigne/client";
import { type ChangeEvent, useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";

import type { Locale, MessageOverrides } from "../locales/words.js";
import { useS3Files } from "../useS3Files.js";
import { type UploadState, useUpload } from "../useUpload.js";
import { useWords } from "../useWords.js";
import { ConfirmDialog } from "./ConfirmDialog.js";
import { ErrorNote } from "./ErrorNote.js";
import { type FileActions, FileGrid } from "./FileGrid.js";
import { filterFiles, NEWEST_FIRST, type Order, sortFiles } from "./order.js";
import { UploadPanel } from "./UploadPanel.js";
import { HIDDEN, useAnnouncer } from "./useAnnouncer.js";
import { useDelayed } from "./useDelayed.js";
import { useDrop } from "./useDrop.js";
import { useOnline } from "./useOnline.js";

export interface FileManagerProps {
  /** Shows files of one kind only, and uploads files as this kind. */
  contentType?: FileKind;
  /** Types that the file dialog offers, such as `image/*`. The API decides what is accepted. */
  accept?: string;
  className?: string;
  locale?: Locale;
  messages?: MessageOverrides;
  /** Height of a row in pixels; 44 when absent. The style sheet follows it. */
  rowHeight?: number;
  /** Called once for each file that was uploaded and is ready. */
  onUploaded?(item: UploadState): void;
  /** Called when a file is chosen. Without it the file opens in a new tab. */
  onOpen?(file: FileView): void;
  /** Filter and order at first. A new `key` begins with another one. */
  view?: FilesView;
  /** Called with each change of filter and order that is made here. */
  onView?(view: FilesView): void;
}

/** What a person has typed to find files, and how they are sorted. */
export interface FilesView {
  filter: string;
  order: Order;
}

/** What failed, in words, and its error. */
interface Failure {
  text: string;
  error: unknown;
}

/** The caller's files: upload, filter, sort, open, rename, download and delete. */
export function FileManager(props: FileManagerProps) {
  const { contentType, accept, className, locale, messages, rowHeight = 44, onUploaded, onOpen, view, onView } = props;
  const words = useWords(locale, messages);
  const [region, announce] = useAnnouncer();
  const list = useS3Files(contentType ? { contentType } : {});
  const { openFile, downloadFile, deleteFile, renameFile } = list;
  const [shownAs, setShownAs] = useState(view ?? { filter: "", order: NEWEST_FIRST });
  const { filter, order } = shownAs;
  const show = (change: Partial<FilesView>) => {
    setShownAs({ ...shownAs, ...change });
    onView?.({ ...shownAs, ...change });
  };
  const [doomed, setDoomed] = useState<FileView>();
  const [failure, setFailure] = useState<Failure>();
  const input = useRef<HTMLInputElement>(null);
  const online = useOnline();

  const uploads = useUpload({
    ...(contentType && { kind: contentType }),
    onReady(item) {
      announce(words.say("uploaded", { name: item.name }));
      onUploaded?.(item);
    },
    onError: (item) => announce(words.say("notUploaded", { name: item.name, reason: item.error?.message ?? "" })),
  });
  // Every quarter is said, not every value.
  const quarter = Math.floor(uploads.progress / 25);
  useEffect(() => {
    if (quarter > 0 && quarter < 4) announce(words.say("uploadedPercent", { percent: words.percent(quarter * 25) }));
  }, [quarter, announce, words]);
  const drop = useDrop(uploads.add);

  const wanted = useDeferredValue(filter);
  const shown = useMemo(() => {
    const matching = filterFiles(list.files, wanted);
    const unsorted = order.column === NEWEST_FIRST.column && order.descending;
    return unsorted ? matching : sortFiles(matching, order);
  }, [list.files, wanted, order]);

  const attempt = useCallback(async (text: string, work: () => Promise<unknown>) => {
    setFailure(undefined);
    try {
      await work();
      return true;
    } catch (error) {
      setFailure({ text, error });
      return false;
    }
  }, []);

  const actions = useMemo<FileActions>(() => {
    const failed = (key: "failedDownload" | "failedRename", file: FileView) => words.say(key, { name: file.filename });
    return {
      open: (file) => (onOpen ? onOpen(file) : void attempt(failed("failedDownload", file), () => openFile(file.key))),
      download: (file) => void attempt(failed("failedDownload", file), () => downloadFile(file.key, file.filename)),
      remove: setDoomed,
      async rename(file, filename) {
        const done = await attempt(failed("failedRename", file), () => renameFile(file.key, filename));
        if (done) announce(words.say("renamed", { name: filename }));
      },
    };
  }, [words, onOpen, attempt, announce, openFile, downloadFile, renameFile]);

  const remove = async (file: FileView) => {
    setDoomed(undefined);
    const done = await attempt(words.say("failedDelete", { name: file.filename }), () => deleteFile(file.key));
    if (done) announce(words.say("deleted", { name: file.filename }));
  };

  const { hasMore, loadMore } = list;
  const onEnd = useCallback(() => {
    // A filter that matches little would load one page after the other. Whoever filters asks for more.
    if (wanted === "" && hasMore) void loadMore();
  }, [wanted, hasMore, loadMore]);

  const onChosen = (event: ChangeEvent<HTMLInputElement>) => {
    uploads.add(Array.from(event.target.files ?? []));
    // The same file can be chosen again.
    event.target.value = "";
  };

  const loading = list.loading && list.files.length === 0;
  const skeleton = useDelayed(loading, 150);
  const slow = useDelayed(loading, 3000);
  const empty = !loading && !list.error && list.files.length === 0;
  const counts = { count: list.files.length, total: list.total };

  return (
    <section
      className={`csg csg-files ${className ?? ""}`}
      aria-label={words.say("files")}
      lang={words.locale}
      data-over={drop.over || undefined}
      style={{ ["--csg-row" as string]: `${rowHeight}px` }}
      {...drop.handlers}
    >
      <div className="csg-bar">
        <button type="button" className="csg-button csg-primary" onClick={() => input.current?.click()}>
          {words.say("upload")}
        </button>
        <input ref={input} type="file" multiple {...(accept && { accept })} hidden onChange={onChosen} />
        <span className="csg-hint">{words.say(drop.over ? "dropHere" : "dropHint")}</span>
        <input
          type="search"
          className="csg-input csg-filter"
          aria-label={words.say("filter")}
          placeholder={words.say("filter")}
          value={filter}
          onChange={(event) => show({ filter: event.target.value })}
        />
      </div>
      {!online && (
        <p role="status" className="csg-offline">
          {words.say("offline")}
        </p>
      )}
      <UploadPanel uploads={uploads} words={words} />
      {failure && <ErrorNote {...failure} words={words} />}
      {list.error && (
        <ErrorNote text={words.say("failed")} error={list.error} words={words}>
          <button type="button" className="csg-button" onClick={() => void list.refresh()}>
            {words.say("retry")}
          </button>
        </ErrorNote>
      )}
      {skeleton && <Skeleton />}
      {loading && (
        <p role="status" style={skeleton ? {} : HIDDEN}>
          {words.say(slow ? "slow" : "loading")}
        </p>
      )}
      {empty && (
        <div className="csg-empty">
          <p>{words.say("empty")}</p>
          <p className="csg-hint">{words.say("emptyHint")}</p>
        </div>
      )}
      {list.files.length > 0 && (
        <FileGrid
          files={shown}
          total={filter === "" ? list.total : shown.length}
          order={order}
          onOrder={(order) => show({ order })}
          actions={actions}
          words={words}
          rowHeight={rowHeight}
          busy={list.loadingMore}
          onEnd={onEnd}
        />
      )}
      {list.files.length > 0 && shown.length === 0 && (
        <div className="csg-empty">
          <p>{words.say("noMatch", { filter: wanted })}</p>
          <button type="button" className="csg-button" onClick={() => show({ filter: "" })}>
            {words.say("clearFilter")}
          </button>
        </div>
      )}
      {list.files.length > 0 && (
        <div className="csg-foot">
          <p role="status">
            {wanted !== "" ? words.say("matches", { count: shown.length }) : words.say(list.hasMore ? "countOf" : "count", counts)}
            {wanted !== "" && list.hasMore && ` ${words.say("filterPart", counts)}`}
          </p>
          {list.hasMore && (
            <button type="button" className="csg-button" disabled={list.loadingMore} onClick={() => void list.loadMore()}>
              {words.say(list.loadingMore ? "loadingMore" : "more")}
            </button>
          )}
        </div>
      )}
      {doomed && (
        <ConfirmDialog
          title={words.say("confirmTitle", { name: doomed.filename })}
          confirm={words.say("confirm")}
          cancel={words.say("cancel")}
          onCancel={() => setDoomed(undefined)}
          onConfirm={() => void remove(doomed)}
        >
          {words.say("confirmText")}
        </ConfirmDialog>
      )}
      {region}
    </section>
  );
}

/** Rows without words, while the first files are on their way. */
function Skeleton() {
  return (
    <div className="csg-skeleton" aria-hidden="true">
      {[1, 2, 3, 4, 5].map((row) => (
        <div key={row} className="csg-skeleton-row" />
      ))}
    </div>
  );
}
