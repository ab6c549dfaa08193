"""The laptop's S3 takes a form of boto3 and refuses what AWS refuses of forms."""

import base64
import json
import sys
import tempfile
import unittest
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import boto3
from botocore.config import Config

from server import REGION, Server

KEY = "uploads/2026/11/a.jpg"
BOUNDARY = "boundary-of-the-form"
MOST = 1_000


class Forms(unittest.TestCase):
    server: Server
    home: tempfile.TemporaryDirectory
    s3: Any

    @classmethod
    def setUpClass(cls) -> None:
        cls.home = tempfile.TemporaryDirectory()
        cls.server = Server(Path(cls.home.name))
        cls.server.start()
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
        config = Config(s3={"addressing_style": "path"}, signature_version="s3v4")
        cls.s3 = session.client("s3", endpoint_url=cls.server.address, config=config)
        cls.s3.create_bucket(Bucket="photos")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.server.stop()
        cls.home.cleanup()

    def form(self, valid: int = 900) -> dict[str, str]:
        fields = {"Content-Type": "image/jpeg", "success_action_status": "201"}
        conditions: list[Any] = [{name: value} for name, value in fields.items()]
        conditions.append(["content-length-range", 1, MOST])
        posted = self.s3.generate_presigned_post("photos", KEY, fields, conditions, valid)
        return posted["fields"]

    def post(self, fields: dict[str, str], body: bytes = b"photo", behind: dict[str, str] | None = None) -> Any:
        def part(name: str, value: bytes, more: str = "") -> bytes:
            head = f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="{name}"{more}\r\n\r\n'
            return head.encode() + value + b"\r\n"

        parts = [part(name, value.encode()) for name, value in fields.items()]
        parts.append(part("file", body, '; filename="a.jpg"'))
        parts += [part(name, value.encode()) for name, value in (behind or {}).items()]
        headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
        data = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
        request = urllib.request.Request(f"{self.server.address}/photos", data, headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            text = error.read().decode()
            return error.code, text.partition("<Code>")[2].partition("</Code>")[0]

    def test_a_form_is_taken_as_it_was_signed(self) -> None:
        self.assertEqual(self.post(self.form(), b"x" * MOST), 201)
        self.assertEqual(self.s3.get_object(Bucket="photos", Key=KEY)["Body"].read(), b"x" * MOST)

    def test_size_key_type_and_expiry_are_those_of_the_policy(self) -> None:
        self.assertEqual(self.post(self.form(), b"x" * (MOST + 1)), (400, "EntityTooLarge"))
        self.assertEqual(self.post(self.form(), b""), (400, "EntityTooSmall"))
        for name, value in (("key", "uploads/2026/11/b.jpg"), ("Content-Type", "text/html")):
            self.assertEqual(self.post(self.form() | {name: value}), (403, "AccessDenied"), name)
        self.assertEqual(self.post(self.form() | {"acl": "public-read"}), (403, "AccessDenied"))
        self.assertEqual(self.post(self.form(valid=0)), (403, "AccessDenied"))

    def test_a_changed_policy_and_a_form_without_one_are_refused(self) -> None:
        fields = self.form()
        policy = json.loads(base64.b64decode(fields["policy"]))
        policy["conditions"] = [one for one in policy["conditions"] if "content-length-range" not in one]
        changed = base64.b64encode(json.dumps(policy).encode()).decode()
        self.assertEqual(self.post(fields | {"policy": changed}), (403, "SignatureDoesNotMatch"))
        self.assertEqual(self.post({"key": KEY})[0], 403)

    def test_fields_behind_the_file_are_ignored(self) -> None:
        fields = self.form()
        last = fields.pop("policy")
        self.assertEqual(self.post(fields, behind={"policy": last})[0], 400)

    def test_the_fields_before_the_file_are_bounded(self) -> None:
        refused = self.post(self.form() | {"x-ignore-this": "x" * 20_000})
        self.assertEqual(refused, (400, "MaxPostPreDataLengthExceededError"))


if __name__ == "__main__":
    unittest.main()
