"""Runs MiniStack, the AWS of the laptop, with patches where it differs from AWS: two delays, two gaps in its S3, one in
its secrets.

The same process listens on the API's own port (front.py), and runs stand-ins for Stripe, a language model, the services
behind the gateway, customers' servers, the malware scanner, and a CDN.

stack.py starts it, with all settings in the environment.
"""

import functools
import gc
import json
import os
import resource
import socketserver
import string
import sys
import threading
from pathlib import Path

# MiniStack's Runtime API answers in two writes. With Nagle's algorithm the second waits for the acknowledgement of the
# first, which is delayed: every warm call would take 40 ms longer.
socketserver.StreamRequestHandler.disable_nagle_algorithm = True

import console  # noqa: E402  (the line above must come first)
import edge_stand_in  # noqa: E402
import front  # noqa: E402
import idle_functions  # noqa: E402
import mail_page  # noqa: E402
import model_stand_in  # noqa: E402
import outage_stand_in  # noqa: E402
import permission_record  # noqa: E402
import receiver  # noqa: E402
import scan_stand_in  # noqa: E402
import strict  # noqa: E402
import stripe_stand_in  # noqa: E402
import weighted_aliases  # noqa: E402
from ministack import app  # noqa: E402
from ministack.core import lambda_runtime  # noqa: E402
from ministack.services import eventbridge, lambda_svc, s3  # noqa: E402
from ministack.services.cloudformation import provisioners  # noqa: E402

import upstream  # noqa: E402

# After each call MiniStack waits for log lines. Our functions write theirs before the answer, so a short wait will do.
_drain = lambda_runtime.Worker._drain_stderr_bounded
lambda_runtime.Worker._drain_stderr_bounded = functools.partialmethod(_drain, first_line_wait=0.004, idle_confirm=0.001)

# Of what functions write, MiniStack prints only the lines of functions behind queues and streams. Here the lines of
# every function are printed, each once, so that `make logs` also shows functions that answer requests.
_emit = lambda_svc._emit_lambda_logs


def _print_and_emit(function, request_id, text, *rest, **named):
    if text:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    return _emit(function, request_id, text, *rest, **named)


lambda_svc._emit_lambda_logs = _print_and_emit
lambda_svc.logger.addFilter(lambda record: "output" not in str(record.msg))

# Open files that the server may have. Each running function takes four; macOS allows 256 by default.
OPEN_FILES = 8192


def raise_open_files() -> None:
    """Raises the limit of open files. Functions inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS names no hard limit, and yet refuses more than its kernel allows.
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


raise_open_files()

# A full garbage collection looks at every object of the tables and logs that MiniStack keeps in memory, and nothing
# else runs meanwhile: three quarters of a second at the end of the tests. It finds almost nothing, so there is none.
gc.set_threshold(*gc.get_threshold()[:2], 1_000_000)

# For a versioned bucket, S3's events on EventBridge contain the version id. MiniStack drops it.
_current = threading.local()
_fire, _dispatch = s3._fire_s3_event, eventbridge._dispatch_event
# What the server knows of each deployed stack.
_stacks = Path(os.environ["STACKS"])


def _fire_with_version(*args, **kwargs):
    _current.version_id = kwargs.get("version_id")
    try:
        return _fire(*args, **kwargs)
    finally:
        _current.version_id = None


def _dispatch_with_version(event, *rest):
    version_id = getattr(_current, "version_id", None)
    if version_id and event.get("Source") == "aws.s3":
        detail = json.loads(event["Detail"])
        detail["object"]["version-id"] = version_id
        event = event | {"Detail": json.dumps(detail)}
    answer = _dispatch(event, *rest)
    found = scan_stand_in.after(_stacks, event, _read_version)
    if found:
        _dispatch(found)
    return answer


def _read_version(bucket, key, version):
    status, _, body = _get(bucket, key, {}, {"versionId": [version]})
    return body if status == 200 else None


s3._fire_s3_event, eventbridge._dispatch_event = _fire_with_version, _dispatch_with_version

# MiniStack ignores `Range` and the `response-*` overrides when a version is read by its id.
_get = s3._get_object


def _get_with_overrides(bucket, key, headers, query=None):
    status, response, body = _get(bucket, key, headers, query)
    if status != 200 or not s3._qp(query or {}, "versionId", ""):
        return status, response, body
    s3._apply_response_overrides(response, query)
    span = s3._parse_range(headers["range"], len(body)) if "range" in headers else None
    if span is None:
        return status, response, body
    start, end = span
    part = body[start : end + 1]
    response |= {"Content-Length": str(len(part)), "Content-Range": f"bytes {start}-{end}/{len(body)}"}
    return 206, response, part


s3._get_object = _get_with_overrides

# MiniStack ignores `ExcludePunctuation` of a secret that CloudFormation generates. The template must not be rewritten
# for it: a stack that adopts what exists has these words too, and other words would replace the value.
_generate = provisioners._sm_secret_string


def _generate_without_punctuation(properties):
    wish = properties.get("GenerateSecretString") or {}
    if wish.get("ExcludePunctuation"):
        excluded = wish.get("ExcludeCharacters", "") + string.punctuation
        properties = properties | {"GenerateSecretString": wish | {"ExcludeCharacters": excluded}}
    return _generate(properties)


provisioners._sm_secret_string = _generate_without_punctuation


if __name__ == "__main__":
    idle_functions.apply()
    strict.apply()
    weighted_aliases.apply()
    permission_record.install(Path(os.environ.pop("PERMISSIONS")))
    outage_stand_in.apply(_stacks.parent / "outages")
    os.environ.pop("STACKS")
    api_port = int(os.environ.pop("API_PORT"))
    api = front.address_of(api_port, front.FIRST_STACK)
    page = console.Console(
        int(os.environ.pop("CONSOLE_PORT")), api, int(os.environ["GATEWAY_PORT"]), _stacks.parent / "issuer.pem"
    )
    front.install(api_port, _stacks, mail_page.sent, page)
    stripe_stand_in.start(int(os.environ["STRIPE_STAND_IN_PORT"]))
    model_stand_in.start(int(os.environ.pop("MODEL_STAND_IN_PORT")))
    upstream.start(int(os.environ.pop("UPSTREAM_PORT")), Path(os.environ.pop("UPSTREAM_SECRETS")))
    receiver.start(int(os.environ.pop("RECEIVER_PORT")))
    edge_stand_in.start(int(os.environ.pop("EDGE_PORT")), _stacks, int(os.environ["GATEWAY_PORT"]), api_port)
    app.main()
