/** Client of Consigne for browsers and Node. Uploads are in `@consigne/client/upload`. */
export type { BodyOf, Call, Input, Output, Page, QueryOf, Route } from "./call.js";
export { type ConsigneClient, createClient, type FilePage, type JobInputs, type JobKind, type WaitOptions } from "./client.js";
export { ConsigneError, type ErrorCode, type ErrorDetails, type ErrorFacts, isConsigneError } from "./errors.js";
export type { Operations } from "./gen/operations.gen.js";
export type * from "./gen/types.gen.js";
export type { Kind as FileKind } from "./gen/types.gen.js";
export { List } from "./list.js";
export type { GetToken } from "./session.js";
export type { Ticket, TicketOptions, TicketResult } from "./tickets.js";
export type { CallOptions, ClientOptions, RawAnswer, RawRequest, Send } from "./transport.js";
