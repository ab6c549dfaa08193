export type Locale = "en" | "fr";

/** Where the browser keeps the language that was chosen. */
export const KEPT = "consigne.locale";

/** Returns the language that was chosen here, else the browser's. */
export function preferred(kept: string | null, languages: readonly string[]): Locale {
  if (kept === "fr" || kept === "en") return kept;
  const first = languages.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag === "fr" || tag === "en");
  return first === "fr" ? "fr" : "en";
}

/** Loads the messages of the first page. */
export const firstMessages = (locale: Locale) => (locale === "fr" ? import("virtual:catalogue/fr") : import("virtual:catalogue/en"));

/** Loads the messages of all other pages. */
export const otherMessages = (locale: Locale) => (locale === "fr" ? import("virtual:more/fr") : import("virtual:more/en"));
