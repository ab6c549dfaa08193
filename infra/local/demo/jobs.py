"""Jobs: an outside generator takes a request, delivers a picture, and its owner gets one mail."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from typing import Any

from files import PICTURE, paint
from walk import Walk, timed


def tell(walk: Walk, user: str, ann: str) -> None:
    """Requests a picture, delivers it as a generator, and downloads it."""
    paint(PICTURE)
    job = request_picture(walk, ann)
    message = take(walk, job)
    key, picture = deliver(walk, message)
    report(walk, message, key, len(picture))
    receive(walk, ann, job, picture)
    took, mail = timed(lambda: walk.mail(user, job))
    walk.say(f"She gets a mail: {mail['Subject']}", "one mail", took, walk.calls("send-mail", mail["MessageId"]))


def request_picture(walk: Walk, ann: str) -> str:
    ask = {"prompt": "a lighthouse in the rain", "count": 1}
    took, (status, answer, request) = timed(
        lambda: walk.api("POST", "/api/secure/images/generate", ann, ask, "picture")
    )
    walk.expect(status == 201, f"the request was refused: {answer}")
    walk.say("Ann asks for a picture of a lighthouse", answer["data"]["status"], took, walk.calls("generate", request))
    return answer["data"]["job_id"]


def take(walk: Walk, job: str) -> dict[str, Any]:
    """Takes the job from the queue, as a generator does, and reports that it has begun. Returns the message."""
    queue = walk.env["GENERATION_QUEUE_URL"]
    others: list[dict[str, Any]] = []

    def ours() -> Any:
        for message in walk.queues.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            body = json.loads(message["Body"])
            if body["job_id"] == job:
                walk.queues.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                return body
            others.append(message)
        return None

    try:
        took, message = timed(lambda: walk.wait(ours, lambda body: body is not None, "the message to the generator"))
    finally:
        give_back(walk, queue, others)
    walk.say(
        "A generator takes the request from its queue",
        message["kind"],
        took,
        walk.calls("publish-events", "job.requested"),
    )

    begun = {"generation_id": job, "status": "processing"}
    took, (status, answer, request) = timed(lambda: signed(walk, message["callback_url"], begun))
    walk.expect(status == 200, f"the report that it has begun was answered {answer}")
    calls = walk.calls("webhook-image-completion", request)
    walk.say("It reports that it has begun", answer["status"], took, calls)
    return message


def give_back(walk: Walk, queue: str, messages: list[dict[str, Any]]) -> None:
    """Puts messages about other jobs back as new ones.

    The old ones have been received once more. After a few demos they would end on the dead-letter queue.
    """
    for message in messages:
        walk.queues.send_message(QueueUrl=queue, MessageBody=message["Body"])
        walk.queues.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def deliver(walk: Walk, message: dict[str, Any]) -> tuple[str, bytes]:
    picture = PICTURE.read_bytes()
    ask = {"filename": "lighthouse.png", "content_type": "image/png", "size": len(picture)}
    took, (status, grant, request) = timed(lambda: signed(walk, message["uploads_url"], ask))
    walk.expect(status == 201, f"the upload grant was refused: {grant}")
    walk.say("It asks, signed, to upload the picture", "granted", took, walk.calls("job-upload-grant", request))

    took, (status, text, _) = timed(lambda: walk.send(grant["method"], grant["url"], grant["headers"], picture))
    walk.expect(status == 200, f"the bucket refused the upload: {text.decode()}")
    walk.say("It sends the bytes to the bucket", "stored", took)
    return grant["s3_key"], picture


def report(walk: Walk, message: dict[str, Any], key: str, size: int) -> None:
    image = {"s3_key": key, "filename": "lighthouse.png", "width": 640, "height": 480, "file_size": size}
    done = {"generation_id": message["job_id"], "status": "completed", "images": [image]}
    name = uuid.uuid4().hex
    forged = dict(done, images=[dict(image, file_size=size + 1)])
    took, (status, answer, request) = timed(lambda: signed(walk, message["callback_url"], forged))
    walk.expect(status == 422, f"a wrong size was answered {answer}")
    calls = walk.calls("webhook-image-completion", request)
    walk.say("It reports a wrong size, and is refused", answer["error"]["code"], took, calls)

    for when in ("It reports the picture, signed", "It retries the report with the same id"):
        took, (status, answer, request) = timed(lambda: signed(walk, message["callback_url"], done, name))
        walk.expect(status == 200, f"the report was refused: {answer}")
        walk.say(when, answer["status"], took, walk.calls("webhook-image-completion", request))


def receive(walk: Walk, ann: str, job: str, picture: bytes) -> None:
    def status() -> Any:
        _, answer, request = walk.api("GET", f"/api/secure/jobs/{job}/status", ann)
        return {**answer["data"], "request": request}

    took, facts = timed(lambda: walk.wait(status, lambda facts: facts["status"] == "completed", "the end of the job"))
    walk.say(
        "Report and file agree: the job is completed",
        "completed",
        took,
        walk.calls("job-status", facts["request"]),
    )

    url = facts["result"]["images"][0]["download_url"]
    took, (code, content, _) = timed(lambda: walk.send("GET", url, {}, None))
    walk.expect(code == 200 and content == picture, "the picture is not what was delivered")
    walk.say("Ann downloads her picture", "the same bytes", took)


def signed(walk: Walk, url: str, body: Any, name: str | None = None) -> tuple[int, Any, str]:
    """Sends a request as a generator, signed as specified by Standard Webhooks. Returns status, answer, request id."""
    content, name, now = json.dumps(body).encode(), name or uuid.uuid4().hex, str(int(time.time()))
    secret = base64.b64decode(walk.env["GENERATOR_WEBHOOK_SECRET"].removeprefix("whsec_"))
    mac = hmac.new(secret, f"{name}.{now}.".encode() + content, hashlib.sha256).digest()
    headers = {
        "content-type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": now,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }
    status, text, answered = walk.send("POST", url, headers, content)
    return status, json.loads(text), answered["x-request-id"]
