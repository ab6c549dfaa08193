/** What the place that serves the console says about it, in `/config.json`. */
export interface Config {
  /** Address of the API, without a slash at the end. */
  apiUrl: string;
  /** Publishable key of the Clerk application in which people sign in; null on a laptop. */
  clerkPublishableKey: string | null;
  /** Whether files can be published: the installation has its edge. */
  edge: boolean;
}

/** Reads the configuration. Throws an error that says what is wrong with it. */
export async function readConfig(): Promise<Config> {
  const answer = await fetch("/config.json");
  if (!answer.ok) throw new Error(`/config.json: HTTP ${answer.status}`);
  return checked(await answer.json());
}

/** Checks a configuration, so that a wrong one is noticed at the start and not at the first call. */
export function checked(given: unknown): Config {
  const { apiUrl, clerkPublishableKey = null, edge = false } = (given ?? {}) as Record<string, unknown>;
  if (typeof apiUrl !== "string" || !/^(https?:\/\/|\/)/.test(apiUrl)) throw new Error("/config.json: apiUrl must be an address");
  if (clerkPublishableKey !== null && typeof clerkPublishableKey !== "string") {
    throw new Error("/config.json: clerkPublishableKey must be a text or null");
  }
  return { apiUrl: apiUrl.replace(/\/+$/, ""), clerkPublishableKey, edge: edge === true };
}
