import type { WalletView } from "@consigne/client";

/** What the balance is made of. */
export type PartName = "bought" | "granted" | "used" | "expired" | "clawed" | "held";

/** Returns the figures that make the balance, each with its sign. Those that are rare are left out while they are zero. */
export function parts(wallet: WalletView): { name: PartName; amount: number }[] {
  const all: { name: PartName; amount: number; rare: boolean }[] = [
    { name: "bought", amount: wallet.total_purchased, rare: false },
    { name: "granted", amount: wallet.total_granted, rare: false },
    { name: "used", amount: -wallet.total_used, rare: false },
    { name: "held", amount: -wallet.held, rare: false },
    { name: "expired", amount: -wallet.total_expired, rare: false },
    { name: "clawed", amount: -wallet.total_clawed_back, rare: true },
  ];
  return all.filter(({ amount, rare }) => !rare || amount !== 0).map(({ name, amount }) => ({ name, amount: amount === 0 ? 0 : amount }));
}

/** Whether the parts add up to the balance. */
export const adds = (wallet: WalletView): boolean => parts(wallet).reduce((sum, { amount }) => sum + amount, 0) === wallet.balance;
