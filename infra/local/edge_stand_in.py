"""A stand-in for CloudFront with the behaviours of infra/edge.yaml: it checks signed URLs as CloudFront does.

| path | what answers |
|---|---|
| `/user_*`, `/derived/*` | the bucket, if the URL is signed by a key of the stack and has not expired; else 403 |
| `/public/*` | the API: the address of a published file, which leads to a signed URL |
| `/api/*` | the API, with the secret of the origin and the caller's address |
| everything else | the console |

A further stack is below `/_local/stacks/<name>`. Nothing is kept here, so an invalidation has nothing to do.
"""

import base64
import http.client
import http.server
import json
import mimetypes
import threading
import time
import urllib.parse
from pathlib import Path
from typing import Any

import boto3
import console
import front
from botocore.config import Config
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from server import REGION

# What CloudFront takes out of a signed URL before it compares and forwards it. Source: Amazon CloudFront developer
# guide, "Create a signed URL using a canned policy".
SIGNING = ("Expires", "Signature", "Key-Pair-Id", "Hash-Algorithm", "Policy")
# What the bucket gets to see of a query, which is in the cache key as well.
FORWARDED = {
    "versionId": "VersionId",
    "response-cache-control": "ResponseCacheControl",
    "response-content-disposition": "ResponseContentDisposition",
    "response-content-type": "ResponseContentType",
}
HOP_BY_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length", "host", "date", "server")


class Refused(Exception):
    """Why CloudFront answers 403, with the code that it names."""


def resource_of(base: str, target: str) -> tuple[str, dict[str, str]]:
    """Returns the resource of a request's canned policy, and the parameters of its signature.

    `target` is path and query as the caller sent them; each byte counts.
    """
    path, _, query = target.partition("?")
    pairs = [pair for pair in query.split("&") if pair]
    signing = dict(pair.partition("=")[::2] for pair in pairs if pair.partition("=")[0] in SIGNING)
    rest = "&".join(pair for pair in pairs if pair.partition("=")[0] not in SIGNING)
    return base + path + (f"?{rest}" if rest else ""), signing


def check(base: str, target: str, keys: dict[str, str], now: float) -> None:
    """Checks the signature of a URL, as CloudFront does for a behaviour with a trusted key group.

    `keys` has public keys in PEM by their ids. Raises Refused.
    """
    resource, signing = resource_of(base, target)
    if "Key-Pair-Id" not in signing:
        raise Refused("MissingKey")
    if not {"Expires", "Signature"} <= signing.keys() or not signing["Expires"].isdigit():
        raise Refused("MalformedPolicy")
    if signing["Key-Pair-Id"] not in keys:
        raise Refused("UnknownKey")
    # Without the parameter a signature is over SHA-1, which nothing here makes.
    if signing.get("Hash-Algorithm") != "SHA256":
        raise Refused("AccessDenied")
    condition = {"DateLessThan": {"AWS:EpochTime": int(signing["Expires"])}}
    policy = json.dumps({"Statement": [{"Resource": resource, "Condition": condition}]}, separators=(",", ":"))
    text = signing["Signature"].translate(str.maketrans("-_~", "+=/"))
    key = serialization.load_pem_public_key(keys[signing["Key-Pair-Id"]].encode())
    try:
        key.verify(base64.b64decode(text, validate=True), policy.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError) as error:
        raise Refused("AccessDenied") from error
    if now >= int(signing["Expires"]):
        raise Refused("AccessDenied")


def start(port: int, stacks: Path, aws_port: int, api_port: int) -> None:
    """Starts the stand-in, in threads of its own."""
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
    config = Config(s3={"addressing_style": "path"}, signature_version="s3v4")
    bucket = session.client("s3", endpoint_url=f"http://127.0.0.1:{aws_port}", config=config)
    handler = type("EdgeHandler", (Handler,), {"stacks": stacks, "bucket": bucket, "api_port": api_port})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    stacks: Path
    bucket: Any
    api_port: int

    def log_message(self, *_: Any) -> None:
        """Logs nothing: a signed URL must not be in a log."""

    def answer(self) -> None:
        """Answers one request by the behaviour of its path."""
        stack, path = front.split(self.path.partition("?")[0])
        facts = front.read_facts(self.stacks, stack)
        if facts is None or not facts.get("edge"):
            self.send(503, {"content-type": "text/plain"}, b"This stack has no CDN. make up EDGE=1 gives it one.\n")
            return
        target = path + ("?" + self.path.partition("?")[2] if "?" in self.path else "")
        if path.startswith(("/user_", "/derived/")):
            self.file(facts, target)
        elif path.startswith(("/api/", "/public/")):
            self.api(stack, facts, target)
        else:
            self.console(path)

    def file(self, facts: dict[str, Any], target: str) -> None:
        """Answers with an object of the bucket, if the URL is signed."""
        try:
            check(facts["edge"]["url"], target, facts["edge"]["keys"], time.time())
        except Refused as why:
            text = f"<?xml version='1.0'?><Error><Code>{why}</Code><Message>Access denied</Message></Error>"
            self.send(403, {"content-type": "text/xml"}, text.encode())
            return
        path, _, query = target.partition("?")
        asked = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        parameters = {FORWARDED[name]: value for name, value in asked.items() if name in FORWARDED}
        parameters |= {"Bucket": facts["bucket"], "Key": urllib.parse.unquote(path[1:])}
        verb = "head_object" if self.command == "HEAD" else "get_object"
        url = urllib.parse.urlsplit(self.bucket.generate_presigned_url(verb, Params=parameters, ExpiresIn=60))
        headers = {name: self.headers[name] for name in ("range", "if-none-match") if self.headers[name]}
        self.relay(url.netloc, f"{url.path}?{url.query}", headers, b"")

    def api(self, stack: str, facts: dict[str, Any], target: str) -> None:
        """Hands a request on to the API, as a CDN in front of it."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        own = ("x-consigne-edge", "cloudfront-viewer-address", "cloudfront-viewer-country")
        headers = {name: value for name, value in headers.items() if name.lower() not in own}
        headers |= dict(zip(own, (facts["edge"]["secret"], f"{self.client_address[0]}:1", "FR"), strict=True))
        root = "" if stack == front.FIRST_STACK else front.FURTHER + stack
        self.relay(f"127.0.0.1:{self.api_port}", root + target, headers, body)

    def relay(self, host: str, target: str, headers: dict[str, str], body: bytes) -> None:
        """Sends a request to an origin, and its answer to the caller."""
        origin = http.client.HTTPConnection(host, timeout=30)
        try:
            origin.request(self.command, target, body or None, headers)
            answer = origin.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP}
            self.send(answer.status, kept, answer.read(), answer.getheader("content-length"))
        finally:
            origin.close()

    def console(self, path: str) -> None:
        """Answers with a file of the console, or with its page for a path without an extension, as infra/edge.yaml's
        function does."""
        file = (console.BUILT / ("index.html" if "." not in path.rpartition("/")[2] else path[1:])).resolve()
        if not file.is_file() or not file.is_relative_to(console.BUILT.resolve()):
            self.send(404, {"content-type": "text/plain"}, b"There is no such file.\n")
            return
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        self.send(200, {"content-type": kind, "x-content-type-options": "nosniff"}, file.read_bytes())

    def send(self, status: int, headers: dict[str, str], body: bytes, length: str | None = None) -> None:
        """Sends a whole answer. `length` is that of the body which a HEAD leaves out."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        is_head = self.command == "HEAD"
        self.send_header("content-length", length if is_head and length else str(len(body)))
        self.end_headers()
        if not is_head:
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer
