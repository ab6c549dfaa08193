/** Checks and charges API keys in front of a handler of `fetch` requests: Deno, Bun, Next.js, workers. */
import { type CheckedKey, createKeyCheck, isRefusal, type KeyCheckOptions } from "./key-check.js";

export type { CheckedKey, KeyCheckOptions, Price } from "./key-check.js";

/** Wraps a handler, so that only calls with a key that may make them reach it. */
export function withKeyCheck<Rest extends unknown[]>(
  options: KeyCheckOptions<Request>,
  handler: (request: Request, key: CheckedKey, ...rest: Rest) => Response | Promise<Response>,
): (request: Request, ...rest: Rest) => Promise<Response> {
  const check = createKeyCheck(options);
  return async (request, ...rest) => {
    const { method, headers } = request;
    const checked = await check({ request, method, endpoint: new URL(request.url).pathname, headers });
    if (isRefusal(checked)) return new Response(JSON.stringify(checked.body), checked);
    try {
      const response = await handler(request, checked, ...rest);
      await checked.report(response.status);
      return response;
    } catch (error) {
      await checked.report(500);
      throw error;
    }
  };
}
