"""Returns a ticket (signed URL) to read one file, as functions/presign does. For comparison in the bench."""

import json
import os
import re
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

import boto3
import jwt
from botocore.config import Config
from cryptography.hazmat.primitives.serialization import load_pem_public_key

TABLE, BUCKET, ISSUER = (os.environ[name] for name in ("TABLE_NAME", "BUCKET_NAME", "CLERK_ISSUER"))
PARTIES = os.environ["AUTHORIZED_PARTIES"].split(",")
ISSUER_KEY = load_pem_public_key(os.environ["CLERK_JWT_KEY"].encode())
KEY = re.compile(
    r"(user_[A-Za-z0-9]+)/(?:images|videos|books|blogs|documents|audio)/([0-9A-HJKMNP-TV-Z]{26})-([A-Za-z0-9._-]+)"
)
VALID_MAX = 3600

dynamodb = boto3.client("dynamodb")
s3 = boto3.client("s3", config=Config(signature_version="s3v4"))


class Refusal(Exception):
    """An answer that refuses the ticket."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answers a request for a ticket."""
    try:
        return answer(200, ticket(event))
    except Refusal as refusal:
        error = {"code": refusal.code, "message": refusal.message}
        now, request = datetime.now(timezone.utc).isoformat(), context.aws_request_id
        return answer(refusal.status, {"success": False, "error": error, "timestamp": now, "requestId": request})


def ticket(event: dict[str, Any]) -> dict[str, Any]:
    user = caller(event["headers"].get("authorization", ""))
    ask = json.loads(event["body"])
    expires_in = ask.get("expiresIn", VALID_MAX)
    if not isinstance(expires_in, int) or not 1 <= expires_in <= VALID_MAX:
        raise Refusal(400, "VALIDATION_ERROR", f"expiresIn must be 1 to {VALID_MAX} seconds")
    parts = KEY.fullmatch(ask["s3Key"])
    file = read(user, parts[2]) if parts and parts[1] == user else None
    if not parts or not file or file["s3_key"]["S"] != ask["s3Key"]:
        raise Refusal(404, "NOT_FOUND", "File not found")
    if file["status"]["S"] != "ready":
        raise Refusal(409, "NOT_READY", "The file is not ready")

    name = quote(file["filename"]["S"], safe="")
    params = {
        "Bucket": BUCKET,
        "Key": ask["s3Key"],
        "VersionId": file["version_id"]["S"],
        "ResponseContentType": file["content_type"]["S"],
        "ResponseContentDisposition": f"inline; filename=\"{parts[3]}\"; filename*=UTF-8''{name}",
    }
    expires_at = datetime.now(timezone.utc) + timedelta(seconds=expires_in)
    url = s3.generate_presigned_url("get_object", Params=params, ExpiresIn=expires_in)
    return {"url": url, "expiresIn": expires_in, "expiresAt": expires_at.isoformat()}


def caller(authorization: str) -> str:
    token = authorization.removeprefix("Bearer ")
    try:
        options = {"require": ["exp", "sub"]}
        claims = jwt.decode(token, ISSUER_KEY, algorithms=["RS256"], issuer=ISSUER, leeway=5, options=options)
    except jwt.InvalidTokenError:
        claims = {}
    if claims.get("azp") not in PARTIES:
        raise Refusal(401, "UNAUTHENTICATED", "The session token is not valid")
    return claims["sub"]


def read(user: str, file: str) -> dict[str, Any] | None:
    key = {"pk": {"S": f"USER#{user}"}, "sk": {"S": f"FILE#{file}"}}
    return dynamodb.get_item(TableName=TABLE, Key=key, ConsistentRead=True).get("Item")


def answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"content-type": "application/json; charset=utf-8", "cache-control": "no-store"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}
