"""Texts: an article is written by a language model, or what stands in for one on a laptop, part by part."""

import json
from typing import Any

from walk import Walk, timed

TITLE = "The keeper's hours"
BUSY = {"status": 429, "code": "rate_limit_exceeded", "retry_after": "1"}


def tell(walk: Walk, user: str, ann: str) -> None:
    """Tells the life of one article, in which the model is busy once."""
    topic = f"How lighthouses are kept, for {user}"
    be_busy(walk, topic)
    wish = {"topic": topic, "goal": "For people who have never seen one", "title": TITLE}
    took, (status, answer, request) = timed(lambda: walk.api("POST", "/api/secure/blog/generate", ann, wish, "wish-2"))
    walk.expect(status == 201, f"the wish was refused: {answer}")
    walk.say("Ann asks for an article on lighthouses", answer["data"]["status"], took, walk.calls("generate", request))
    job = answer["data"]["job_id"]

    def seen() -> Any:
        return walk.api("GET", f"/api/secure/jobs/{job}/status", ann)[1]["data"]

    took, facts = timed(lambda: walk.wait(seen, lambda facts: facts["progress"] > 10, "the first part of the article"))
    calls = walk.calls("generate-worker", job, '"model.trouble":"busy"')
    walk.say("A model plans it, is busy, and is asked again in a second", f"{facts['progress']} %", took, calls)
    took, facts = timed(lambda: walk.wait(seen, lambda facts: "result" in facts, "the end of the article"))
    result, tokens = facts["result"], sum(facts["result"]["tokens"].values())
    calls = walk.calls("generate-worker", job, '"TextsDelivered":1')
    walk.say(f"It writes {result['chapter_count']} parts, a message each", f"{tokens} tokens", took, calls)

    took, (code, content, _) = timed(lambda: walk.send("GET", result["download_url"], {}, None))
    walk.expect(code == 200 and content.startswith(f"# {TITLE}\n".encode()), "the article is not what was wished for")
    walk.say(f"Ann downloads {result['word_count']} words of Markdown", f"{len(content)} bytes", took)
    took, mail = timed(lambda: walk.mail(user, TITLE))
    walk.say(
        f"She has a mail: {mail['Subject'][:40]}", "one mail", took, walk.calls("send-mail", "job.completed", user)
    )


def be_busy(walk: Walk, topic: str) -> None:
    """Lets the stand-in be busy when it is asked for the first part."""
    url = walk.env["TEXT_MODEL_URL"].removesuffix("/v1") + "/_stand-in/faults"
    plan = json.dumps({"topic": topic, "next": [None, BUSY]}).encode()
    walk.send("POST", url, {"content-type": "application/json"}, plan)
