import type { Operations } from "./gen/operations.gen.js";
import type { CallOptions, Send } from "./transport.js";

/** An operation of the API, such as `GET /api/me`. */
export type Route = keyof Operations;

/** A page of a list. */
export interface Page<Item> {
  items: Item[];
  /** Continues the list; null on its last page. */
  nextCursor: string | null;
  /** Entries on all pages together; null if they were not counted. */
  total: number | null;
}

// Callers may write undefined for what may be absent, whatever their `exactOptionalPropertyTypes` says.
type Loose<Fields> = { [Name in keyof Fields]: Record<never, never> extends Pick<Fields, Name> ? Fields[Name] | undefined : Fields[Name] };

type Part<Data, Name extends keyof Data> = [Exclude<Data[Name], undefined>] extends [never]
  ? unknown
  : Record<never, never> extends Pick<Data, Name>
    ? { [Key in Name]?: Loose<NonNullable<Data[Name]>> | undefined }
    : { [Key in Name]: Loose<NonNullable<Data[Name]>> };

type DataOf<R extends Route> = Operations[R]["data"];

/** The body of an operation's request. */
export type BodyOf<R extends Route> = Loose<NonNullable<DataOf<R>["body"]>>;

/** The query of an operation's request. */
export type QueryOf<R extends Route> = Loose<NonNullable<DataOf<R>["query"]>>;

/** What a call of an operation takes: `path`, `query` and `body`, each where the operation has it. */
export type Input<R extends Route> = Part<DataOf<R>, "path"> & Part<DataOf<R>, "query"> & Part<DataOf<R>, "body">;

type Unwrapped<Answer> = Answer extends { success: true; data: infer Data; metadata: { next_cursor: unknown } }
  ? Data extends (infer Item)[]
    ? Page<Item>
    : never
  : Answer extends { success: true; data: infer Data }
    ? Data
    : Answer;

/** What a call of an operation resolves to: the answer's `data`, a page of a list, or the whole answer where it has no envelope. */
export type Output<R extends Route> = Unwrapped<Operations[R]["answer"]>;

/** Calls any operation by its method and path. */
export type Call = <R extends Route>(
  route: R,
  ...rest: Record<never, never> extends Input<R> ? [input?: Input<R>, options?: CallOptions] : [input: Input<R>, options?: CallOptions]
) => Promise<Output<R>>;

interface AnyInput {
  path?: Record<string, unknown>;
  query?: object;
  body?: unknown;
}

/** Makes `call` of what sends requests. */
export function createCall(send: Send): Call {
  return async (route, ...[input, options]) => {
    const { path = {}, query, body } = (input ?? {}) as AnyInput;
    const [method, template] = route.split(" ") as [string, string];
    const address = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(path[name])));
    return unwrap((await send(method, address, { query, body, ...options })).body) as never;
  };
}

/** Takes the envelope off an answer. */
export function unwrap(answer: unknown): unknown {
  const { success, data, metadata } = (answer ?? {}) as {
    success?: unknown;
    data?: unknown;
    metadata?: { next_cursor?: string | null; total?: number | null };
  };
  if (success !== true || data === undefined) return answer;
  if (!metadata || !Array.isArray(data)) return data;
  return { items: data, nextCursor: metadata.next_cursor ?? null, total: metadata.total ?? null } satisfies Page<unknown>;
}
