"""Checks an API key and charges it in one transaction, as functions/key-verify does. For comparison in the bench."""

import hashlib
import hmac
import json
import os
import re
import time
import uuid
from base64 import urlsafe_b64encode
from binascii import crc32
from datetime import datetime, timezone
from typing import Any

import boto3

TABLE, PREFIX = os.environ["TABLE_NAME"], os.environ["KEY_PREFIX"]
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SHAPE = re.compile(rf"({PREFIX}_(?:live|test)_[0-9A-Za-z]{{37}})([0-9A-Za-z]{{6}})")
COSTS = {"pdf": 1, "ai": 3, "mileage": 1}
RECEIPT_KEPT = 400 * 24 * 3600
TOLD = ("service", "scope", "endpoint", "method", "ip", "country", "user_agent")

dynamodb = boto3.client("dynamodb")
secrets = boto3.client("secretsmanager")


def secret(name: str) -> dict[str, Any]:
    return json.loads(secrets.get_secret_value(SecretId=os.environ[name])["SecretString"])


PEPPERS = secret("PEPPER_SECRET_ARN")
SERVICES = {name: hashlib.sha256(token.encode()).digest() for name, token in secret("SERVICE_TOKENS_ARN").items()}
seen: dict[str, dict[str, str]] = {}


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answers a request to verify a key."""
    now = datetime.now(timezone.utc).isoformat()
    service = caller(event["headers"].get("authorization", ""))
    if not service:
        error = {"code": "UNAUTHENTICATED", "message": "The service token is not valid"}
        request = context.aws_request_id
        return answer(401, {"success": False, "error": error, "timestamp": now, "requestId": request})
    data = check(json.loads(event["body"]), service, event["headers"].get("idempotency-key"))
    message = "The key is valid" if data["valid"] else "The key is refused"
    return answer(200, {"success": True, "message": message, "data": data, "timestamp": now})


def check(call: dict[str, Any], service: str, idempotency_key: str | None) -> dict[str, Any]:
    cost = call.get("cost") or COSTS.get(call.get("service", ""))
    if not cost:
        return {"valid": False, "code": "SERVICE_UNKNOWN"}
    facts = find(call["key"])
    if not facts:
        return {"valid": False, "code": "NOT_FOUND"}
    named = "\n".join([facts["org"], service, idempotency_key or ""])
    receipt = hashlib.sha256(named.encode()).hexdigest() if idempotency_key else str(uuid.uuid4())
    try:
        dynamodb.transact_write_items(TransactItems=charge(facts, call, cost, service, receipt))
    except dynamodb.exceptions.TransactionCanceledException as error:
        reasons = error.response["CancellationReasons"]
        key, wallet, record = (reason["Code"] == "ConditionalCheckFailed" for reason in reasons)
        # An existing receipt means that this request was already charged, whatever else failed. Other reasons than
        # these three are errors, after which the caller retries.
        if key and not record:
            return {"valid": False, "code": "KEY_REFUSED"}
        if wallet and not record:
            return {"valid": False, "code": "INSUFFICIENT_CREDITS"}
        if not record:
            raise
    told = {"key_id": facts["key_id"], "org_id": facts["org"], "environment": facts["environment"]}
    return {"valid": True, "code": "VALID", **told, "receipt_id": receipt}


def find(text: str) -> dict[str, str] | None:
    """Finds a key by its MAC. A key with a wrong checksum is refused without a read. Results are cached for good."""
    parts = SHAPE.fullmatch(text)
    if not parts or spell(crc32(parts[1].encode())) != parts[2]:
        return None
    current = PEPPERS["current"]
    named = b"".join(len(part).to_bytes(8, "big") + part for part in (b"key", text.encode()))
    mac = hmac.digest(PEPPERS[str(current)].encode(), named, "sha256")
    pk = f"MAC#{current}#{urlsafe_b64encode(mac).decode().rstrip('=')}"
    if pk not in seen:
        ask = {"Keys": [{"pk": {"S": pk}, "sk": {"S": "MAC"}}], "ConsistentRead": True}
        found = dynamodb.batch_get_item(RequestItems={TABLE: ask})["Responses"][TABLE]
        if not found:
            return None
        facts = {name: found[0][name]["S"] for name in ("org", "key_id", "environment")}
        seen[pk] = {**facts, "generation": found[0]["generation"]["N"]}
    return seen[pk]


def charge(facts: dict[str, str], call: dict[str, Any], cost: int, service: str, receipt: str) -> list[dict[str, Any]]:
    """Returns the transaction: count the call on the key, take the credits from the wallet, write the receipt."""
    org, key_id, now = facts["org"], facts["key_id"], int(time.time() * 1000)
    day = datetime.fromtimestamp(now / 1000, timezone.utc).date().isoformat()
    write = {"TableName": TABLE, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    scope = call.get("scope")
    conditions = [
        "#status = :active",
        "(generation = :generation OR (generation = :next AND previous_until > :now))",
        "(attribute_not_exists(expires_at) OR expires_at > :now)",
        "(attribute_not_exists(monthly_quota) OR attribute_not_exists(#month) OR #month < monthly_quota)",
        "(attribute_not_exists(daily_quota) OR attribute_not_exists(#day) OR #day < daily_quota)",
        *(["contains(scopes, :scope)"] if scope else []),
    ]
    key = {
        **write,
        "Key": item(f"ORG#{org}", f"KEY#{key_id}"),
        "UpdateExpression": "ADD #day :one, #month :one SET last_used_at = :now",
        "ConditionExpression": " AND ".join(conditions),
        "ExpressionAttributeNames": {"#status": "status", "#day": f"used.{day}", "#month": f"used.{day[:7]}"},
        "ExpressionAttributeValues": {
            ":active": {"S": "active"},
            ":generation": {"N": facts["generation"]},
            ":next": {"N": str(int(facts["generation"]) + 1)},
            ":now": {"N": str(now)},
            ":one": {"N": "1"},
            **({":scope": {"S": scope}} if scope else {}),
        },
    }
    wallet = {
        **write,
        "Key": item(f"ORG#{org}", "WALLET"),
        "UpdateExpression": "SET balance = balance - :amount, spare = spare - :amount ADD used :amount",
        "ConditionExpression": "wallet_status = :open AND spare > :amount"
        " AND (attribute_not_exists(next_expiry) OR next_expiry > :now)",
        "ExpressionAttributeValues": {":open": {"S": "open"}, ":amount": {"N": str(cost)}, ":now": {"N": str(now)}},
    }
    record = {
        **write,
        "ConditionExpression": "attribute_not_exists(pk)",
        "Item": {
            **item(f"RECEIPT#{org}#{receipt}", "RECEIPT"),
            "key_id": {"S": key_id},
            "environment": {"S": facts["environment"]},
            "credits": {"N": str(cost)},
            "at": {"N": str(now)},
            "caller": {"S": service},
            "ttl": {"N": str(now // 1000 + RECEIPT_KEPT)},
            "gsi1pk": {"S": f"ORG#{org}#RECEIPTS"},
            "gsi1sk": {"S": f"{now}#{receipt}"},
            "gsi2pk": {"S": f"ORG#{org}#{key_id}#RECEIPTS"},
            "gsi2sk": {"S": f"{now}#{receipt}"},
            **{name: {"S": call[name]} for name in TOLD if call.get(name)},
        },
    }
    return [{"Update": key}, {"Update": wallet}, {"Put": record}]


def item(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def caller(authorization: str) -> str | None:
    shown = hashlib.sha256(authorization.removeprefix("Bearer ").encode()).digest()
    return next((name for name, known in SERVICES.items() if hmac.compare_digest(known, shown)), None)


def spell(number: int) -> str:
    """Writes a checksum as six digits in base 62."""
    text = ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        text = DIGITS[digit] + text
    return text


def answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"content-type": "application/json; charset=utf-8", "cache-control": "no-store"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}
