"""Texts: a language model writes an article chapter by chapter. On a laptop a stand-in answers for the model."""

import json
from typing import Any

from walk import Walk, timed

TITLE = "The keeper's hours"
BUSY = {"status": 429, "code": "rate_limit_exceeded", "retry_after": "1"}


def tell(walk: Walk, user: str, ann: str) -> None:
    """Requests an article, waits while it is written, and downloads it. The model is busy once."""
    topic = f"How lighthouses are kept, for {user}"
    be_busy(walk, topic)
    body = {"topic": topic, "goal": "For people who have never seen one", "title": TITLE}
    took, (status, answer, request) = timed(lambda: walk.api("POST", "/api/secure/blog/generate", ann, body, "article"))
    walk.expect(status == 201, f"the request was refused: {answer}")
    walk.say("Ann asks for an article on lighthouses", answer["data"]["status"], took, walk.calls("generate", request))
    job = answer["data"]["job_id"]

    def seen() -> Any:
        return walk.api("GET", f"/api/secure/jobs/{job}/status", ann)[1]["data"]

    took, facts = timed(lambda: walk.wait(seen, lambda facts: facts["progress"] > 10, "the article's first chapter"))
    calls = walk.calls("generate-worker", job, '"model.trouble":"busy"')
    walk.say("A busy model is called again after 1 s", f"{facts['progress']} %", took, calls)
    took, facts = timed(lambda: walk.wait(seen, lambda facts: "result" in facts, "the end of the article"))
    result, tokens = facts["result"], sum(facts["result"]["tokens"].values())
    calls = walk.calls("generate-worker", job, '"TextsDelivered":1')
    walk.say(f"It writes {result['chapter_count']} chapters", f"{tokens} tokens", took, calls)

    took, (code, content, _) = timed(lambda: walk.send("GET", result["download_url"], {}, None))
    walk.expect(code == 200 and content.startswith(f"# {TITLE}\n".encode()), "the article is not what was requested")
    walk.say(f"Ann downloads {result['word_count']} words of Markdown", f"{len(content)} bytes", took)
    took, mail = timed(lambda: walk.mail(user, TITLE))
    walk.say(f"She gets a mail: {mail['Subject']}", "one mail", took, walk.calls("send-mail", mail["MessageId"]))


def be_busy(walk: Walk, topic: str) -> None:
    """Makes the stand-in answer 429 when it is asked for the first chapter."""
    url = walk.env["TEXT_MODEL_URL"].removesuffix("/v1") + "/_stand-in/faults"
    plan = json.dumps({"topic": topic, "next": [None, BUSY]}).encode()
    walk.send("POST", url, {"content-type": "application/json"}, plan)
