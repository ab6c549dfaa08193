"""The laptop's S3 replicates as AWS does, and refuses the replications that AWS refuses."""

import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import boto3
from botocore.exceptions import ClientError

from server import REGION, Server

RULE = {
    "ID": "files",
    "Status": "Enabled",
    "Priority": 1,
    "Filter": {"Prefix": "user_"},
    "DeleteMarkerReplication": {"Status": "Disabled"},
}


class Replication(unittest.TestCase):
    server: Server
    home: tempfile.TemporaryDirectory
    s3: Any

    @classmethod
    def setUpClass(cls) -> None:
        cls.home = tempfile.TemporaryDirectory()
        cls.server = Server(Path(cls.home.name))
        cls.server.start()
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}
        cls.s3 = boto3.client("s3", endpoint_url=cls.server.address, **keys)
        for bucket in ("source", "replica", "plain"):
            cls.s3.create_bucket(Bucket=bucket)
        for bucket in ("source", "replica"):
            cls.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    @classmethod
    def tearDownClass(cls) -> None:
        cls.server.stop()
        cls.home.cleanup()

    def replicate(self, destination: str = "replica", source: str = "source", without: str = "") -> None:
        rule = {name: value for name, value in RULE.items() if name != without}
        rule["Destination"] = {"Bucket": f"arn:aws:s3:::{destination}", "Metrics": {"Status": "Enabled"}}
        configuration = {"Role": "arn:aws:iam::000000000000:role/replication", "Rules": [rule]}
        self.s3.put_bucket_replication(Bucket=source, ReplicationConfiguration=configuration)

    def versions(self, bucket: str, key: str) -> list[str]:
        found = self.s3.list_object_versions(Bucket=bucket, Prefix=key).get("Versions", [])
        return [version["VersionId"] for version in found]

    def test_replications_that_s3_refuses_are_refused(self) -> None:
        for code, words, wrong in (
            ("InvalidRequest", "Destination bucket must exist", {"destination": "nowhere"}),
            ("InvalidRequest", "Destination bucket must have versioning", {"destination": "plain"}),
            ("InvalidRequest", "cannot be the same", {"destination": "source"}),
            ("InvalidRequest", "Versioning must be 'Enabled'", {"source": "plain"}),
            ("MalformedXML", "", {"without": "Priority"}),
            ("MalformedXML", "", {"without": "DeleteMarkerReplication"}),
        ):
            with self.assertRaises(ClientError) as caught:
                self.replicate(**wrong)
            error = caught.exception.response["Error"]
            self.assertEqual(error["Code"], code, wrong)
            self.assertIn(words, error["Message"])

    def test_a_replica_has_the_version_of_its_original_and_outlives_it(self) -> None:
        self.replicate()
        version = self.s3.put_object(Bucket="source", Key="user_a/1", Body=b"a")["VersionId"]
        self.s3.put_object(Bucket="source", Key="derived/user_a/1", Body=b"a")
        self.assertEqual(self.versions("replica", "user_a/1"), [version])
        self.assertEqual(self.versions("replica", "derived/"), [])
        copy = self.s3.get_object(Bucket="replica", Key="user_a/1", VersionId=version)
        self.assertEqual((copy["Body"].read(), copy["ReplicationStatus"]), (b"a", "REPLICA"))

        self.s3.delete_object(Bucket="source", Key="user_a/1", VersionId=version)
        self.assertEqual((self.versions("source", "user_a/1"), self.versions("replica", "user_a/1")), ([], [version]))
        self.s3.delete_object(Bucket="replica", Key="user_a/1", VersionId=version)
        self.assertEqual(self.versions("replica", "user_a/1"), [])


if __name__ == "__main__":
    unittest.main()
