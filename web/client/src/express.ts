/** Checks and charges API keys in front of routes of Express, Connect and `node:http`. */
import type { IncomingMessage, ServerResponse } from "node:http";

import { type CheckedKey, createKeyCheck, isRefusal, type KeyCheckOptions } from "./key-check.js";

export type { CheckedKey, KeyCheckOptions, Price } from "./key-check.js";

declare global {
  namespace Express {
    interface Request {
      /** The key of the call, behind `keyCheck`. */
      key?: CheckedKey;
    }
  }
}

/** A request behind the check. */
export type RequestWithKey = IncomingMessage & { key?: CheckedKey };

/** Makes a middleware. Routes behind it have the key in `request.key`. */
export function keyCheck(options: KeyCheckOptions<IncomingMessage>) {
  const check = createKeyCheck(options);
  return (request: RequestWithKey, response: ServerResponse, next: (error?: unknown) => void): void => {
    const { method = "GET", headers, socket } = request;
    // Express shortens `url` in routers, and keeps the whole.
    const { originalUrl = request.url ?? "/" } = request as { originalUrl?: string };
    const [endpoint = "/"] = originalUrl.split("?");
    check({ request, method, endpoint, headers, ip: socket.remoteAddress })
      .then((checked) => {
        if (isRefusal(checked)) {
          response.writeHead(checked.status, checked.headers).end(JSON.stringify(checked.body));
          return;
        }
        request.key = checked;
        // A connection that breaks off before the answer is out ends with `close` alone.
        response.once("close", () => void checked.report(response.writableFinished ? response.statusCode : 499));
        next();
      })
      .catch(next);
  };
}
