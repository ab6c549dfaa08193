import type { LotView, OrgRole, PackView, PaymentView, WalletView } from "@consigne/client";
import { useConsigne } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { type ReactNode, useEffect, useRef, useState } from "react";

import { may } from "../roles.ts";
import type { WalletSearch } from "../router.tsx";
import { useOrg } from "../session.tsx";
import { Button } from "../ui/Button.tsx";
import { Code } from "../ui/Copy.tsx";
import { Actions, Dialog } from "../ui/Dialog.tsx";
import { OfOrg } from "../ui/Frame.tsx";
import { Id } from "../ui/Id.tsx";
import { More } from "../ui/More.tsx";
import { Stale } from "../ui/Stale.tsx";
import { Empty, Failure, Head, Loading, State, Time } from "../ui/states.tsx";
import { useMore } from "../ui/useMore.ts";
import { type MessageId, useWords } from "../words.ts";
import { adds, type PartName, parts } from "./wallet.sum.ts";

/** The credits of an organisation. */
export function Wallet() {
  const { org } = useParams({ from: "/orgs/$org/wallet" });
  const { say } = useWords();
  return (
    <OfOrg id={org} right="wallet.see" title={say("nav.wallet")}>
      <Credits id={org} key={org} />
    </OfOrg>
  );
}

/** What was bought ever before a purchase, for the comparison when the buyer comes back. */
const KEPT = "consigne.bought.";
/** Milliseconds before its end from which a lot is marked. */
const SOON = 7 * 86_400_000;
/** Milliseconds between two looks at the wallet while a payment is awaited, and for how long. */
const LOOK = 2_000;
const PATIENCE = 120_000;

function Credits({ id }: { id: string }) {
  const { client, queries, keys } = useConsigne();
  const { say } = useWords();
  const role = useOrg(id)?.role ?? "developer";
  const search = useSearch({ from: "/orgs/$org/wallet" });
  const { checkout } = search;
  const navigate = useNavigate({ from: "/orgs/$org/wallet" });
  const [arrived, setArrived] = useState(0);
  const before = useRef<number>(undefined);
  const since = useRef(Date.now());
  const [late, setLate] = useState(false);
  const waits = checkout === "paid" && arrived === 0 && !late;
  const wallet = useQuery(
    {
      queryKey: [...keys.all, "wallet", id],
      queryFn: ({ signal }) => client.credits.wallet(id, { signal }),
      refetchInterval: waits ? LOOK : false,
    },
    queries,
  );
  const payments = useMore<PaymentView>(
    ["payments", id],
    (cursor, signal) => client.call("GET /api/orgs/{org}/payments", { path: { org: id }, query: { limit: 25, cursor } }, { signal }),
    { enabled: may(role, "payments.see"), refetchInterval: () => (waits ? LOOK : 0) },
  );
  const readPayments = payments.again;
  const bought = wallet.data?.total_purchased;
  // Shown together: what comes first would be pushed down by what comes later.
  const catalogue = useQuery({ queryKey: [...keys.all, "catalogue"], queryFn: ({ signal }) => client.catalogue({ signal }) }, queries);
  const pending = wallet.isPending || catalogue.isPending || payments.loading;
  useEffect(() => {
    if (checkout !== "paid" || bought === undefined) return;
    before.current ??= Number(sessionStorage.getItem(KEPT + id) ?? bought);
    if (bought > before.current) {
      setArrived(bought - before.current);
      readPayments();
    } else if (Date.now() - since.current > PATIENCE) setLate(true);
  }, [checkout, id, bought, wallet.dataUpdatedAt, readPayments]);
  const go = (change: WalletSearch) => void navigate({ search: (now: WalletSearch) => ({ ...now, ...change }), resetScroll: false });
  const open = payments.items?.find((one) => one.payment === search.payment);
  // The newest that brought what has arrived.
  const fresh = payments.items?.find(({ credits }) => credits === arrived);
  const done = () => {
    sessionStorage.removeItem(KEPT + id);
    void navigate({ search: {}, replace: true });
  };
  return (
    <>
      <Head title={say("nav.wallet")} text={say("wallet.text")} />
      {checkout && (
        <Return
          checkout={checkout}
          arrived={arrived}
          late={late}
          onReceipt={fresh && (() => go({ checkout: undefined, payment: fresh.payment }))}
          onClose={done}
        />
      )}
      {wallet.error && <Failure what={say("wallet.failed")} error={wallet.error} retry={() => void wallet.refetch()} />}
      <Stale at={wallet.dataUpdatedAt} again={() => void wallet.refetch()} />
      {pending && <Loading rows={8} />}
      {!pending && wallet.data && [<Sum key="sum" id={id} role={role} wallet={wallet.data} />, <Lots key="lots" lots={wallet.data.buckets} />]}
      {!pending && may(role, "wallet.buy") && <Packs id={id} bought={bought} />}
      {!pending && may(role, "payments.see") && (
        <section className="grid gap-3">
          <h2 id="payments" className="text-base font-semibold">
            {say("payments.title")}
          </h2>
          {payments.error && <Failure what={say("payments.failed")} error={payments.error} retry={payments.again} />}
          {payments.loading && <Loading rows={2} />}
          {payments.items && <Payments payments={payments.items} onOpen={(one) => go({ payment: one })} />}
          <More list={payments} />
          {open && <Receipt payment={open} onClose={() => go({ payment: undefined })} />}
        </section>
      )}
    </>
  );
}

interface ReturnProps {
  checkout: "paid" | "cancelled";
  arrived: number;
  late: boolean;
  /** Opens the receipt; absent until there is one, and for those who may not see it. */
  onReceipt: (() => void) | undefined;
  onClose(): void;
}

/** What is known of a purchase after Stripe has sent the buyer back. */
function Return({ checkout, arrived, late, onReceipt, onClose }: ReturnProps) {
  const { say, number } = useWords();
  const [tone, text]: ["good" | "warn" | "plain", string] =
    checkout === "cancelled"
      ? ["plain", say("checkout.cancelled")]
      : arrived > 0
        ? ["good", say("checkout.arrived", { count: number(arrived) })]
        : late
          ? ["warn", say("checkout.late")]
          : ["plain", say("checkout.waiting")];
  return (
    <div role="status" className="flex flex-wrap items-center gap-3 border-s-2 border-accent ps-3">
      <p className="grow">
        <State tone={tone}>
          <span className="whitespace-normal">{text}</span>
        </State>
      </p>
      {arrived > 0 && onReceipt && <Button onClick={onReceipt}>{say("checkout.receipt")}</Button>}
      <Button quiet onClick={onClose}>
        {say("close")}
      </Button>
    </div>
  );
}

/** The balance, and the figures that it is made of. */
function Sum({ id, role, wallet }: { id: string; role: OrgRole; wallet: WalletView }) {
  const { say, number, relative } = useWords();
  return (
    <section aria-label={say("wallet.sum")} className="grid gap-4 border-t border-line pt-4 md:grid-cols-[280px_minmax(0,1fr)]">
      <div>
        <p className="text-muted">{say("wallet.balance")}</p>
        <p className="text-xl font-semibold" data-testid="balance">
          {number(wallet.balance)}
        </p>
        {!wallet.is_open && <State tone="bad">{say("wallet.closed")}</State>}
        {wallet.held > 0 && <p className="text-muted">{say("wallet.held.text", { count: number(wallet.held) })}</p>}
        <p className="mt-2 text-muted">
          {say("wallet.test", { count: number(wallet.test.balance) })}
          {wallet.test.resets_at && ` ${say("wallet.test.resets", { when: relative(wallet.test.resets_at) })}`}
        </p>
      </div>
      <table className="grid-table max-w-md">
        <caption className="sr-only">{say("wallet.sum")}</caption>
        <tbody>
          {parts(wallet).map(({ name, amount }) => (
            <tr key={name}>
              <th scope="row">
                <Source id={id} role={role} name={name}>
                  {say(`wallet.part.${name}`)}
                </Source>
              </th>
              <td className="num">{number(amount, { signDisplay: "exceptZero" })}</td>
            </tr>
          ))}
          <tr className="font-semibold">
            <th scope="row">= {say("wallet.balance")}</th>
            <td className="num">{number(wallet.balance)}</td>
          </tr>
          {!adds(wallet) && (
            <tr>
              <td colSpan={2}>
                <State tone="warn">
                  <span className="whitespace-normal">{say("wallet.moving")}</span>
                </State>
              </td>
            </tr>
          )}
        </tbody>
      </table>
    </section>
  );
}

/** Leads to what a figure is made of, as far as the caller may see it. */
function Source({ id, role, name, children }: { id: string; role: OrgRole; name: PartName; children: ReactNode }) {
  const look = "underline decoration-line underline-offset-4 hover:decoration-current";
  const params = { org: id };
  if (name === "used") {
    return (
      <Link to="/orgs/$org/usage" params={params} search={{ days: 92 }} className={look}>
        {children}
      </Link>
    );
  }
  if ((name === "bought" || name === "clawed") && may(role, "payments.see")) {
    return (
      <Link to="/orgs/$org/wallet" params={params} hash="payments" className={look}>
        {children}
      </Link>
    );
  }
  if (name !== "held" && may(role, "audit.see")) {
    return (
      <Link to="/orgs/$org/audit" params={params} search={{ action: "credits" }} className={look}>
        {children}
      </Link>
    );
  }
  // Holds have no list of their own: they end within minutes and become calls.
  if (name === "held") return children;
  return (
    <Link to="/orgs/$org/wallet" params={params} hash="lots" className={look}>
      {children}
    </Link>
  );
}

function Lots({ lots }: { lots: LotView[] }) {
  const { say, number } = useWords();
  // In the order in which they are spent: promotional ones first, and of these what expires first.
  const sorted = [...lots].sort(
    (a, b) => Number(a.kind === "paid") - Number(b.kind === "paid") || (a.expires_at ?? "9").localeCompare(b.expires_at ?? "9"),
  );
  return (
    <section className="grid gap-3">
      <h2 id="lots" className="text-base font-semibold">
        {say("lots.title")}
      </h2>
      <p className="text-muted">{say("lots.marks")}</p>
      {lots.length === 0 ? (
        <Empty text={say("lots.empty")} />
      ) : (
        <table className="grid-table">
          <thead>
            <tr>
              <th scope="col">{say("lots.kind")}</th>
              <th scope="col" className="num">
                {say("lots.left")}
              </th>
              <th scope="col" className="num">
                {say("lots.amount")}
              </th>
              <th scope="col">{say("lots.expires")}</th>
            </tr>
          </thead>
          <tbody>
            {sorted.map((lot) => (
              <tr key={lot.id}>
                <td>{say(lot.kind === "paid" ? "lots.paid" : "lots.promo")}</td>
                <td className="num">{number(lot.left)}</td>
                <td className="num">{number(lot.amount)}</td>
                <td>
                  {lot.expires_at ? (
                    <>
                      <Time at={lot.expires_at} />
                      {Date.parse(lot.expires_at) - Date.now() < SOON && (
                        <div className="text-xs">
                          <State tone="warn">{say("lots.soon")}</State>
                        </div>
                      )}
                    </>
                  ) : (
                    say("lots.never")
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Packs({ id, bought }: { id: string; bought: number | undefined }) {
  const { client, queries, keys } = useConsigne();
  const { say, number, money } = useWords();
  const catalogue = useQuery({ queryKey: [...keys.all, "catalogue"], queryFn: ({ signal }) => client.catalogue({ signal }) }, queries);
  const [busy, setBusy] = useState("");
  const [failure, setFailure] = useState<unknown>();
  const buy = async (pack: PackView) => {
    setBusy(pack.name);
    setFailure(undefined);
    try {
      const { url } = await client.credits.checkout(id, pack.name as Parameters<typeof client.credits.checkout>[1]);
      if (bought !== undefined) sessionStorage.setItem(KEPT + id, String(bought));
      location.assign(url);
    } catch (error) {
      setFailure(error);
      setBusy("");
    }
  };
  return (
    <section className="grid gap-3">
      <h2 className="text-base font-semibold">{say("packs.title")}</h2>
      {catalogue.error && <Failure what={say("packs.failed")} error={catalogue.error} retry={() => void catalogue.refetch()} />}
      {catalogue.isPending && <Loading rows={3} />}
      {failure !== undefined && <Failure what={say("checkout.failed")} error={failure} />}
      {catalogue.data && (
        <ul className="border-t border-line">
          {catalogue.data.packs.map((pack) => (
            <li key={pack.name} className="flex flex-wrap items-center gap-3 border-b border-line py-2">
              <span className="grow font-medium">{say("packs.credits", { count: number(pack.credits) })}</span>
              <span>{money(pack.amount, pack.currency)}</span>
              <Button busy={busy === pack.name} disabled={busy !== ""} onClick={() => void buy(pack)}>
                {say("packs.buy")}
                <span className="sr-only"> {pack.name}</span>
              </Button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

const PAYMENT_WORDS: Record<"paid" | "refunded" | "disputed", ["good" | "plain" | "bad", MessageId]> = {
  paid: ["good", "payments.paid"],
  refunded: ["plain", "payments.refunded"],
  disputed: ["bad", "payments.disputed"],
};

function Payments({ payments, onOpen }: { payments: PaymentView[]; onOpen(payment: string): void }) {
  const { say, number, money } = useWords();
  if (payments.length === 0) return <Empty text={say("payments.empty")} />;
  return (
    <table className="grid-table">
      <thead>
        <tr>
          <th scope="col">{say("payments.at")}</th>
          <th scope="col" className="num">
            {say("payments.credits")}
          </th>
          <th scope="col" className="num">
            {say("payments.amount")}
          </th>
          <th scope="col">{say("payments.status")}</th>
        </tr>
      </thead>
      <tbody>
        {payments.map((one) => (
          <tr key={one.payment}>
            <td>
              <button type="button" className="text-start font-medium underline-offset-2 hover:underline" onClick={() => onOpen(one.payment)}>
                <Time at={one.at} />
              </button>
              <div className="text-muted">
                <Id id={one.payment} />
              </div>
            </td>
            <td className="num">{number(one.credits)}</td>
            <td className="num">
              {money(one.amount, one.currency)}
              {one.refunded > 0 && <div className="text-xs text-muted">{money(-one.refunded, one.currency)}</div>}
            </td>
            <td>
              <State tone={PAYMENT_WORDS[one.status][0]}>{say(PAYMENT_WORDS[one.status][1])}</State>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** What was paid for what: the receipt of one purchase. */
function Receipt({ payment, onClose }: { payment: PaymentView; onClose(): void }) {
  const { say, number, money, exact } = useWords();
  const facts: [string, ReactNode][] = [
    [say("payments.at"), exact(payment.at)],
    [say("payments.pack"), payment.pack],
    [say("payments.credits"), number(payment.credits)],
    [say("payments.amount"), money(payment.amount, payment.currency)],
    [say("payments.each"), money(payment.credits === 0 ? 0 : (payment.amount / payment.credits) * 1_000, payment.currency)],
    [
      say("payments.status"),
      <State key="state" tone={PAYMENT_WORDS[payment.status][0]}>
        {say(PAYMENT_WORDS[payment.status][1])}
      </State>,
    ],
    ...(payment.refunded > 0 ? [[say("payments.refunded.amount"), money(payment.refunded, payment.currency)] as [string, ReactNode]] : []),
  ];
  return (
    <Dialog title={say("payments.receipt")} onClose={onClose} drawer>
      <dl className="border-t border-line">
        {facts.map(([label, value]) => (
          <div key={label} className="grid grid-cols-[9rem_minmax(0,1fr)] gap-3 border-b border-line py-2">
            <dt className="text-muted">{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <Code label={say("payments.id")} text={payment.payment} />
      <Actions onClose={onClose}>
        <Button onClick={() => print()}>{say("payments.print")}</Button>
      </Actions>
    </Dialog>
  );
}
