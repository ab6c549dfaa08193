"""The stand-in for the malware scanner sends GuardDuty's events, about the objects that are scanned."""

import json
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import scan_stand_in
from scan_stand_in import EICAR

ROOT = Path(__file__).resolve().parents[3]
CREATED = {
    "EventId": "e1",
    "Source": "aws.s3",
    "DetailType": "Object Created",
    "EventBusName": "default",
    "Time": "2026-11-21T10:30:00Z",
    "Resources": ["arn:aws:s3:::photos"],
    "Account": "000000000000",
    "Region": "us-east-1",
}


def created(key: str, **more: Any) -> dict[str, Any]:
    """Returns S3's event about an object."""
    found = {"key": key, "version-id": "v1", "etag": "t1"}
    return CREATED | {"Detail": json.dumps({"bucket": {"name": "photos"}, "object": found})} | more


class ScanStandIn(unittest.TestCase):
    def after(self, event: dict[str, Any], body: bytes | None = b"text") -> dict[str, Any] | None:
        with tempfile.TemporaryDirectory() as folder:
            stacks = Path(folder)
            (stacks / "consigne.json").write_text(json.dumps({"bucket": "photos", "scanned": ["user_scan"]}))
            (stacks / "other.json").write_text(json.dumps({"bucket": "other", "scanned": ["user_"]}))
            (stacks / "older.json").write_text(json.dumps({"bucket": "photos"}))
            return scan_stand_in.after(stacks, event, lambda bucket, key, version: body)

    def result(self, body: bytes) -> dict[str, Any]:
        found = self.after(created("user_scan1/images/a.png"), body)
        assert found is not None
        return json.loads(found["Detail"])["scanResultDetails"]

    def test_the_test_string_is_infected_and_all_else_is_clean(self) -> None:
        self.assertEqual(self.result(b"text")["scanResultStatus"], "NO_THREATS_FOUND")
        self.assertEqual(self.result(EICAR[:-1])["scanResultStatus"], "NO_THREATS_FOUND")
        found = self.result(b"# title\n" + EICAR + b"\n")
        self.assertEqual(
            (found["scanResultStatus"], found["threats"]), ("THREATS_FOUND", [{"name": scan_stand_in.THREAT}])
        )

    def test_an_event_has_the_form_of_the_sample(self) -> None:
        sample = json.loads((ROOT / "events/on-scan-result/clean.json").read_text())
        sample = json.loads(sample["Records"][0]["body"])
        found = self.after(created("user_scan1/images/a.png"))
        assert found is not None
        self.assertEqual((found["Source"], found["DetailType"]), (sample["source"], sample["detail-type"]))
        self.assertEqual(shape(json.loads(found["Detail"])), shape(sample["detail"]))
        self.assertNotEqual(found["EventId"], "e1")

    def test_nothing_is_said_of_other_objects_and_events(self) -> None:
        self.assertIsNone(self.after(created("user_bob/images/a.png")))
        self.assertIsNone(self.after(created("user_scan1/images/a.png", DetailType="Object Deleted")))
        self.assertIsNone(self.after(created("user_scan1/images/a.png", Source="consigne")))
        self.assertIsNone(self.after(created("user_scan1/images/a.png"), body=None))

    def test_the_parameters_say_what_is_scanned(self) -> None:
        self.assertEqual(scan_stand_in.prefixes_in({"MalwareScan": "on", "ScannedPrefixes": "a,b"}), ["a", "b"])
        self.assertEqual(scan_stand_in.prefixes_in({"MalwareScan": "off", "ScannedPrefixes": "a,b"}), [])
        self.assertEqual(scan_stand_in.prefixes_in({}), [])


def shape(value: Any) -> Any:
    """Returns the names in a value, without what they say."""
    return {name: shape(one) for name, one in value.items()} if isinstance(value, dict) else None


if __name__ == "__main__":
    unittest.main()
