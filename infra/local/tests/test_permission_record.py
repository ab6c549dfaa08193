"""The laptop's server records what functions' roles are used for, and checks the partition keys that they may name."""

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
from botocore.exceptions import ClientError

from server import REGION, Server

TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/things"
STATEMENTS = [
    {
        "Effect": "Allow",
        "Action": [f"dynamodb:{name}" for name in ("GetItem", "PutItem", "Query", "BatchGetItem", "BatchWriteItem")],
        "Resource": TABLE,
        "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["USER#*"]}},
    },
    {"Effect": "Allow", "Action": "s3:PutObject", "Resource": ["arn:aws:s3:::files/a/*", "arn:aws:s3:::files/user_*"]},
]


class PermissionRecord(unittest.TestCase):
    server: Server
    home: tempfile.TemporaryDirectory
    role: dict[str, Any]

    @classmethod
    def setUpClass(cls) -> None:
        cls.home = tempfile.TemporaryDirectory()
        cls.server = Server(Path(cls.home.name))
        cls.server.start()
        owner = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        iam = cls.client("iam", owner)
        trust = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
        iam.create_role(RoleName="S-ThingsFunctionRole-1", AssumeRolePolicyDocument=json.dumps(trust))
        document = json.dumps({"Statement": STATEMENTS})
        iam.put_role_policy(
            RoleName="S-ThingsFunctionRole-1", PolicyName="ThingsFunctionRolePolicy0", PolicyDocument=document
        )
        cls.client("s3", owner).create_bucket(Bucket="files")
        cls.client("dynamodb", owner).create_table(
            TableName="things",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        taken = cls.client("sts", owner).assume_role(
            RoleArn="arn:aws:iam::000000000000:role/S-ThingsFunctionRole-1", RoleSessionName="things"
        )["Credentials"]
        cls.role = {
            "aws_access_key_id": taken["AccessKeyId"],
            "aws_secret_access_key": taken["SecretAccessKey"],
            "aws_session_token": taken["SessionToken"],
        }

    @classmethod
    def tearDownClass(cls) -> None:
        cls.server.stop()
        cls.home.cleanup()

    @classmethod
    def client(cls, name: str, keys: dict[str, str]) -> Any:
        return boto3.client(name, endpoint_url=cls.server.address, region_name=REGION, **keys)

    def lines(self) -> list[tuple]:
        """Returns the record: action, statement, resource and keys of each line."""
        path = self.server.permissions / "used.jsonl"
        entries = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [(one["action"], one["statement"], one["resource"], *one["keys"]) for one in entries]

    def refused(self, call: Any, **arguments: Any) -> None:
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], "AccessDeniedException")

    def test_partition_keys_outside_of_the_condition_are_refused(self) -> None:
        things = self.client("dynamodb", self.role)
        mine, other = ({"pk": {"S": pk}, "sk": {"S": "x"}} for pk in ("USER#ann", "ORG#1"))
        things.put_item(TableName="things", Item=mine)
        self.refused(things.put_item, TableName="things", Item=other)
        self.refused(things.get_item, TableName="things", Key=other)
        self.refused(things.batch_get_item, RequestItems={"things": {"Keys": [mine, other]}})
        puts = [{"PutRequest": {"Item": mine}}, {"DeleteRequest": {"Key": other}}]
        things.batch_write_item(RequestItems={"things": puts[:1]})
        self.refused(things.batch_write_item, RequestItems={"things": puts})
        writes = [{"Put": {"TableName": "things", "Item": item}} for item in (mine, other)]
        things.transact_write_items(TransactItems=writes[:1])
        self.refused(things.transact_write_items, TransactItems=writes)
        query = {
            "TableName": "things",
            "ExpressionAttributeNames": {"#pk": "pk"},
            "KeyConditionExpression": "#pk = :pk",
        }
        things.query(**query, ExpressionAttributeValues={":pk": {"S": "USER#ann"}})
        self.refused(things.query, **query, ExpressionAttributeValues={":pk": {"S": "ORG#1"}})
        found = self.lines()
        self.assertIn(("dynamodb:PutItem", 0, 0, "USER#"), found)
        self.assertIn(("dynamodb:Query", 0, 0, "USER#"), found)
        things.get_item(TableName="things", Key={"pk": {"S": "USER#order_7"}, "sk": {"S": "x"}})
        self.assertIn(("dynamodb:GetItem", 0, 0, "USER#order_"), self.lines())
        self.assertIn(("dynamodb:GetItem", None, None, "ORG#"), found)

    def test_each_kind_of_request_is_written_once_and_an_emptied_record_begins_anew(self) -> None:
        files = self.client("s3", self.role)
        wanted = [("s3:PutObject", 1, 1, "user_"), ("s3:PutObject", 1, 0, "a/")]
        for _ in range(2):
            for name in ("user_ann/images/1", "user_bob/images/2", "a/3"):
                files.put_object(Bucket="files", Key=name, Body=b"")
            self.assertEqual([line for line in self.lines() if line[0] == "s3:PutObject"], wanted)
            (self.server.permissions / "used.jsonl").unlink()

    def test_a_signed_url_with_another_method_is_no_request_of_its_signer(self) -> None:
        signing = Config(signature_version="s3v4", s3={"addressing_style": "path"})
        files = boto3.client("s3", endpoint_url=self.server.address, region_name=REGION, config=signing, **self.role)
        url = files.generate_presigned_url("put_object", Params={"Bucket": "files", "Key": "a/4"})
        with urllib.request.urlopen(urllib.request.Request(url, method="PUT", data=b"")) as answer:
            self.assertEqual(answer.status, 200)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(url, method="DELETE"))
        self.assertEqual(refused.exception.code, 403)
        refused.exception.close()
        found = {line[0] for line in self.lines()}
        (self.server.permissions / "used.jsonl").unlink()
        self.assertIn("s3:PutObject", found)
        self.assertNotIn("s3:DeleteObject", found)


if __name__ == "__main__":
    unittest.main()
