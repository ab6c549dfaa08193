// A proxy between the browser and the laptop's stack. It passes everything on, except where a test puts a fault in the
// way of an upload. The browser goes through it for addresses of this machine, too, so signed URLs stay as they are.

import { type ClientRequest, createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What happens to an upload in place of its passing on. */
export type UploadFault =
  /** The connection breaks after some bytes, and S3 gets nothing. */
  | { kind: "cut"; after: number }
  /** After some bytes no more are taken, and nothing is answered. */
  | { kind: "hang"; after: number }
  /** S3 takes the bytes, and the connection breaks before its answer. */
  | { kind: "lost" }
  /** S3 gets the bytes twice, and the second answer is passed on. */
  | { kind: "twice" }
  /** S3 is shown a signature of two hours ago. */
  | { kind: "expired" }
  /** An answer is made up. */
  | { kind: "answer"; status: number; code: string };

/** The proxy, and what it saw. */
export interface Faults {
  address: string;
  /** Faults of the next uploads, in their order. */
  next: UploadFault[];
  /** Statuses that S3 answered to uploads, lost ones included. */
  answers: number[];
  /** Uploads on their way, and the most that ever were at once. */
  open: number;
  most: number;
  close(): void;
}

/** Starts the proxy on a free port. */
export async function startFaults(): Promise<Faults> {
  const faults: Faults = { address: "", next: [], answers: [], open: 0, most: 0, close: () => server.close() };
  const server: Server = createServer((incoming, outgoing) => {
    // A fault breaks connections on purpose.
    incoming.on("error", () => {});
    outgoing.on("error", () => {});
    const fault = incoming.method === "PUT" ? faults.next.shift() : undefined;
    if (incoming.method === "PUT") {
      faults.open += 1;
      faults.most = Math.max(faults.most, faults.open);
      let isOpen = true;
      const ended = () => {
        if (isOpen) faults.open -= 1;
        isOpen = false;
      };
      // The browser may send the next one before this connection is found closed.
      outgoing.on("finish", ended).on("close", ended);
      void upload(faults, fault, incoming, outgoing);
    } else incoming.pipe(onward(incoming, incoming.url ?? "", (answer) => pass(answer, outgoing), outgoing));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  faults.address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return faults;
}

async function upload(faults: Faults, fault: UploadFault | undefined, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  let size = 0;
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of incoming as AsyncIterable<Buffer>) {
      size += chunk.length;
      chunks.push(chunk);
      if (fault?.kind === "cut" && size >= fault.after) return void incoming.socket.destroy();
      // Left open: whoever sends notices that nothing goes on.
      if (fault?.kind === "hang" && size >= fault.after) await new Promise((closed) => outgoing.once("close", closed));
    }
  } catch {
    // The browser has ended the request.
    return;
  }
  if (fault?.kind === "answer") {
    const cors = { "access-control-allow-origin": incoming.headers.origin ?? "*", "access-control-allow-credentials": "true" };
    outgoing.writeHead(fault.status, { "content-type": "application/xml", ...cors }).end(`<Error><Code>${fault.code}</Code></Error>`);
    return;
  }
  const url = fault?.kind === "expired" ? twoHoursAgo(incoming.url ?? "") : (incoming.url ?? "");
  const body = Buffer.concat(chunks);
  const send = (then: (answer: IncomingMessage) => void) => {
    const noted = (answer: IncomingMessage) => {
      faults.answers.push(answer.statusCode ?? 0);
      then(answer);
    };
    onward(incoming, url, noted, outgoing).end(body);
  };
  if (fault?.kind === "lost") send((answer) => void answer.resume().on("end", () => incoming.socket.destroy()));
  else if (fault?.kind === "twice") send((answer) => void answer.resume().on("end", () => send((second) => pass(second, outgoing))));
  else send((answer) => pass(answer, outgoing));
}

/** Opens the request to the server that the browser named. */
function onward(incoming: IncomingMessage, url: string, then: (answer: IncomingMessage) => void, outgoing: ServerResponse): ClientRequest {
  const { "proxy-connection": _, ...headers } = incoming.headers;
  const onwards = request(url, { method: incoming.method, headers, agent: false }, then);
  onwards.on("error", () => outgoing.destroy());
  return onwards;
}

function pass(answer: IncomingMessage, outgoing: ServerResponse): void {
  outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
  answer.pipe(outgoing);
}

function twoHoursAgo(url: string): string {
  const then = new Date(Date.now() - 7_200_000).toISOString().replace(/[-:]|\.\d+/g, "");
  return url.replace(/X-Amz-Date=\w+/, `X-Amz-Date=${then}`);
}
