/** Checks and charges API keys in front of routes of Hono. */
import { type CheckedKey, createKeyCheck, isRefusal, type KeyCheckOptions } from "./key-check.js";

export type { CheckedKey, KeyCheckOptions, Price } from "./key-check.js";

/** The part of Hono's context that is used here. */
interface Context {
  req: { raw: Request };
  res: Response;
  // biome-ignore lint/suspicious/noExplicitAny: the variables of an application are its own.
  set: (name: any, value: any) => void;
}

/** Variables of routes behind the check: `new Hono<{ Variables: KeyVariables }>()`. */
export interface KeyVariables {
  key: CheckedKey;
}

/** Makes a middleware. Routes behind it have the key in `c.get("key")`. */
export function keyCheck(options: KeyCheckOptions<Request>) {
  const check = createKeyCheck(options);
  return async (context: Context, next: () => Promise<void>): Promise<Response | void> => {
    const request = context.req.raw;
    const { method, headers } = request;
    const checked = await check({ request, method, endpoint: new URL(request.url).pathname, headers });
    if (isRefusal(checked)) return new Response(JSON.stringify(checked.body), checked);
    context.set("key", checked);
    await next();
    await checked.report(context.res.status);
  };
}
