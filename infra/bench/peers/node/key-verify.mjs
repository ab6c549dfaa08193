// Checks an API key and charges it in one transaction: what functions/key-verify does, as it is written for Node.js.

import { createHash, createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { crc32 } from "node:zlib";
import { BatchGetItemCommand, DynamoDBClient, TransactWriteItemsCommand } from "@aws-sdk/client-dynamodb";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";

const { KEY_PREFIX, PEPPER_SECRET_ARN, SERVICE_TOKENS_ARN, TABLE_NAME } = process.env;
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SHAPE = new RegExp(`^(${KEY_PREFIX}_(?:live|test)_[0-9A-Za-z]{37})([0-9A-Za-z]{6})$`);
const COSTS = { pdf: 1, ai: 3, mileage: 1 };
const RECEIPT_KEPT = 400 * 24 * 3600;

const secrets = new SecretsManagerClient();
const [peppers, tokens] = await Promise.all([PEPPER_SECRET_ARN, SERVICE_TOKENS_ARN].map(secret));
const services = Object.entries(tokens).map(([name, token]) => [name, sha256(token)]);
const table = new DynamoDBClient();
const seen = new Map();

export async function handler(event, context) {
  const service = caller(event.headers.authorization);
  if (!service) {
    const error = { code: "UNAUTHENTICATED", message: "The service token is not valid" };
    const refusal = { success: false, error, timestamp: new Date().toISOString(), requestId: context.awsRequestId };
    return answer(401, refusal);
  }
  const call = JSON.parse(event.body);
  const data = await check(call, service, event.headers["idempotency-key"]);
  const message = data.valid ? "The key is valid" : "The key is refused";
  return answer(200, { success: true, message, data, timestamp: new Date().toISOString() });
}

async function check(call, service, idempotencyKey) {
  const cost = call.cost ?? COSTS[call.service];
  if (!cost) return { valid: false, code: "SERVICE_UNKNOWN" };
  const facts = await find(call.key);
  if (!facts) return { valid: false, code: "NOT_FOUND" };
  const { org, key_id, environment } = facts;
  const receipt = idempotencyKey ? sha256([org, service, idempotencyKey].join("\n")).toString("hex") : randomUUID();
  try {
    await table.send(new TransactWriteItemsCommand({ TransactItems: charge(facts, call, cost, service, receipt) }));
  } catch (error) {
    if (error.name !== "TransactionCanceledException") throw error;
    const [key, wallet, record] = error.CancellationReasons.map((reason) => reason.Code === "ConditionalCheckFailed");
    // A receipt outranks every refusal; anything but these three is trouble, for the caller to try again.
    if (key && !record) return { valid: false, code: "KEY_REFUSED" };
    if (wallet && !record) return { valid: false, code: "INSUFFICIENT_CREDITS" };
    if (!record) throw error;
  }
  return { valid: true, code: "VALID", key_id, org_id: org, environment, receipt_id: receipt };
}

// Finds whose key it is: by its checksum first, without a look anywhere, then by its MAC, which never changes.
async function find(text) {
  const [, body, checksum] = SHAPE.exec(text) ?? [];
  if (!body || spell(crc32(body)) !== checksum) return undefined;
  const mac = createHmac("sha256", peppers[peppers.current]);
  for (const part of ["key", text]) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(part.length));
    mac.update(length).update(part);
  }
  const pk = `MAC#${peppers.current}#${mac.digest("base64url")}`;
  if (!seen.has(pk)) {
    const ask = { Keys: [{ pk: { S: pk }, sk: { S: "MAC" } }], ConsistentRead: true };
    const found = await table.send(new BatchGetItemCommand({ RequestItems: { [TABLE_NAME]: ask } }));
    const [item] = found.Responses[TABLE_NAME];
    if (!item) return undefined;
    const { org, key_id, environment, generation } = item;
    seen.set(pk, { org: org.S, key_id: key_id.S, environment: environment.S, generation: generation.N });
  }
  return seen.get(pk);
}

// The key counts the call, the wallet gives the credits, the receipt is written: all three or none.
function charge({ org, key_id, environment, generation }, call, cost, service, receipt) {
  const now = Date.now();
  const day = new Date(now).toISOString().slice(0, 10);
  const item = (pk, sk) => ({ pk: { S: pk }, sk: { S: sk } });
  const write = { TableName: TABLE_NAME, ReturnValuesOnConditionCheckFailure: "ALL_OLD" };
  const told = ["service", "scope", "endpoint", "method", "ip", "country", "user_agent"].filter((name) => call[name]);
  const key = {
    ...write,
    Key: item(`ORG#${org}`, `KEY#${key_id}`),
    UpdateExpression: "ADD #day :one, #month :one SET last_used_at = :now",
    ConditionExpression: [
      "#status = :active",
      "(generation = :generation OR (generation = :next AND previous_until > :now))",
      "(attribute_not_exists(expires_at) OR expires_at > :now)",
      "(attribute_not_exists(monthly_quota) OR attribute_not_exists(#month) OR #month < monthly_quota)",
      "(attribute_not_exists(daily_quota) OR attribute_not_exists(#day) OR #day < daily_quota)",
      ...(call.scope ? ["contains(scopes, :scope)"] : []),
    ].join(" AND "),
    ExpressionAttributeNames: { "#status": "status", "#day": `used.${day}`, "#month": `used.${day.slice(0, 7)}` },
    ExpressionAttributeValues: {
      ":active": { S: "active" },
      ":generation": { N: generation },
      ":next": { N: String(Number(generation) + 1) },
      ":now": { N: String(now) },
      ":one": { N: "1" },
      ...(call.scope ? { ":scope": { S: call.scope } } : {}),
    },
  };
  const wallet = {
    ...write,
    Key: item(`ORG#${org}`, "WALLET"),
    UpdateExpression: "SET balance = balance - :amount, spare = spare - :amount ADD used :amount",
    ConditionExpression:
      "wallet_status = :open AND spare > :amount AND (attribute_not_exists(next_expiry) OR next_expiry > :now)",
    ExpressionAttributeValues: { ":open": { S: "open" }, ":amount": { N: String(cost) }, ":now": { N: String(now) } },
  };
  const record = {
    ...write,
    ConditionExpression: "attribute_not_exists(pk)",
    Item: {
      ...item(`RECEIPT#${org}#${receipt}`, "RECEIPT"),
      key_id: { S: key_id },
      environment: { S: environment },
      credits: { N: String(cost) },
      at: { N: String(now) },
      caller: { S: service },
      ttl: { N: String(Math.floor(now / 1000) + RECEIPT_KEPT) },
      gsi1pk: { S: `ORG#${org}#RECEIPTS` },
      gsi1sk: { S: `${now}#${receipt}` },
      gsi2pk: { S: `ORG#${org}#${key_id}#RECEIPTS` },
      gsi2sk: { S: `${now}#${receipt}` },
      ...Object.fromEntries(told.map((name) => [name, { S: call[name] }])),
    },
  };
  return [{ Update: key }, { Update: wallet }, { Put: record }];
}

function caller(authorization = "") {
  const shown = sha256(authorization.replace(/^Bearer /i, ""));
  return services.find(([, known]) => timingSafeEqual(known, shown))?.[0];
}

async function secret(SecretId) {
  const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId }));
  return JSON.parse(SecretString);
}

function sha256(text) {
  return createHash("sha256").update(text).digest();
}

// Spells a checksum in six digits of base 62.
function spell(number) {
  let text = "";
  for (let rest = number; text.length < 6; rest = Math.floor(rest / 62)) text = DIGITS[rest % 62] + text;
  return text;
}

function answer(statusCode, body) {
  const headers = { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" };
  return { statusCode, headers, body: JSON.stringify(body) };
}
