"""A stand-in for GuardDuty Malware Protection for S3: it sends a verdict for each object that a stack has scanned.

An object that contains the EICAR test string is infected; every other object is clean. The event has the form that
GuardDuty's has. A stack's parameters say which keys are scanned. MiniStack knows no malware protection plans, so
emulator_workarounds.py removes the plan from the template, and stack.py writes the prefixes to the stack's facts.
"""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

# In two parts, because scanners on the developers' own machines look for the whole string.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
THREAT = "EICAR-Test-File (not a virus)"

Event = dict[str, Any]


def prefixes_in(parameters: dict[str, str]) -> list[str]:
    """Returns the beginnings of the keys that a stack with these parameters has scanned."""
    return parameters["ScannedPrefixes"].split(",") if parameters.get("MalwareScan") == "on" else []


def is_scanned(stacks: Path, bucket: str, key: str) -> bool:
    """Returns whether a stack has this object scanned. `stacks` is the folder of the stacks' facts."""
    for path in stacks.glob("*.json"):
        facts = json.loads(path.read_text())
        if facts.get("bucket") == bucket and key.startswith(tuple(facts.get("scanned", []))):
            return True
    return False


def after(stacks: Path, created: Event, read: Callable[[str, str, str], bytes | None]) -> Event | None:
    """Returns the event with the verdict about an object that was created, or `None` if it is not scanned.

    `created` is S3's event as MiniStack's bus takes it. `read` returns the bytes of a version of a bucket's object.
    """
    if created.get("Source") != "aws.s3" or created.get("DetailType") != "Object Created":
        return None
    detail = json.loads(created["Detail"])
    bucket, key = detail["bucket"]["name"], detail["object"]["key"]
    version = detail["object"].get("version-id", "null")
    if not is_scanned(stacks, bucket, key):
        return None
    body = read(bucket, key, version)
    # An object that is gone already gets no verdict.
    return None if body is None else verdict(created, detail["object"], body)


def verdict(created: Event, found: dict[str, Any], body: bytes) -> Event:
    """Returns the event with the verdict about the bytes of an object."""
    infected = EICAR in body
    plan = f"arn:aws:guardduty:{created['Region']}:{created['Account']}:malware-protection-plan/laptop"
    detail = {
        "schemaVersion": "1.0",
        "scanStatus": "COMPLETED",
        "resourceType": "S3_OBJECT",
        "s3ObjectDetails": {
            "bucketName": json.loads(created["Detail"])["bucket"]["name"],
            "objectKey": found["key"],
            "eTag": found.get("etag", ""),
            "versionId": found.get("version-id", "null"),
            "s3Throttled": False,
        },
        "scanResultDetails": {
            "scanResultStatus": "THREATS_FOUND" if infected else "NO_THREATS_FOUND",
            "threats": [{"name": THREAT}] if infected else None,
            "statusReasons": None,
        },
    }
    return created | {
        "EventId": str(uuid.uuid4()),
        "Source": "aws.guardduty",
        "DetailType": "GuardDuty Malware Protection Object Scan Result",
        "Detail": json.dumps(detail),
        "Resources": [plan],
    }
