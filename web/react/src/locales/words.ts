import { en, type Messages, type Text } from "./en.js";
import { fr } from "./fr.js";

/** A language of the components. */
export type Locale = "en" | "fr";

/** Words of one's own in place of the components'. */
export type MessageOverrides = Partial<Messages>;

const TABLES: Record<Locale, Messages> = { en, fr };
const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** Writes the texts, numbers, sizes and times of one language. */
export interface Words {
  locale: Locale;
  /** Returns a text. Each `{name}` in it becomes that value; `count` chooses between forms. */
  say(key: Exclude<keyof Messages, "kinds">, values?: Record<string, string | number>): string;
  kind(kind: string): string;
  percent(value: number): string;
  bytes(size: number): string;
  /** Writes a time that was RFC 3339. */
  time(iso: string): string;
  number(value: number): string;
}

/** Returns the words of a language; `overrides` replaces some of them. */
export function wordsOf(locale: Locale, overrides?: MessageOverrides): Words {
  const table: Messages = { ...TABLES[locale], ...overrides };
  const numbers = new Intl.NumberFormat(locale);
  const percents = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });
  const plurals = new Intl.PluralRules(locale);
  const times = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
  const sizes = UNITS.map(
    (unit, power) =>
      new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: power === 0 ? "long" : "short", maximumFractionDigits: power === 0 ? 0 : 1 }),
  );

  const shown = (value: string | number) => (typeof value === "number" ? numbers.format(value) : value);
  return {
    locale,
    say(key, values = {}) {
      const text: Text = table[key];
      const count = values.count;
      const form = typeof text === "string" ? text : plurals.select(Number(count)) === "one" ? text.one : text.other;
      return form.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? shown(values[name] ?? "") : whole));
    },
    kind: (kind) => table.kinds[kind] ?? kind,
    percent: (value) => percents.format(value / 100),
    bytes(size) {
      const power = size < 1 ? 0 : Math.min(Math.floor(Math.log(size) / Math.log(1024)), UNITS.length - 1);
      return (sizes[power] as Intl.NumberFormat).format(size / 1024 ** power);
    },
    time(iso) {
      const at = new Date(iso);
      return Number.isNaN(at.getTime()) ? "" : times.format(at);
    },
    number: (value) => numbers.format(value),
  };
}
