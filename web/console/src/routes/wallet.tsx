import type { LotView, PackView, WalletView } from "@consigne/client";
import { useConsigne } from "@consigne/react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";

import { may } from "../roles.ts";
import { useOrg } from "../session.tsx";
import { Button } from "../ui/Button.tsx";
import { OfOrg } from "../ui/Frame.tsx";
import { Empty, Failure, Head, Loading, State, Time } from "../ui/states.tsx";
import { type MessageId, useWords } from "../words.ts";
import { adds, parts } from "./wallet.sum.ts";

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
/** Milliseconds between two looks at the wallet while a payment is awaited, and for how long. */
const LOOK = 2_000;
const PATIENCE = 120_000;

function Credits({ id }: { id: string }) {
  const { client, queries, keys } = useConsigne();
  const { say } = useWords();
  const role = useOrg(id)?.role ?? "developer";
  const { checkout } = useSearch({ from: "/orgs/$org/wallet" });
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
  const payments = useQuery(
    {
      queryKey: [...keys.all, "payments", id],
      queryFn: async ({ signal }) => (await client.credits.payments(id, {}, { signal })).items,
      enabled: may(role, "payments.see"),
      refetchInterval: waits ? LOOK : false,
    },
    queries,
  );
  const bought = wallet.data?.total_purchased;
  useEffect(() => {
    if (checkout !== "paid" || bought === undefined) return;
    before.current ??= Number(sessionStorage.getItem(KEPT + id) ?? bought);
    if (bought > before.current) setArrived(bought - before.current);
    else if (Date.now() - since.current > PATIENCE) setLate(true);
  }, [checkout, id, bought, wallet.dataUpdatedAt]);
  const done = () => {
    sessionStorage.removeItem(KEPT + id);
    void navigate({ search: {}, replace: true });
  };
  return (
    <>
      <Head title={say("nav.wallet")} text={say("wallet.text")} />
      {checkout && <Return checkout={checkout} arrived={arrived} late={late} onClose={done} />}
      {wallet.error && <Failure what={say("wallet.failed")} error={wallet.error} retry={() => void wallet.refetch()} />}
      {wallet.isPending && <Loading rows={4} />}
      {wallet.data && <Sum wallet={wallet.data} />}
      {wallet.data && <Lots lots={wallet.data.buckets} />}
      {may(role, "wallet.buy") && <Packs id={id} bought={bought} />}
      {may(role, "payments.see") && (
        <section className="grid gap-3">
          <h2 className="text-base font-semibold">{say("payments.title")}</h2>
          {payments.error && <Failure what={say("payments.failed")} error={payments.error} retry={() => void payments.refetch()} />}
          {payments.isPending && <Loading rows={2} />}
          {payments.data && <Payments payments={payments.data} />}
        </section>
      )}
    </>
  );
}

/** What is known of a purchase after Stripe has sent the buyer back. */
function Return({ checkout, arrived, late, onClose }: { checkout: "paid" | "cancelled"; arrived: number; late: boolean; onClose(): void }) {
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
      <Button quiet onClick={onClose}>
        {say("close")}
      </Button>
    </div>
  );
}

/** The balance, and the figures that it is made of. */
function Sum({ wallet }: { wallet: WalletView }) {
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
              <th scope="row">{say(`wallet.part.${name}`)}</th>
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

function Lots({ lots }: { lots: LotView[] }) {
  const { say, number, exact } = useWords();
  // In the order in which they are spent: promotional ones first, and of these what expires first.
  const sorted = [...lots].sort(
    (a, b) => Number(a.kind === "paid") - Number(b.kind === "paid") || (a.expires_at ?? "9").localeCompare(b.expires_at ?? "9"),
  );
  return (
    <section className="grid gap-3">
      <h2 className="text-base font-semibold">{say("lots.title")}</h2>
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
                    <span title={exact(lot.expires_at)}>
                      <Time at={lot.expires_at} />
                    </span>
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

function Payments({
  payments,
}: {
  payments: {
    payment: string;
    credits: number;
    amount: number;
    currency: string;
    status: "paid" | "refunded" | "disputed";
    refunded: number;
    at: string;
  }[];
}) {
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
              <Time at={one.at} />
              <div className="font-mono text-xs text-muted">{one.payment}</div>
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
