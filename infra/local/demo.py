"""`make demo`: the two main jobs, walked through in front of the reader: a real picture, and a key with credits.

Everything goes through the real functions of template.yaml: the API, the bucket, its events, the table. Each step says
what happened, how long it took, and how many calls to AWS the functions made for it, read from their own log lines.
"""

import json
import os
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

ROOT = Path(__file__).resolve().parents[2]
ENV_FILE = ROOT / "target" / "local" / "stack.env"
PICTURE = ROOT / "target" / "local" / "demo" / "photo été.png"
PATIENCE_S = 30


class Demo:
    """A walk along the API, step by step."""

    def __init__(self) -> None:
        pairs = (line.split("=", 1) for line in ENV_FILE.read_text().splitlines())
        self.env = dict(pairs)
        self.step = 0
        self.began = time.monotonic()
        session = boto3.Session(
            aws_access_key_id=self.env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.env["AWS_SECRET_ACCESS_KEY"],
            region_name=self.env["AWS_REGION"],
        )
        self.logs = session.client("logs", endpoint_url=self.env["AWS_ENDPOINT_URL"])

    # -- telling -------------------------------------------------------------------------------------------------

    def title(self, text: str) -> None:
        print(f"\n{text}\n")

    def say(self, what: str, outcome: str, took: float, calls: str = "none of ours") -> None:
        self.step += 1
        print(f"{self.step:>3}  {what:<58} {outcome:<22} {took * 1000:>6.0f} ms   {calls}", flush=True)

    def expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise SystemExit(f"\nThe demo stops here: {otherwise}")

    # -- doing ---------------------------------------------------------------------------------------------------

    def consigne(self, *arguments: str) -> str:
        """Runs the operator's command line on this stack, whatever AWS the reader's own shell is set up for."""
        command = [ROOT / "target" / "debug" / "consigne", *arguments]
        environment = {**os.environ, **self.env}
        done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
        self.expect(done.returncode == 0, done.stderr.strip())
        return done.stdout.strip()

    def token(self, user: str, plan: str) -> str:
        return self.consigne("token", "--user", user, "--plan", plan)

    def send(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> tuple[int, bytes, Any]:
        request = urllib.request.Request(url, method=method, headers=headers, data=body)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read(), answer.headers

    def api(
        self, method: str, path: str, token: str, body: Any = None, once: str | None = None
    ) -> tuple[int, Any, str]:
        headers = {"authorization": f"Bearer {token}"}
        if once is not None:
            headers["idempotency-key"] = once
        if body is not None:
            headers["content-type"] = "application/json"
        data = None if body is None else json.dumps(body).encode()
        status, text, answered = self.send(method, self.env["CONSIGNE_URL"] + path, headers, data)
        return status, json.loads(text), answered["x-request-id"]

    def calls(self, function: str, *needles: str) -> str:
        """Counts the AWS calls on the function's log lines that hold these texts."""
        group = f"/consigne/{self.env['STACK_NAME']}/{function}"
        for _ in range(20):
            pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName=group)
            events = [event["message"] for page in pages for event in page["events"]]
            lines = [json.loads(text) for text in events if text.startswith("{") and all(n in text for n in needles)]
            if lines:
                calls = sum(line["aws.calls"] for line in lines)
                return f"{calls} AWS call" + ("" if calls == 1 else "s")
            time.sleep(0.1)
        return "no log line yet"

    def wait(self, ask: Any, good: Any, what: str) -> Any:
        for _ in range(PATIENCE_S * 20):
            answer = ask()
            if good(answer):
                return answer
            time.sleep(0.05)
        raise SystemExit(f"\nThe demo stops here: {what} did not happen within {PATIENCE_S} s.")

    # -- the walk ------------------------------------------------------------------------------------------------

    def walk(self) -> None:
        ann, bob = self.token(f"user_ann{int(time.time())}", "pro"), self.token("user_bob", "pro")
        self.title("Files: one picture goes from your disk into private storage and back.")
        self.files(ann, bob)
        self.title("Keys and credits: a server asks who pays, and is paid, before it works.")
        self.credits(ann)

    def files(self, ann: str, bob: str) -> None:
        picture = PICTURE.read_bytes()
        file = self.upload(ann, picture)
        url = self.read(ann, file["key"], picture)
        self.refuse(bob, file["key"], url)
        self.delete(ann, file, url)

    def upload(self, ann: str, picture: bytes) -> dict[str, Any]:
        wish = {"filename": PICTURE.name, "contentType": "image/png", "size": len(picture)}
        took, (status, grant, request) = timed(lambda: self.api("POST", "/api/files/uploads", ann, wish))
        self.expect(status == 201, f"the grant was refused: {grant}")
        what = f"Ann asks to upload {PICTURE.name}, {len(picture):,} bytes"
        self.say(what, "granted", took, self.calls("upload-grant", request))

        took, (status, text, _) = timed(lambda: self.send(grant["method"], grant["url"], grant["headers"], picture))
        self.expect(status == 200, f"the bucket refused the upload: {text.decode()}")
        self.say("Her browser sends the bytes straight to the bucket", "stored", took)

        def facts() -> Any:
            return self.api("GET", f"/api/files/metadata?s3Key={grant['s3Key']}", ann)[1]

        took, file = timed(lambda: self.wait(facts, lambda file: file["status"] == "ready", "the check of the upload"))
        calls = self.calls("on-object-event", file["fileId"], "Object Created")
        measured = f"ready, {file['width']} x {file['height']}"
        self.say("S3 tells of it; its bytes are checked and measured", measured, took, calls)
        return file

    def read(self, ann: str, key: str, picture: bytes) -> str:
        took, (_, page, request) = timed(lambda: self.api("GET", "/api/files/list", ann))
        self.expect([entry["key"] for entry in page["files"]] == [key], f"the list shows {page}")
        self.say("Ann lists her files", f"{page['total']} file", took, self.calls("list", request))

        took, (status, ticket, request) = timed(
            lambda: self.api("POST", "/api/files/presigned-url", ann, {"s3Key": key})
        )
        self.expect(status == 200, f"the ticket was refused: {ticket}")
        valid = f"valid {ticket['expiresIn']} s"
        self.say("She asks for a ticket to read it", valid, took, self.calls("presign", request))

        took, (status, content, _) = timed(lambda: self.send("GET", ticket["url"], {}, None))
        self.expect(status == 200 and content == picture, "the download is not what was uploaded")
        self.say("She downloads it with the ticket", "the same bytes", took)
        return ticket["url"]

    def refuse(self, bob: str, key: str, url: str) -> None:
        took, (status, _, request) = timed(lambda: self.api("POST", "/api/files/presigned-url", bob, {"s3Key": key}))
        self.expect(status == 404, f"Bob was answered {status}")
        calls = self.calls("presign", request)
        self.say("Bob asks for a ticket to the same key", "404, as if unknown", took, calls)

        took, (status, _, _) = timed(lambda: self.send("GET", url.partition("?")[0], {}, None))
        self.expect(status == 403, f"the bucket answered {status} without a ticket")
        self.say("Somebody tries the address without the ticket", "403 by S3", took)

    def delete(self, ann: str, file: dict[str, Any], url: str) -> None:
        took, (status, _, request) = timed(lambda: self.api("DELETE", "/api/files/delete", ann, {"s3Key": file["key"]}))
        self.expect(status == 200, "the deletion was refused")
        self.say("Ann deletes the file", "deleted", took, self.calls("delete", request))

        took, (status, _, _) = timed(lambda: self.send("GET", url, {}, None))
        self.expect(status == 404, f"the old ticket still answers {status}")
        self.say("The ticket she had is worth nothing now", "404 by S3", took)

        def taken() -> int:
            usage = self.api("GET", "/api/files/usage", ann)[1]
            return usage["totalSize"] + usage["reservedSize"]

        took, _ = timed(lambda: self.wait(taken, lambda size: size == 0, "the return of the bytes"))
        calls = self.calls("on-object-event", file["fileId"], "Object Deleted")
        self.say("S3 tells that they are gone; her usage is back at", "0 bytes", took, calls)

    def credits(self, ann: str) -> None:
        org = self.found(ann)
        key = self.issue(ann, org)
        self.spend(key["key"])
        self.revoke(ann, org, key)

    def found(self, ann: str) -> str:
        took, (status, answer, request) = timed(lambda: self.api("POST", "/api/orgs", ann, {"name": "Acme"}))
        self.expect(status == 201, f"no organisation was founded: {answer}")
        org = answer["data"]["id"]
        self.say("Ann founds an organisation, Acme", f"{org[:4]}...{org[-6:]}", took, self.calls("org-create", request))

        took, _ = timed(lambda: self.consigne("credits", "grant", org, "10", "--reason", "to try it"))
        self.say("The operator grants it credits: consigne credits grant", "10 credits", took)
        return org

    def issue(self, ann: str, org: str) -> dict[str, Any]:
        wish = {"name": "Demo", "environment": "production", "scopes": ["pdf:read"], "daily_quota": 3}
        took, (status, answer, request) = timed(lambda: self.api("POST", f"/api/orgs/{org}/keys", ann, wish))
        self.expect(status == 201, f"no key was issued: {answer}")
        key = answer["data"]
        shown = f"{key['prefix']}_...{key['hint']}"
        self.say("She issues a key for 3 calls a day, shown this once", shown, took, self.calls("key-issue", request))
        return key

    def check(self, key: str, once: str) -> tuple[float, dict[str, Any], str]:
        """Has a server check a key and charge it one credit; gives the seconds it took, the answer and its calls."""
        ask = {"key": key, "scope": "pdf:read", "cost": 1}
        took, (status, answer, request) = timed(
            lambda: self.api("POST", "/api/keys/verify", self.env["SERVICE_TOKEN"], ask, once)
        )
        self.expect(status == 200, f"the check was answered {status}: {answer}")
        return took, answer["data"], self.calls("key-verify", request)

    def spend(self, key: str) -> None:
        receipts = []
        for which in ("first", "second", "third"):
            took, answer, calls = self.check(key, which)
            self.expect(answer["valid"], f"the {which} call was refused: {answer}")
            receipts.append(answer["receipt_id"])
            self.say(f"A server checks and charges it, the {which} time", receipt(receipts[-1]), took, calls)
        self.expect(len(set(receipts)) == 3, f"three calls share receipts: {receipts}")

        took, answer, calls = self.check(key, "third")
        self.expect(answer["receipt_id"] == receipts[-1], f"the retry was answered {answer}")
        self.say("It lost that answer and asks again: same Idempotency-Key", receipt(answer["receipt_id"]), took, calls)

        took, answer, calls = self.check(key, "fourth")
        self.expect(answer["code"] == "DAILY_QUOTA_EXCEEDED", f"the fourth call was answered {answer}")
        self.say(f"A fourth call must wait until {answer['resets_at']}", answer["code"], took, calls)

        middle = len(key) // 2
        mistyped = key[:middle] + ("x" if key[middle] != "x" else "y") + key[middle + 1 :]
        took, answer, calls = self.check(mistyped, "mistyped")
        self.expect(answer["code"] == "NOT_FOUND", f"a mistyped key was answered {answer}")
        self.expect(calls == "0 AWS calls", f"a mistyped key cost {calls}")
        self.say("Somebody mistypes the key; its checksum tells", answer["code"], took, calls)

    def revoke(self, ann: str, org: str, key: dict[str, Any]) -> None:
        path, why = f"/api/orgs/{org}/keys/{key['id']}/revoke", {"reason": "The demo is over"}
        took, (status, answer, request) = timed(lambda: self.api("POST", path, ann, why))
        self.expect(status == 200, f"the key was not revoked: {answer}")
        self.say("Ann revokes the key", answer["data"]["status"], took, self.calls("key-revoke", request))

        took, answer, calls = self.check(key["key"], "fifth")
        self.expect(answer["code"] == "REVOKED", f"a revoked key was answered {answer}")
        self.say("The very next check", answer["code"], took, calls)

        took, (_, answer, request) = timed(lambda: self.api("GET", f"/api/orgs/{org}/wallet", ann))
        balance, used = answer["data"]["balance"], answer["data"]["total_used"]
        self.expect((balance, used) == (7, 3), f"the wallet shows {answer['data']}")
        calls = self.calls("wallet", request)
        self.say("The wallet: three calls were paid for, nothing else", f"balance {balance}, used {used}", took, calls)

    def end(self) -> None:
        print(f"\nAll {self.step} steps went well, in {time.monotonic() - self.began:.1f} s. The stack is still up:")
        print(f"  API         {self.env['CONSIGNE_URL']}")
        print("  a token     target/debug/consigne token --user user_ann --plan pro")
        print("  credits     target/debug/consigne credits grant ORG 10 --reason ...")
        print("  its health  target/debug/consigne doctor")
        print("  its names   target/local/stack.env")
        print("\nTry next: `make test` holds it to its contract, `make dev` rebuilds on change, `make down` ends it.")


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Does some work and gives the seconds it took, with its outcome."""
    began = time.monotonic()
    outcome = work()
    return time.monotonic() - began, outcome


def receipt(name: str) -> str:
    """Writes a receipt's id short: its last characters, by which they differ."""
    return f"receipt ...{name[-6:]}"


def paint(path: Path, width: int = 640, height: int = 480) -> None:
    """Makes a real picture: a gradient, as a PNG of 24 bits."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            rows += bytes((x * 255 // width, y * 255 // height, (x ^ y) & 255))

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(rows))) + chunk(b"IEND", b"")
    )


def main() -> None:
    """Runs the demo."""
    if not ENV_FILE.exists():
        sys.exit("The stack is not up. `make demo` starts it.")
    paint(PICTURE)
    demo = Demo()
    demo.walk()
    demo.end()


if __name__ == "__main__":
    main()
