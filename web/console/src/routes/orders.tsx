import { useConsigne } from "@consigne/react";
import { useWindowed } from "@consigne/react/components";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type ComponentProps, type KeyboardEvent, lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState } from "react";

import {
  type Earlier,
  isOnItsWay,
  LINKS_LIVE,
  linesOf,
  listOrders,
  markSeen,
  type Order,
  type OrderEntry,
  readOrder,
  seenOrders,
  timeOf,
} from "../orders/orders.ts";
import { seesOrders } from "../roles.ts";
import { ORDER_STATES, type OrdersSearch } from "../router.tsx";
import { useSession } from "../session.tsx";
import { Button } from "../ui/Button.tsx";
import { Copy } from "../ui/Copy.tsx";
import { Empty, Failure, Head, Loading, Time } from "../ui/states.tsx";
import { type MessageId, useWords } from "../words.ts";

/** What shows photos is loaded beside the first order that is opened. */
const viewer = () => import("../orders/Photos.tsx");
const Viewer = lazy(() => viewer().then((module) => ({ default: module.Photos })));

function Photos(props: ComponentProps<typeof Viewer>) {
  return (
    <Suspense fallback={<div className="h-[min(60dvh,560px)]" />}>
      <Viewer {...props} />
    </Suspense>
  );
}

/** The orders that experts look through: a list, and the open order beside it. */
export function Orders() {
  const { me } = useSession();
  const { say } = useWords();
  if (seesOrders(me.role)) return <Desk />;
  return (
    <>
      <Head title={say("nav.orders")} />
      <div className="grid gap-3 border-t border-line py-6">
        <p className="font-medium">{say("denied.title")}</p>
        <p className="max-w-[68ch]">{say("orders.denied", { role: me.role })}</p>
      </div>
    </>
  );
}

const STATE_WORDS: Record<OrderEntry["status"], MessageId> = {
  submitted: "orders.submitted",
  awaiting_files: "orders.awaiting",
  paid: "orders.paid",
  expired: "orders.expired",
};
const IS_WORDS: typeof STATE_WORDS = {
  submitted: "orders.is.submitted",
  awaiting_files: "orders.is.awaiting",
  paid: "orders.is.paid",
  expired: "orders.is.expired",
};
/** Height of a row of the list, in pixels. */
const ROW = 60;

function Desk() {
  const { client, queries, keys } = useConsigne();
  const { say } = useWords();
  const { status = "submitted", order: open } = useSearch({ from: "/orders" });
  const navigate = useNavigate({ from: "/orders" });
  const [seen, setSeen] = useState(seenOrders);
  const stepping = useRef(false);
  const list = useInfiniteQuery(
    {
      queryKey: [...keys.all, "orders", status],
      queryFn: ({ pageParam, signal }) => listOrders(client, status, pageParam, signal),
      initialPageParam: undefined as string | undefined,
      getNextPageParam: (page) => page.nextCursor ?? undefined,
    },
    queries,
  );
  const { fetchNextPage, hasNextPage, isFetchingNextPage } = list;
  // An order that came between two pages stands on both.
  const orders = useMemo(() => [...new Map(list.data?.pages.flatMap(({ items }) => items).map((one) => [one.order_id, one])).values()], [list.data]);
  const at = orders.findIndex(({ order_id }) => order_id === open);
  const next = orders[at + 1]?.order_id;
  const before = orders[at - 1]?.order_id;

  const loadMore = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage({ cancelRefetch: false });
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  useEffect(() => {
    // Whoever goes from one to the next does not wait at the end of a page.
    if (open && at >= orders.length - 3) loadMore();
  }, [open, at, orders.length, loadMore]);
  useEffect(() => {
    if (!open) return;
    setSeen(markSeen(open));
    // Meanwhile, not after it.
    void viewer();
  }, [open]);
  useEffect(() => {
    // Whoever goes from one order to the next finds it there. Not before: each reading is in the audit.
    if (stepping.current && open && next) void queries.prefetchQuery(orderQuery(client, keys.all, next));
  }, [open, next, queries, client, keys]);

  const go = useCallback(
    (id: string | undefined) => {
      stepping.current = true;
      // Steps through the list are no places to go back to.
      if (id) void navigate({ search: (now) => ({ ...now, order: id }), replace: true });
    },
    [navigate],
  );
  useEffect(() => {
    const press = (event: globalThis.KeyboardEvent) => {
      const on = event.target as HTMLElement;
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || !open) return;
      // There these keys move something else.
      if (on.closest("input, select, textarea, dialog, [data-photo]")) return;
      if (event.key === "ArrowRight") go(next);
      else if (event.key === "ArrowLeft") go(before);
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [open, next, before, go]);

  return (
    <>
      <div className={open ? "max-lg:sr-only" : ""}>
        <Head title={say("nav.orders")} text={say("orders.text")} />
      </div>
      <div className="grid items-start gap-6 lg:grid-cols-[280px_minmax(0,1fr)]">
        <div className={`min-w-0 gap-3 ${open ? "hidden lg:grid" : "grid"}`}>
          <nav aria-label={say("orders.state")} className="flex flex-wrap gap-1">
            {ORDER_STATES.map((one) => (
              <Link
                key={one}
                from="/orders"
                search={(): OrdersSearch => ({ status: one === "submitted" ? undefined : one })}
                className={`rounded-md px-3 py-1.5 hover:bg-hover ${one === status ? "bg-hover font-medium" : "text-muted"}`}
                activeOptions={{ explicitUndefined: true }}
              >
                {say(STATE_WORDS[one])}
              </Link>
            ))}
          </nav>
          {list.error && <Failure what={say("orders.failed")} error={list.error} retry={() => void list.refetch()} />}
          {list.isPending && <Loading rows={6} />}
          {list.data && orders.length === 0 && <Empty text={say(status === "submitted" ? "orders.empty" : "orders.empty.other")} />}
          {orders.length > 0 && (
            <List orders={orders} open={open} seen={seen} busy={isFetchingNextPage} more={hasNextPage} onGo={go} onMore={loadMore} key={status} />
          )}
        </div>
        {open ? (
          <Opened
            id={open}
            position={at < 0 ? undefined : { at: at + 1, of: orders.length, more: hasNextPage }}
            before={before}
            next={next}
            onGo={go}
          />
        ) : (
          orders.length > 0 && <p className="hidden py-2 text-muted lg:block">{say("orders.choose")}</p>
        )}
      </div>
    </>
  );
}

interface ListProps {
  orders: OrderEntry[];
  open: string | undefined;
  seen: Set<string>;
  busy: boolean;
  more: boolean;
  onGo(id: string | undefined): void;
  onMore(): void;
}

/** The orders of a status. One can be reached with Tab; the arrows open the one above and below. */
function List({ orders, open, seen, busy, more, onGo, onMore }: ListProps) {
  const { say } = useWords();
  const { scroller, onScroll, first, end, reveal } = useWindowed(orders.length, ROW);
  const at = orders.findIndex(({ order_id }) => order_id === open);
  // The order that gets the focus once it is open.
  const awaited = useRef<string>(undefined);
  useEffect(() => {
    if (at >= 0) reveal(at);
  }, [at, reveal]);
  useEffect(() => {
    if (awaited.current === undefined || awaited.current !== open) return;
    awaited.current = undefined;
    scroller.current?.querySelector<HTMLElement>("a[aria-current]")?.focus();
  });
  useEffect(() => {
    if (end >= orders.length) onMore();
  }, [end, orders.length, onMore]);
  const press = (event: KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: orders.length - 1 };
    const to = steps[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const order = orders[Math.max(0, Math.min(orders.length - 1, to))];
    awaited.current = order?.order_id === open ? undefined : order?.order_id;
    onGo(order?.order_id);
  };
  const rows = Array.from({ length: end - first }, (_, row) => first + row);
  // The open one stays in the document when it is scrolled out of sight, or the focus would be lost.
  if (at >= 0 && (at < first || at >= end)) rows.push(at);
  const stop = Math.max(at, 0);
  return (
    <div
      ref={scroller}
      data-orders
      onScroll={onScroll}
      className="max-h-[calc(100dvh-240px)] min-h-60 overflow-y-auto border-y border-line lg:max-h-[calc(100dvh-190px)]"
    >
      <ul aria-label={say("nav.orders")} className="relative" style={{ height: orders.length * ROW }} aria-busy={busy || more}>
        {rows.map((row) => {
          const order = orders[row] as OrderEntry;
          const isOpen = row === at;
          const fresh = !seen.has(order.order_id);
          return (
            <li
              key={order.order_id}
              aria-posinset={row + 1}
              aria-setsize={more ? -1 : orders.length}
              className="absolute inset-x-0 top-0"
              style={{ height: ROW, transform: `translateY(${row * ROW}px)` }}
            >
              <Link
                from="/orders"
                search={(now: OrdersSearch) => ({ ...now, order: order.order_id })}
                tabIndex={row === stop ? 0 : -1}
                onKeyDown={press}
                className={`grid h-full grid-cols-[minmax(0,1fr)] content-center border-b border-line px-3 -outline-offset-2 hover:bg-hover ${isOpen ? "bg-hover" : ""}`}
              >
                <span className="flex items-center gap-2">
                  <span className={`min-w-0 grow truncate ${fresh ? "font-semibold" : ""}`}>{order.email ?? order.order_id}</span>
                  {fresh && (
                    <span className="size-2 shrink-0 rounded-full bg-accent">
                      <span className="sr-only">{say("orders.new")}</span>
                    </span>
                  )}
                </span>
                <span className="flex gap-2 text-xs text-muted">
                  <span className="min-w-0 grow truncate font-mono">{order.email ? order.order_id : ""}</span>
                  <span className="shrink-0">
                    <Time at={timeOf(order)} />
                  </span>
                </span>
              </Link>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

type Client = ReturnType<typeof useConsigne>["client"];

/** Reads an order. What was read is used for as long as its links live. */
const orderQuery = (client: Client, all: readonly unknown[], id: string) => ({
  queryKey: [...all, "order", id],
  queryFn: ({ signal }: { signal?: AbortSignal }) => readOrder(client, id, signal),
  staleTime: LINKS_LIVE,
});

interface OpenedProps {
  id: string;
  /** Its place in the list, as far as the list is loaded. */
  position: { at: number; of: number; more: boolean } | undefined;
  before: string | undefined;
  next: string | undefined;
  onGo(id: string | undefined): void;
}

function Opened({ id, position, before, next, onGo }: OpenedProps) {
  const { client, queries, keys } = useConsigne();
  const { say } = useWords();
  const query = orderQuery(client, keys.all, id);
  const {
    data: order,
    error,
    isPending,
    refetch,
  } = useQuery(
    // A copy is made within seconds of a photo's arrival.
    { ...query, refetchInterval: ({ state }: { state: { data?: Order | undefined } }) => (state.data?.files.some(isOnItsWay) ? 5_000 : false) },
    queries,
  );
  const heading = useRef<HTMLHeadingElement>(null);
  const last = useRef<string>(undefined);
  useEffect(() => {
    // Not where the list has the focus: it is stepped through there.
    if (last.current !== undefined && last.current !== id && !document.activeElement?.closest("[data-orders]")) heading.current?.focus();
    last.current = id;
  }, [id]);
  const renew = async (key: string) => {
    const fresh = await queries.fetchQuery({ ...query, staleTime: 0 });
    const all = [...fresh.files, ...fresh.earlier.flatMap(({ files }) => files)];
    return all.find((file) => file.key === key)?.url ?? undefined;
  };
  return (
    <article className="grid min-w-0 gap-4" aria-labelledby="order">
      <div className="flex flex-wrap items-center gap-2">
        <Link from="/orders" search={(now: OrdersSearch) => ({ ...now, order: undefined })} className="basis-full py-1 lg:hidden">
          ← {say("nav.orders")}
        </Link>
        {position && (
          <span className="grow text-muted max-lg:hidden">
            {say(position.more ? "orders.position.more" : "orders.position", { at: position.at, of: position.of })}
          </span>
        )}
        <Button disabled={!before} aria-keyshortcuts="ArrowLeft" title="←" onClick={() => onGo(before)}>
          {say("orders.before")}
        </Button>
        <Button disabled={!next} aria-keyshortcuts="ArrowRight" title="→" onClick={() => onGo(next)}>
          {say("orders.next")}
        </Button>
      </div>
      <header className="grid gap-1">
        <h2 id="order" ref={heading} tabIndex={-1} className="text-base font-semibold outline-none">
          {order?.email ?? id}
        </h2>
        <p className="flex flex-wrap items-center gap-x-3 text-muted">
          <code className="font-mono text-xs">{id}</code>
          {order && <span>{say(IS_WORDS[order.status])}</span>}
          {order && <Time at={timeOf(order)} />}
        </p>
      </header>
      {error && <Failure what={say("orders.order.failed")} error={error} retry={() => void refetch()} />}
      {isPending && <Loading rows={6} />}
      {order && (
        <>
          {order.files.length === 0 && <p className="text-muted">{say("orders.nofiles")}</p>}
          <Photos key={id} files={order.files} renew={renew} />
          {order.email && (
            <p className="flex flex-wrap items-center gap-3">
              <span className="text-muted">{say("orders.email")}</span>
              <a href={`mailto:${order.email}`} className="text-accent underline underline-offset-2">
                {order.email}
              </a>
              <Copy text={order.email} />
            </p>
          )}
          <Answers answers={order.answers} />
          <History earlier={order.earlier} renew={renew} />
        </>
      )}
    </article>
  );
}

function Answers({ answers }: { answers: unknown }) {
  const { say } = useWords();
  const lines = linesOf(answers);
  return (
    <section className="grid gap-2">
      <h3 className="text-base font-semibold">{say("orders.answers")}</h3>
      {lines.length === 0 ? (
        <p className="text-muted">{say("orders.answers.none")}</p>
      ) : (
        <dl className="border-t border-line">
          {lines.map(([name, text]) => (
            <div key={name} className="grid gap-x-4 border-b border-line py-2 sm:grid-cols-[200px_minmax(0,1fr)]">
              <dt className="text-muted first-letter:uppercase">{name}</dt>
              <dd className="max-w-[68ch] whitespace-pre-wrap">{text}</dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}

/** What the customer has sent before. Its photos are loaded once somebody looks at them. */
function History({ earlier, renew }: Pick<ComponentProps<typeof Viewer>, "renew"> & { earlier: Earlier[] }) {
  const { say } = useWords();
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set());
  if (earlier.length === 0) return null;
  return (
    <section className="grid gap-2">
      <h3 className="text-base font-semibold">{say("orders.history")}</h3>
      <ol className="border-t border-line">
        {earlier.map(({ number, asked_at, files, answers }) => (
          <li key={number} className="border-b border-line py-2">
            <details onToggle={(event) => event.currentTarget.open && setOpened((now) => new Set([...now, number]))}>
              <summary>
                {say("orders.submission", { number })} <Time at={asked_at} />
              </summary>
              {opened.has(number) && (
                <div className="grid gap-4 pt-4">
                  <Photos files={files} renew={renew} />
                  <Answers answers={answers} />
                </div>
              )}
            </details>
          </li>
        ))}
      </ol>
    </section>
  );
}
