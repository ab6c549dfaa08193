// Hands out a short-lived ticket to read one file: what functions/presign does, as it is written for Node.js.

import { DynamoDBClient, GetItemCommand } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { importSPKI, jwtVerify } from "jose";

const { AUTHORIZED_PARTIES, BUCKET_NAME, CLERK_ISSUER, CLERK_JWT_KEY, TABLE_NAME } = process.env;
const KEY = /^(user_[A-Za-z0-9]+)\/(?:images|videos|books|blogs)\/([0-9A-HJKMNP-TV-Z]{26})-([A-Za-z0-9._-]+)$/;
const VALID_MAX = 3600;

const parties = AUTHORIZED_PARTIES.split(",");
const issuerKey = await importSPKI(CLERK_JWT_KEY, "RS256");
const table = new DynamoDBClient();
const bucket = new S3Client();

class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, code });
  }
}

export async function handler(event, context) {
  try {
    return answer(200, await ticket(event));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { code, message, status } = error;
    const timestamp = new Date().toISOString();
    return answer(status, { success: false, error: { code, message }, timestamp, requestId: context.awsRequestId });
  }
}

async function ticket(event) {
  const user = await caller(event.headers.authorization);
  const { s3Key, expiresIn = VALID_MAX } = parse(event.body);
  if (!Number.isInteger(expiresIn) || expiresIn < 1 || expiresIn > VALID_MAX) {
    throw new Refusal(400, "VALIDATION_ERROR", `expiresIn must be 1 to ${VALID_MAX} seconds`);
  }
  const [, owner, id, safeName] = KEY.exec(s3Key) ?? [];
  const file = owner === user && (await read(user, id));
  if (!file || file.s3_key.S !== s3Key) throw new Refusal(404, "NOT_FOUND", "File not found");
  if (file.status.S !== "ready") throw new Refusal(409, "NOT_READY", "The file is not ready");

  const name = encodeURIComponent(file.filename.S);
  const command = new GetObjectCommand({
    Bucket: BUCKET_NAME,
    Key: s3Key,
    VersionId: file.version_id.S,
    ResponseContentType: file.content_type.S,
    ResponseContentDisposition: `inline; filename="${safeName}"; filename*=UTF-8''${name}`,
  });
  const expiresAt = new Date(Date.now() + expiresIn * 1000).toISOString();
  return { url: await getSignedUrl(bucket, command, { expiresIn }), expiresIn, expiresAt };
}

async function caller(authorization = "") {
  const token = authorization.replace(/^Bearer /i, "");
  try {
    const options = { algorithms: ["RS256"], issuer: CLERK_ISSUER, clockTolerance: 5, requiredClaims: ["exp", "sub"] };
    const { payload } = await jwtVerify(token, issuerKey, options);
    if (parties.includes(payload.azp)) return payload.sub;
  } catch {
    // Whatever is wrong with it, it is the same refusal.
  }
  throw new Refusal(401, "UNAUTHENTICATED", "The session token is not valid");
}

async function read(user, id) {
  const key = { pk: { S: `USER#${user}` }, sk: { S: `FILE#${id}` } };
  const { Item } = await table.send(new GetItemCommand({ TableName: TABLE_NAME, Key: key, ConsistentRead: true }));
  return Item;
}

function parse(body) {
  try {
    const parsed = JSON.parse(body);
    if (typeof parsed.s3Key === "string") return parsed;
  } catch {
    // Refused below.
  }
  throw new Refusal(400, "VALIDATION_ERROR", "s3Key is missing");
}

function answer(statusCode, body) {
  const headers = { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" };
  return { statusCode, headers, body: JSON.stringify(body) };
}
