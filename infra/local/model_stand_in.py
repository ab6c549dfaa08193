"""A stand-in for a language model, with `POST /v1/chat/completions`. The same request gets the same answer.

It writes the outlines and chapters that generate-worker requests in the JSON of the user's message. Each chapter
contains a hash of the text before it, so tests can check that chapters were written in order.

`POST /_stand-in/faults {"topic": "...", "next": [...], "always": ...}` makes calls about a topic fail: first with the
faults in `next`, one for each call, then with `always`. A fault is `hang`, `lost`, `malformed`, `empty`, `cut`,
`filtered`, `terse`, or an error, such as `{"status": 429, "code": "rate_limit_exceeded", "retry_after": "1"}`. `null`
means no fault.
`POST /_stand-in/calls {"topic": "..."}` returns the calls about a topic: `outline`, `chapter 1` and so on.
"""

import hashlib
import json
import re
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG_S = 30
KEY = re.compile(r"Bearer \S{32,}")
Fault = str | dict[str, Any] | None


class State:
    """The planned faults and the calls so far, by topic."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.next: dict[str, list[Fault]] = defaultdict(list)
        self.always: dict[str, Fault] = {}
        self.calls: dict[str, list[str]] = defaultdict(list)

    def note(self, topic: str, what: str) -> Fault:
        """Records a call. Returns its fault, or `None`."""
        with self.lock:
            self.calls[topic].append(what)
            return self.next[topic].pop(0) if self.next[topic] else self.always.get(topic)


def written(request: dict[str, Any]) -> str:
    """Returns the requested outline as JSON, or the requested chapter as Markdown."""
    topic = " ".join(request["topic"].split())
    if request["task"] == "outline":
        chapters = [
            {"title": f"{topic}, part {number}", "about": f"What part {number} of {topic} is about."}
            for number in range(1, request["chapters"] + 1)
        ]
        return json.dumps({"title": request.get("title", f"On {topic}"), "chapters": chapters}, ensure_ascii=False)
    number, mark = request["number"], hashlib.sha256(request["before"].encode()).hexdigest()[:12]
    title = request["outline"][number - 1]["title"]
    sentence = f"This is what there is to say of {topic} in chapter {number}, which goes on from {mark}."
    paragraph = " ".join([sentence] * 4)
    return f"# {title}\n\n{paragraph}\n\n### More of it\n\n{paragraph}\n\n{paragraph}\n"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    state: State

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
        if self.path == "/_stand-in/faults":
            with self.state.lock:
                self.state.next[body["topic"]] = list(body.get("next", []))
                self.state.always[body["topic"]] = body.get("always")
            self.answer(200, {})
        elif self.path == "/_stand-in/calls":
            self.answer(200, {"calls": self.state.calls[body["topic"]]})
        elif self.path != "/v1/chat/completions":
            self.refuse({"status": 404, "code": "unknown_url"})
        elif KEY.fullmatch(self.headers.get("authorization", "")) is None:
            self.refuse({"status": 401, "code": "invalid_api_key"})
        else:
            self.complete(body)

    def complete(self, body: dict[str, Any]) -> None:
        system, user = (message["content"] for message in body["messages"])
        request = json.loads(user)
        numbered = f"chapter {request['number']}" if request["task"] == "chapter" else request["task"]
        fault = self.state.note(request["topic"], numbered)
        if fault in ("hang", "lost"):
            time.sleep(HANG_S if fault == "hang" else 0)
            self.close_connection = True
        elif isinstance(fault, dict):
            self.refuse(fault)
        elif fault == "malformed":
            self.send(200, b'{"choices": [{"message"')
        else:
            text = {"empty": "", "terse": "I would rather not."}.get(fault or "", written(request))
            reason = {"cut": "length", "filtered": "content_filter"}.get(fault or "", "stop")
            message = {"role": "assistant", "content": text[: len(text) // 2] if fault == "cut" else text}
            usage = {"prompt_tokens": (len(system) + len(user)) // 4, "completion_tokens": len(text) // 4}
            choice = {"index": 0, "message": message, "finish_reason": reason}
            self.answer(200, {"object": "chat.completion", "model": body["model"], "choices": [choice], "usage": usage})

    def refuse(self, fault: dict[str, Any]) -> None:
        error = {"type": "stand_in_error", "code": fault.get("code"), "message": "No."}
        more = {"retry-after": str(fault["retry_after"])} if "retry_after" in fault else {}
        self.answer(fault["status"], {"error": error}, more)

    def answer(self, status: int, body: dict[str, Any], more: dict[str, str] | None = None) -> None:
        self.send(status, json.dumps(body).encode(), more)

    def send(self, status: int, body: bytes, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        own = {"content-type": "application/json", "content-length": str(len(body))}
        for name, value in {**own, **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing, because the log file belongs to the server."""


def start(port: int) -> None:
    """Starts the stand-in in the background. It ends with the process."""
    Handler.state = State()
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
