"""Tables and buckets that the file of outages names fail, and no others."""

import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from server import REGION, Server


class Outages(unittest.TestCase):
    def setUp(self) -> None:
        self.home = tempfile.TemporaryDirectory()
        self.server = Server(Path(self.home.name))
        self.server.start()
        self.file = Path(self.home.name) / "outages"
        self.table, self.s3 = self.client("dynamodb"), self.client("s3")
        for name in ("outed", "well"):
            self.s3.create_bucket(Bucket=name)
            self.table.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            )

    def tearDown(self) -> None:
        self.server.stop()
        self.home.cleanup()

    def client(self, name: str) -> Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}
        patience = Config(retries={"total_max_attempts": 1}, read_timeout=1, s3={"addressing_style": "path"})
        return boto3.client(name, endpoint_url=self.server.address, config=patience, **keys)

    def read(self, name: str) -> None:
        self.table.get_item(TableName=name, Key={"pk": {"S": "a"}})

    def list(self, name: str) -> None:
        self.s3.list_objects_v2(Bucket=name)

    def test_what_the_file_names_fails_and_nothing_else(self) -> None:
        for way, codes in (
            ("throttled", ("ThrottlingException", "SlowDown")),
            ("broken", ("InternalServerError", "InternalError")),
        ):
            self.file.write_text(f"outed {way}\n")
            for call, code in zip((self.read, self.list), codes, strict=True):
                with self.assertRaises(ClientError) as caught:
                    call("outed")
                self.assertEqual(caught.exception.response["Error"]["Code"], code)
                call("well")
        self.file.write_text("outed silent\n")
        for call in (self.read, self.list):
            with self.assertRaises(ReadTimeoutError):
                call("outed")
            call("well")
        self.file.unlink()
        self.read("outed")
        self.list("outed")


if __name__ == "__main__":
    unittest.main()
