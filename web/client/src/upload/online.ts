import { unlessAborted } from "../wait.js";

/** Whether the browser says that there is no network. False outside of browsers. */
export function isOffline(): boolean {
  return typeof navigator !== "undefined" && navigator.onLine === false && typeof addEventListener === "function";
}

/** Waits until there is a network. */
export async function online(signal: AbortSignal): Promise<void> {
  if (!isOffline()) return;
  await unlessAborted(signal, (settle) => {
    addEventListener("online", settle);
    return () => removeEventListener("online", settle);
  });
}
