import { useMemo } from "react";

import { type Locale, type MessageOverrides, type Words, wordsOf } from "./locales/words.js";
import { useConsigne } from "./provider.js";

/** Returns the words of a component: in its own language, else in the provider's. */
export function useWords(locale: Locale | undefined, overrides: MessageOverrides | undefined): Words {
  const { locale: usual } = useConsigne();
  const chosen = locale ?? usual;
  return useMemo(() => wordsOf(chosen, overrides), [chosen, overrides]);
}
