// The loop that Lambda's Node.js runtime runs around a handler: asks for an event, calls the handler, sends its answer.
// Stands in for the official aws-lambda-ric, which is compiled where it is installed and needs Node.js 22.
//
// Source: AWS Lambda developer guide, "Using the Lambda runtime API for custom runtimes".

import http from "node:http";
import { pathToFileURL } from "node:url";

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const base = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`;

const send = (method, path, body) =>
  new Promise((resolve, reject) => {
    const request = http.request(`${base}/${path}`, { method, agent }, async (response) => {
      const chunks = [];
      for await (const chunk of response) chunks.push(chunk);
      resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() });
    });
    request.on("error", reject);
    request.end(body);
  });

const { handler } = await import(pathToFileURL(process.argv[2]));
for (;;) {
  const next = await send("GET", "next");
  const id = next.headers["lambda-runtime-aws-request-id"];
  try {
    const answer = await handler(JSON.parse(next.body), { awsRequestId: id });
    await send("POST", `${id}/response`, JSON.stringify(answer));
  } catch (error) {
    await send("POST", `${id}/error`, JSON.stringify({ errorType: error.name, errorMessage: error.message }));
  }
}
