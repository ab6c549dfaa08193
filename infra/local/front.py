"""What listens on the API's port of the laptop: the API at an address that stays the same, and pages about the stack.

| path | what answers |
|---|---|
| `/_local/api` | the reference of the API, from which requests can be sent |
| `/_local/mail` | the mails that were sent, for people; `/_local/mail.json` for programs |
| `/_local/stack.json` | the checkout that runs this server, and its stacks |
| `/_local/stacks/<name>/...` | the API of a further stack |
| everything else | the API of the first stack, `consigne` |

The console has a port of its own: console.py.

API Gateway gives an API a random id, by which MiniStack serves it on AWS's port. stack.py writes that id and what the
stack trusts to a file for each stack. The same facts tell why a request was refused: why.py puts that into a header and
a line of the log. Nothing of this exists on AWS.
"""

import asyncio
import copy
import functools
import json
import re
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import api_page
import console
import mail_page
import why

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Any, Send], Awaitable[None]]

ROOT = Path(__file__).resolve().parents[2]
FIRST_STACK = "consigne"
FURTHER = "/_local/stacks/"
HEADER = b"x-consigne-why"
LOOPBACK = ("127.0.0.1", "::1")
# Names by which a page on this machine may ask for `/_local`. Another name in `Host` is a foreign page's own, which
# leads here after its DNS answer has changed.
OWN_NAMES = ("localhost", "127.0.0.1", "[::1]")


def install(
    api_port: int, stacks: Path, mails: Callable[[], Awaitable[list[dict[str, Any]]]], page: console.Console
) -> None:
    """Makes MiniStack's web server listen on the ports of the API and the console too. Called once, at the start."""
    import hypercorn.asyncio  # noqa: PLC0415  (MiniStack has to be imported first)

    serve = hypercorn.asyncio.serve

    @functools.wraps(serve)
    async def serve_both(app: App, config: Any, **more: Any) -> None:
        # A copy: MiniStack handles a failure to listen by what its own configuration contains.
        config = copy.copy(config)
        config.bind = [*config.bind, *(f"{host}:{port}" for port in (api_port, page.port) for host in hosts())]
        await serve(Front(app, api_port, stacks, mails, page), config, **more)

    hypercorn.asyncio.serve = serve_both


def hosts() -> list[str]:
    """Returns the addresses of `localhost`: IPv4, and IPv6 if this machine has it."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return ["127.0.0.1"]
    return ["127.0.0.1", "[::1]"]


def address_of(port: int, stack: str) -> str:
    """Returns the address of a stack's API."""
    return f"http://localhost:{port}" + ("" if stack == FIRST_STACK else FURTHER + stack)


def split(path: str) -> tuple[str, str]:
    """Returns the stack that a path belongs to, and the rest of the path, which begins with a slash."""
    if not path.startswith(FURTHER):
        return FIRST_STACK, path
    stack, _, rest = path.removeprefix(FURTHER).partition("/")
    return stack, f"/{rest}"


def write_facts(folder: Path, stack: str, facts: dict[str, Any]) -> None:
    """Writes what the server has to know of a stack, in one step, because the server reads it at any time."""
    folder.mkdir(parents=True, exist_ok=True)
    path, draft = folder / f"{stack}.json", folder / f"{stack}.draft"
    draft.write_text(json.dumps(facts))
    draft.replace(path)


def read_facts(folder: Path, stack: str) -> dict[str, Any] | None:
    """Returns what is known of a stack, or `None` if there is no such stack."""
    try:
        return json.loads((folder / f"{stack}.json").read_text()) if stack.replace("-", "").isalnum() else None
    except FileNotFoundError:
        return None


class Front:
    """The application in front of MiniStack's, for all ports."""

    def __init__(
        self,
        app: App,
        api_port: int,
        stacks: Path,
        mails: Callable[[], Awaitable[list[dict[str, Any]]]],
        page: console.Console,
    ):
        self.app, self.api_port, self.stacks, self.mails, self.page = app, api_port, stacks, mails, page

    async def __call__(self, scope: Scope, receive: Any, send: Send) -> None:
        """Answers one request. What is not HTTP is MiniStack's."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif (scope.get("server") or ("", 0))[1] == self.page.port:
            await self.console(scope, receive, send)
        elif (scope.get("server") or ("", 0))[1] != self.api_port:
            await self.aws(scope, receive, send)
        elif scope["path"].startswith("/_local/") and not scope["path"].startswith(FURTHER):
            await self.local(scope, send)
        else:
            await self.api(scope, receive, send)

    async def api(self, scope: Scope, receive: Any, send: Send) -> None:
        """Hands a request to the API that it belongs to, and explains a refusal."""
        stack, rest = split(scope["path"])
        facts = read_facts(self.stacks, stack)
        if facts is None:
            message = f"The stack {stack} is not deployed on this laptop. make up deploys it."
            await answer(send, 503, "application/json", json.dumps({"message": message}))
            return
        raw = (scope.get("raw_path") or scope["path"].encode())[len(scope["path"]) - len(rest) :]
        request = why.Request(scope["method"], rest, scope["headers"], address_of(self.api_port, stack))
        inner = scope | {
            "path": f"/_aws/execute-api/{facts['api']}/$default{rest}",
            "raw_path": f"/_aws/execute-api/{facts['api']}/%24default".encode() + raw,
            # MiniStack takes the caller's address from here. `localhost` is either family's, and AWS's is IPv4.
            "client": ("127.0.0.1", (scope.get("client") or ("", 0))[1]),
        }
        await self.app(inner, receive, Explained(send, functools.partial(why.of_api, request, facts), request).send)

    async def aws(self, scope: Scope, receive: Any, send: Send) -> None:
        """Hands a request to AWS. To a bucket, a page's request that CORS refuses is explained, and a signed URL's."""
        query = scope.get("query_string", b"")
        request = why.Request(scope["method"], scope["path"], scope["headers"], "", query)
        bucket = scope["path"].lstrip("/").partition("/")[0]
        facts = self.owner_of(bucket) if request.origin is not None or request.signed_headers else None
        if facts is not None:
            send = Explained(send, functools.partial(why.of_bucket, request, facts), request).send
        await self.app(scope, receive, send)

    def owner_of(self, bucket: str) -> dict[str, Any] | None:
        """Returns what is known of the stack that has a bucket."""
        known = (read_facts(self.stacks, path.stem) for path in self.stacks.glob("*.json"))
        return next((facts for facts in known if facts and facts["bucket"] == bucket), None)

    async def console(self, scope: Scope, receive: Any, send: Send) -> None:
        """Answers what is the console's. For this machine alone: it hands out session tokens."""
        if (scope.get("client") or ("",))[0] not in LOOPBACK:
            await answer(send, 403, "text/plain", "Only on this machine.\n")
            return
        body = b""
        more = scope["method"] == "POST"
        while more and len(body) <= console.BODY_MAX:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        facts = read_facts(self.stacks, FIRST_STACK)
        await answer(send, *self.page.answer(scope["method"], scope["path"], dict(scope["headers"]), body, facts))

    async def local(self, scope: Scope, send: Send) -> None:
        """Answers what is not the API's. For this machine alone: the mails contain links that sign people in."""
        path, headers = scope["path"], dict(scope["headers"])
        name = re.sub(r":\d+$", "", headers.get(b"host", b"").decode("latin-1"))
        if (scope.get("client") or ("",))[0] not in LOOPBACK or name not in OWN_NAMES:
            await answer(send, 403, "text/plain", f"Ask for http://localhost:{self.api_port}{path} on this machine.\n")
        elif scope["method"] not in ("GET", "HEAD"):
            await answer(send, 405, "text/plain", "Only GET and HEAD.\n", [(b"allow", b"GET, HEAD")])
        elif path == "/_local/stack.json":
            names = sorted(file.stem for file in self.stacks.glob("*.json"))
            addresses = {stack: address_of(self.api_port, stack) for stack in names}
            await answer(send, 200, "application/json", json.dumps({"checkout": str(ROOT), "stacks": addresses}))
        else:
            query, address = scope.get("query_string", b"").decode("latin-1"), address_of(self.api_port, FIRST_STACK)
            found = api_page.answer(path, address) or mail_page.answer(path, query, await self.mails())
            status, kind, text, policy = found or (404, "text/plain", "Here are /_local/api and /_local/mail.\n", "")
            more = [(b"content-security-policy", policy.encode())] if policy else []
            await answer(send, status, kind, text, more)


class Explained:
    """Sends an answer with the header that says why a request was refused, and logs it."""

    def __init__(self, send: Send, reason: Callable[..., str | None], request: "why.Request"):
        self.outer, self.reason, self.request = send, reason, request
        self.start: dict[str, Any] | None = None

    async def send(self, message: dict[str, Any]) -> None:
        """Passes a message on. The start of a refusal waits for its body, which has the code."""
        if message["type"] == "http.response.start":
            if not why.is_refused(self.request, message["status"], message["headers"]):
                await self.outer(message)
                return
            self.start = message
            return
        start, self.start = self.start, None
        if start is not None:
            # In a thread, because it may fetch the keys of an issuer.
            found = await asyncio.to_thread(self.reason, start["status"], start["headers"], message.get("body", b""))
            if found is not None:
                start = start | {"headers": [*exposed(start["headers"]), (HEADER, found.encode("ascii", "replace"))]}
                log(self.request, start["status"], found)
            await self.outer(start)
        await self.outer(message)


def exposed(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Adds the header to those that a page may read, where it may read any."""
    names = b"access-control-expose-headers"
    return [(name, value + b"," + HEADER) if name.lower() == names else (name, value) for name, value in headers]


def log(request: "why.Request", status: int, reason: str) -> None:
    """Writes a refusal into the server's log, as functions write their lines, so that `make logs` shows it."""
    line = {
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "level": "WARN",
        "message": f"Refused: {reason}",
        "function": "laptop",
        "http.method": request.method,
        "http.path": request.path,
        "http.status": status,
    }
    print(json.dumps(line), file=sys.stderr, flush=True)


async def answer(
    send: Send, status: int, kind: str, text: str | bytes, more: list[tuple[bytes, bytes]] | None = None
) -> None:
    """Sends a whole answer. A header in `more` takes the place of the usual one."""
    body = text.encode() if isinstance(text, str) else text
    headers = {
        b"content-type": f"{kind}; charset=utf-8".encode(),
        b"content-length": str(len(body)).encode(),
        b"cache-control": b"no-store",
        b"x-content-type-options": b"nosniff",
        **dict(more or []),
    }
    await send({"type": "http.response.start", "status": status, "headers": list(headers.items())})
    await send({"type": "http.response.body", "body": body})
