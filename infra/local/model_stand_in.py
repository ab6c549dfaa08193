"""A stand-in for a language model behind `POST /v1/chat/completions`: the same question gets the same answer.

It plans and writes what generate-worker asks for, which it finds in the JSON of the user's message. Its chapters name
what they go on from, so a text shows whether its chapters were asked for in order.

`POST /_stand-in/faults {"topic": "...", "next": [...], "always": ...}` lets calls about a topic go wrong: each of
`next` in turn, then `always`. A fault is `hang`, `lost`, `malformed`, `empty`, `cut`, `filtered`, `terse`, or an
answer, such as `{"status": 429, "code": "rate_limit_exceeded", "retry_after": "1"}`; `null` is none.
`POST /_stand-in/calls {"topic": "..."}` shows which calls came about a topic: `outline`, `chapter 1` and so on.
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


class Desk:
    """What the stand-in was told and asked."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.next: dict[str, list[Fault]] = defaultdict(list)
        self.always: dict[str, Fault] = {}
        self.calls: dict[str, list[str]] = defaultdict(list)

    def note(self, topic: str, what: str) -> Fault:
        """Notes a call and says what is to go wrong with it."""
        with self.lock:
            self.calls[topic].append(what)
            return self.next[topic].pop(0) if self.next[topic] else self.always.get(topic)


def written(wish: dict[str, Any]) -> str:
    """Writes what is asked for."""
    topic = " ".join(wish["topic"].split())
    if wish["task"] == "outline":
        chapters = [
            {"title": f"{topic}, part {number}", "about": f"What part {number} of {topic} is about."}
            for number in range(1, wish["chapters"] + 1)
        ]
        return json.dumps({"title": wish.get("title", f"On {topic}"), "chapters": chapters}, ensure_ascii=False)
    number, mark = wish["number"], hashlib.sha256(wish["before"].encode()).hexdigest()[:12]
    title = wish["outline"][number - 1]["title"]
    sentence = f"This is what there is to say of {topic} in chapter {number}, which goes on from {mark}."
    paragraph = " ".join([sentence] * 4)
    return f"# {title}\n\n{paragraph}\n\n### More of it\n\n{paragraph}\n\n{paragraph}\n"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    desk: Desk

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
        if self.path == "/_stand-in/faults":
            with self.desk.lock:
                self.desk.next[body["topic"]] = list(body.get("next", []))
                self.desk.always[body["topic"]] = body.get("always")
            self.answer(200, {})
        elif self.path == "/_stand-in/calls":
            self.answer(200, {"calls": self.desk.calls[body["topic"]]})
        elif self.path != "/v1/chat/completions":
            self.refuse({"status": 404, "code": "unknown_url"})
        elif KEY.fullmatch(self.headers.get("authorization", "")) is None:
            self.refuse({"status": 401, "code": "invalid_api_key"})
        else:
            self.complete(body)

    def complete(self, body: dict[str, Any]) -> None:
        system, user = (message["content"] for message in body["messages"])
        wish = json.loads(user)
        numbered = f"chapter {wish['number']}" if wish["task"] == "chapter" else wish["task"]
        fault = self.desk.note(wish["topic"], numbered)
        if fault in ("hang", "lost"):
            time.sleep(HANG_S if fault == "hang" else 0)
            self.close_connection = True
        elif isinstance(fault, dict):
            self.refuse(fault)
        elif fault == "malformed":
            self.send(200, b'{"choices": [{"message"')
        else:
            text = {"empty": "", "terse": "I would rather not."}.get(fault or "", written(wish))
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
        """Says nothing: the server's log is the stack's."""


def start(port: int) -> None:
    """Starts the stand-in in the background, for as long as the process lives."""
    Handler.desk = Desk()
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
