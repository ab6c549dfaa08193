import { type Messages, setupI18n } from "@lingui/core";
import { createContext, createElement, type ReactNode, useContext, useEffect, useMemo, useState } from "react";

import { firstMessages, KEPT, type Locale, otherMessages, preferred } from "./locale.ts";
import type english from "./locales/en.json";

export type { Locale };

/** Names of the messages. Both languages have all of them; a test compares the catalogues. */
export type MessageId = keyof typeof english;

/** Says messages and writes figures in one language. */
export interface Words {
  locale: Locale;
  say(id: MessageId, values?: Record<string, unknown>): string;
  number(value: number, options?: Intl.NumberFormatOptions): string;
  bytes(value: number): string;
  /** `cents` are hundredths of the currency. */
  money(cents: number, currency: string): string;
  /** Day and time in full. */
  exact(time: string | number): string;
  day(time: string): string;
  /** Distance to now, such as "3 minutes ago". */
  relative(time: string | number, now?: number): string;
}

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];
const SIZES = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];

/** The messages that are said at present, and whether a page needs more than those of the first one. */
let spoken: { locale: Locale; add(messages: Messages): void } | undefined;
let needsAll = false;
/** The language that was asked for last. */
let asked: Locale | undefined;

/** Loads the messages of all other pages than the first one. */
export async function loadRest(): Promise<void> {
  needsAll = true;
  if (!asked) return;
  const locale = asked;
  const { messages } = await otherMessages(locale);
  // A language that is still on its way takes them along itself.
  if (spoken?.locale === locale) spoken.add(messages);
}

/** Makes the words of a language: those of the first page, and of all pages once one of these was opened. */
export async function load(locale: Locale): Promise<Words> {
  asked = locale;
  const { messages } = await firstMessages(locale);
  // Asked for after the first ones, because a page may have been opened meanwhile.
  const more = needsAll ? await otherMessages(locale) : undefined;
  const i18n = setupI18n({ locale, messages: { [locale]: { ...messages, ...more?.messages } } });
  spoken = { locale, add: (messages) => i18n.load(locale, messages) };
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const exact = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeStyle: "medium" });
  const day = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone: "UTC" });
  const number = (value: number, options?: Intl.NumberFormatOptions) => new Intl.NumberFormat(locale, options).format(value);
  return {
    locale,
    say: (id, values) => i18n._(id, values),
    number,
    bytes(value) {
      const step = Math.min(SIZES.length - 1, value < 1 ? 0 : Math.floor(Math.log(value) / Math.log(1024)));
      const unit = SIZES[step] ?? "byte";
      return number(value / 1024 ** step, { style: "unit", unit, unitDisplay: step === 0 ? "long" : "short", maximumFractionDigits: 1 });
    },
    money: (cents, currency) => number(cents / 100, { style: "currency", currency }),
    exact: (time) => exact.format(new Date(time)),
    day: (time) => day.format(new Date(time)),
    relative(time, now = Date.now()) {
      const seconds = (new Date(time).getTime() - now) / 1000;
      const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
      return relative.format(Math.round(seconds / length), unit);
    },
  };
}

interface Spoken {
  words: Words;
  choose(locale: Locale): void;
}

const Context = createContext<Spoken | undefined>(undefined);

/** Gives the words to what is inside. They can be changed to another language. */
export function WordsProvider({ first, children }: { first: Words; children: ReactNode }) {
  const [words, setWords] = useState(first);
  useEffect(() => {
    document.documentElement.lang = words.locale;
  }, [words]);
  const value = useMemo<Spoken>(
    () => ({
      words,
      choose(locale) {
        localStorage.setItem(KEPT, locale);
        void load(locale).then(setWords);
      },
    }),
    [words],
  );
  return createElement(Context.Provider, { value }, children);
}

/** Loads the words of the preferred language. */
export const loadPreferred = () => load(preferred(localStorage.getItem(KEPT), navigator.languages));

export function useSpoken(): Spoken {
  const spoken = useContext(Context);
  if (!spoken) throw new Error("there is no <WordsProvider> around this component");
  return spoken;
}

export const useWords = (): Words => useSpoken().words;
