"""The laptop's server refuses what AWS refuses: with the refusals of strict.py, and those of MiniStack itself."""

import base64
import functools
import hashlib
import io
import json
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from server import REGION, Server

ORIGIN = "https://app.example.com"
ROLE = "arn:aws:iam::000000000000:role/test"
# Answers an HTTP request with its method. Sends the number in a message, plus one, to its own queue until it is 24.
CODE = """
import boto3, json, os

def handle(event, context):
    if "Records" not in event:
        return {"statusCode": 204, "headers": {"x-method": event["requestContext"]["http"]["method"],
                                               "access-control-allow-origin": "https://evil.example"}}
    number = int(event["Records"][0]["body"])
    client = lambda name: boto3.client(name, endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    client("dynamodb").update_item(TableName="invocations", Key={"pk": {"S": os.environ["QUEUE_URL"]}},
        UpdateExpression="ADD invocations :one", ExpressionAttributeValues={":one": {"N": "1"}})
    if number < 24:
        client("sqs").send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=str(number + 1))
"""


class Strictness(unittest.TestCase):
    server: Server
    home: tempfile.TemporaryDirectory

    @classmethod
    def setUpClass(cls) -> None:
        cls.home = tempfile.TemporaryDirectory()
        cls.server = Server(Path(cls.home.name))
        cls.server.start()
        cls.client("iam").create_role(RoleName="test", AssumeRolePolicyDocument="{}")
        everything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        cls.client("iam").put_role_policy(RoleName="test", PolicyName="all", PolicyDocument=json.dumps(everything))

    @classmethod
    def tearDownClass(cls) -> None:
        cls.server.stop()
        cls.home.cleanup()

    @classmethod
    def client(cls, name: str) -> Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}
        return boto3.client(name, endpoint_url=cls.server.address, **keys)

    def refused(self, code: str, call: Any, **arguments: Any) -> str:
        """Expects a call to be refused with a code. Returns the message."""
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], code)
        return caught.exception.response["Error"]["Message"]

    def function(self, name: str, environment: dict[str, str] | None = None) -> str:
        """Creates a function. Returns its ARN."""
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("code.py", CODE)
        made = self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.11",
            Handler="code.handle",
            Role=ROLE,
            Timeout=20,
            Code={"ZipFile": package.getvalue()},
            Environment={"Variables": environment or {}},
        )
        return made["FunctionArn"]

    def stack(self, name: str, resources: dict[str, Any], **more: Any) -> str:
        """Tries to create a stack. Returns its status and the reasons of failures."""
        body = json.dumps({"Resources": resources} | more)
        self.client("cloudformation").create_stack(StackName=name, TemplateBody=body)
        return self.outcome(name)

    def outcome(self, name: str) -> str:
        """Waits until a stack is no longer in progress. Returns its status and the reasons of failures."""
        formation, status = self.client("cloudformation"), ""
        for _ in range(100):
            status = formation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
            if not status.endswith("IN_PROGRESS"):
                break
            time.sleep(0.1)
        events = formation.describe_stack_events(StackName=name)["StackEvents"]
        reasons = [event.get("ResourceStatusReason", "") for event in events if "FAILED" in event["ResourceStatus"]]
        return " ".join([status, *reasons])

    def test_a_queue_policy_that_names_another_queue_is_refused(self) -> None:
        def policy(queues: list[str]) -> dict[str, Any]:
            resources = [{"Fn::GetAtt": [queue, "Arn"]} for queue in queues]
            allow = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
            document = {"Statement": [allow | {"Resource": resources}]}
            properties = {"Queues": [{"Ref": queue} for queue in queues], "PolicyDocument": document}
            return {"Type": "AWS::SQS::QueuePolicy", "Properties": properties}

        queues = {name: {"Type": "AWS::SQS::Queue", "Properties": {}} for name in ("Work", "Dead")}
        outcome = self.stack("together", queues | {"Policy": policy(["Work", "Dead"])})
        self.assertIn("Invalid value for the parameter Policy", outcome)
        self.assertNotIn("CREATE_COMPLETE", outcome.split()[0])
        outcome = self.stack("apart", queues | {"One": policy(["Work"]), "Two": policy(["Dead"])})
        self.assertEqual(outcome.strip(), "CREATE_COMPLETE")
        url = self.client("sqs").create_queue(QueueName="mine")["QueueUrl"]
        arns = ["arn:aws:sqs:us-east-1:000000000000:mine", "arn:aws:sqs:us-east-1:000000000000:other"]
        statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arns}
        attributes = {"Policy": json.dumps({"Statement": [statement]})}
        message = self.refused(
            "InvalidAttributeValue", self.client("sqs").set_queue_attributes, QueueUrl=url, Attributes=attributes
        )
        self.assertEqual(message, "Invalid value for the parameter Policy.")

    def test_preflights_reach_the_functions_of_catch_all_routes_only(self) -> None:
        arn, gateway = self.function("answers"), self.client("apigatewayv2")
        cors = {"AllowOrigins": [ORIGIN], "AllowMethods": ["PUT"], "AllowHeaders": ["authorization"], "MaxAge": 60}
        api = gateway.create_api(Name="preflights", ProtocolType="HTTP", CorsConfiguration=cors)["ApiId"]
        target = gateway.create_integration(
            ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0"
        )["IntegrationId"]
        gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
        self.client("lambda").add_permission(
            FunctionName="answers",
            StatementId="api",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
        )

        def preflight(path: str) -> tuple[int, Any]:
            request = urllib.request.Request(
                f"{self.server.address}/_aws/execute-api/{api}/%24default{path}",
                method="OPTIONS",
                headers={"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"},
            )
            try:
                with urllib.request.urlopen(request) as answer:
                    return answer.status, answer.headers
            except urllib.error.HTTPError as error:
                return error.code, error.headers

        gateway.create_route(ApiId=api, RouteKey="PUT /plain", Target=f"integrations/{target}")
        status, headers = preflight("/plain")
        self.assertEqual((status, headers["x-method"], headers["access-control-max-age"]), (204, None, "60"))
        gateway.create_route(ApiId=api, RouteKey="ANY /any/{rest+}", Target=f"integrations/{target}")
        for path in ("/any/thing", "/plain"):
            # The second time there is a `$default` route, which also matches OPTIONS of the plain route.
            status, headers = preflight(path)
            self.assertEqual((status, headers["x-method"]), (204, "OPTIONS"), path)
            self.assertEqual(headers["access-control-allow-origin"], ORIGIN)
            self.assertEqual(headers["access-control-allow-methods"], "PUT")
            if path == "/any/thing":
                gateway.create_route(ApiId=api, RouteKey="$default", Target=f"integrations/{target}")

    def test_the_17th_invocation_of_a_chain_is_dropped_unless_loops_are_allowed(self) -> None:
        functions, queues = self.client("lambda"), self.client("sqs")
        key = {"AttributeName": "pk", "KeyType": "HASH"}
        self.client("dynamodb").create_table(
            TableName="invocations",
            KeySchema=[key],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        for name, setting, expected in (("loop", "Terminate", 16), ("allowed", "Allow", 24)):
            dead = queues.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
            redrive = {"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:000000000000:{name}-dead", "maxReceiveCount": 3}
            attributes = {"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": "120"}
            url = queues.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
            self.function(name, {"QUEUE_URL": url})
            functions.put_function_recursion_config(FunctionName=name, RecursiveLoop=setting)
            arn = f"arn:aws:sqs:{REGION}:000000000000:{name}"
            functions.create_event_source_mapping(FunctionName=name, EventSourceArn=arn, BatchSize=1)
            queues.send_message(QueueUrl=url, MessageBody="1")
            counted = self.invocations(url)
            self.assertEqual(counted, expected, name)
            left = queues.receive_message(QueueUrl=dead, MaxNumberOfMessages=10).get("Messages", [])
            self.assertEqual([message["Body"] for message in left], ["17"] if expected == 16 else [])

    def invocations(self, url: str) -> int:
        """Waits until the number of invocations for a queue no longer changes. Returns it."""
        before, same = -1, 0
        for _ in range(300):
            item = self.client("dynamodb").get_item(TableName="invocations", Key={"pk": {"S": url}}).get("Item", {})
            now = int(item.get("invocations", {"N": "0"})["N"])
            same = same + 1 if now == before and now else 0
            if same > 15:
                break
            before = now
            time.sleep(0.1)
        return before

    def test_environment_variables_above_4_kb_are_refused(self) -> None:
        def outcome(name: str, size: int) -> str:
            properties = {
                "FunctionName": name,
                "Runtime": "python3.11",
                "Handler": "code.handle",
                "Role": ROLE,
                "Code": {"ZipFile": CODE},
                "Environment": {"Variables": {"X": "x" * (size - 1)}},
            }
            return self.stack(name, {"F": {"Type": "AWS::Lambda::Function", "Properties": properties}})

        self.assertEqual(outcome("fits", 4096).strip(), "CREATE_COMPLETE")
        self.assertIn("exceeded the 4KB limit. String measured: 4097", outcome("large", 4097))

    def test_dynamodb_limits_are_enforced(self) -> None:
        table = self.client("dynamodb")
        attributes = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "other")]
        table.create_table(
            TableName="limits",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=attributes,
            BillingMode="PAY_PER_REQUEST",
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-other",
                    "KeySchema": [{"AttributeName": "other", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        )
        key = {"pk": {"S": "a"}, "sk": {"S": "b"}}
        query = {
            "TableName": "limits",
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": "a"}},
        }
        table.query(**query, ExclusiveStartKey=key)
        for wrong in (
            {"pk": key["pk"]},
            key | {"more": {"S": "c"}},
            key | {"other": {"S": "c"}},
            key | {"sk": {"N": "1"}},
        ):
            message = self.refused("ValidationException", table.query, **query, ExclusiveStartKey=wrong)
            self.assertIn("starting key is invalid", message)
            self.refused("ValidationException", table.scan, TableName="limits", ExclusiveStartKey=wrong)
        by_other = query | {"IndexName": "by-other", "KeyConditionExpression": "other = :pk"}
        table.query(**by_other, ExclusiveStartKey=key | {"other": {"S": "a"}})
        self.refused("ValidationException", table.query, **by_other, ExclusiveStartKey=key)
        item = {"TableName": "limits", "Item": key | {"body": {"S": "x" * (400 * 1024)}}}
        self.refused("ValidationException", table.put_item, **item)
        self.refused("ValidationException", table.put_item, TableName="limits", Item=key | {"pk": {"S": "x" * 2049}})
        self.refused("ValidationException", table.put_item, TableName="limits", Item=key | {"sk": {"S": "x" * 1025}})

        def puts(count: int, size: int = 1) -> list[dict[str, Any]]:
            items = [{"pk": {"S": str(at)}, "sk": {"S": "b"}, "body": {"S": "x" * size}} for at in range(count)]
            return [{"Put": {"TableName": "limits", "Item": item}} for item in items]

        table.transact_write_items(TransactItems=puts(100))
        self.refused("ValidationException", table.transact_write_items, TransactItems=puts(101))
        self.refused("ValidationException", table.transact_write_items, TransactItems=puts(1) * 2)
        self.refused("ValidationException", table.transact_write_items, TransactItems=puts(11, 390 * 1024))

    def test_a_rollback_cannot_delete_a_protected_table(self) -> None:
        def created(name: str, protected: bool) -> str:
            table = {
                "Type": "AWS::DynamoDB::Table",
                "DeletionPolicy": "RetainExceptOnCreate",
                "Properties": {
                    "TableName": name,
                    "DeletionProtectionEnabled": protected,
                    "BillingMode": "PAY_PER_REQUEST",
                    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                },
            }
            large = {"Variables": {"X": "x" * 5000}}
            function = {"FunctionName": name, "Role": ROLE, "Code": {"ZipFile": CODE}, "Environment": large}
            function |= {"Runtime": "python3.11", "Handler": "code.handle"}
            broken = {"Type": "AWS::Lambda::Function", "DependsOn": "T", "Properties": function}
            return self.stack(name, {"T": table, "F": broken}).split()[0]

        self.assertEqual(created("protected", protected=True), "ROLLBACK_FAILED")
        self.assertEqual(created("unprotected", protected=False), "ROLLBACK_COMPLETE")
        left = [name for name in self.client("dynamodb").list_tables()["TableNames"] if "protected" in name]
        self.assertEqual(left, ["protected"])

    def test_an_exported_value_in_use_cannot_change(self) -> None:
        queue = {"Type": "AWS::SQS::Queue"}

        def exporting(value: str) -> dict[str, Any]:
            return {"Outputs": {"Shared": {"Value": value, "Export": {"Name": "shared-value"}}}}

        self.assertEqual(self.stack("exporter", {"Q": queue}, **exporting("one")).strip(), "CREATE_COMPLETE")
        imported = queue | {"Properties": {"QueueName": {"Fn::ImportValue": "shared-value"}}}
        self.assertEqual(self.stack("importer", {"Q": imported}).strip(), "CREATE_COMPLETE")
        body = json.dumps({"Resources": {"Q": queue}} | exporting("two"))
        self.client("cloudformation").update_stack(StackName="exporter", TemplateBody=body)
        outcome = self.outcome("exporter")
        self.assertIn("UPDATE_ROLLBACK_COMPLETE", outcome)
        self.assertIn("Export shared-value cannot be updated as it is in use by importer", outcome)

    def test_message_and_event_limits_are_enforced(self) -> None:
        queues, events = self.client("sqs"), self.client("events")
        url = queues.create_queue(QueueName="messages")["QueueUrl"]
        self.refused("InvalidParameterValue", queues.send_message, QueueUrl=url, MessageBody="x" * (1024 * 1024 + 1))
        entry = {"Source": "s", "DetailType": "t", "Detail": "{}"}
        answer = events.put_events(Entries=[entry, entry | {"Detail": "[]"}, entry | {"Detail": "{"}, entry])
        codes = [one.get("ErrorCode") for one in answer["Entries"]]
        self.assertEqual((answer["FailedEntryCount"], codes), (2, [None, "MalformedDetail", "MalformedDetail", None]))
        large = entry | {"Detail": json.dumps({"x": "x" * (600 * 1024)})}
        events.put_events(Entries=[large])
        self.refused("ValidationException", events.put_events, Entries=[large, large])

    def test_parts_have_the_checksums_of_their_upload(self) -> None:
        s3 = self.parts_client()
        part = {"Bucket": "parts", "Key": "a", "PartNumber": 1, "Body": b"x"}
        checked = {"ChecksumSHA256": base64.b64encode(hashlib.sha256(b"x").digest()).decode()}
        plain = s3.create_multipart_upload(Bucket="parts", Key="a")["UploadId"]
        message = self.refused("InvalidRequest", s3.upload_part, **part, UploadId=plain, **checked)
        self.assertIn("expected checksum Type: null, actual checksum Type: sha256", message)
        tag = s3.upload_part(**part, UploadId=plain)["ETag"]
        hashed = s3.create_multipart_upload(Bucket="parts", Key="a", ChecksumAlgorithm="SHA256")["UploadId"]
        message = self.refused("InvalidRequest", s3.upload_part, **part, UploadId=hashed)
        self.assertIn("expected checksum Type: sha256, actual checksum Type: null", message)
        s3.upload_part(**part, UploadId=hashed, **checked)
        complete = functools.partial(s3.complete_multipart_upload, Bucket="parts", Key="a")
        bare = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
        self.refused("InvalidRequest", complete, UploadId=hashed, MultipartUpload=bare)
        complete(UploadId=hashed, MultipartUpload={"Parts": [bare["Parts"][0] | checked]})

    def test_completions_list_large_parts_in_order_and_succeed_once(self) -> None:
        s3 = self.parts_client()
        upload = s3.create_multipart_upload(Bucket="parts", Key="b")["UploadId"]

        def put(number: int, size: int) -> dict[str, Any]:
            body = b"x" * size
            answer = s3.upload_part(Bucket="parts", Key="b", PartNumber=number, UploadId=upload, Body=body)
            return {"PartNumber": number, "ETag": answer["ETag"]}

        complete = functools.partial(s3.complete_multipart_upload, Bucket="parts", Key="b", UploadId=upload)
        first, last = put(1, 5 * 1024 * 1024 - 1), put(2, 1)
        self.refused("EntityTooSmall", complete, MultipartUpload={"Parts": [first, last]})
        first = put(1, 5 * 1024 * 1024)
        self.refused("InvalidPartOrder", complete, MultipartUpload={"Parts": [last, first]})
        self.refused("MalformedXML", complete, MultipartUpload={"Parts": []})
        complete(MultipartUpload={"Parts": [first, last]})
        self.refused("NoSuchUpload", complete, MultipartUpload={"Parts": [first, last]})

    def parts_client(self) -> Any:
        """Returns a client that sends no checksum by itself, and creates the bucket `parts`."""
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}
        config = Config(request_checksum_calculation="when_required", s3={"addressing_style": "path"})
        s3 = boto3.client("s3", endpoint_url=self.server.address, config=config, **keys)
        s3.create_bucket(Bucket="parts")
        return s3

    def test_a_generated_secret_keeps_its_value_while_its_words_stay(self) -> None:
        def secret(length: int, description: str) -> dict[str, Any]:
            wish = {"PasswordLength": length, "ExcludePunctuation": True}
            properties = {"Description": description, "GenerateSecretString": wish}
            return {"S": {"Type": "AWS::SecretsManager::Secret", "Properties": properties}}

        def value() -> str:
            found = self.client("cloudformation").describe_stack_resource(StackName="secrets", LogicalResourceId="S")
            arn = found["StackResourceDetail"]["PhysicalResourceId"]
            return self.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]

        self.stack("secrets", secret(64, "one"))
        before = value()
        self.assertTrue(before.isalnum() and len(before) == 64, before)
        for length, same in ((64, True), (48, False)):
            body = json.dumps({"Resources": secret(length, "two")})
            self.client("cloudformation").update_stack(StackName="secrets", TemplateBody=body)
            self.outcome("secrets")
            self.assertEqual(value() == before, same, length)

    def test_an_import_needs_a_deletion_policy_and_has_no_outputs(self) -> None:
        self.client("s3").create_bucket(Bucket="adopted")
        adopted = {"ResourceType": "AWS::S3::Bucket", "LogicalResourceId": "B"}
        sets = {"StackName": "imported", "ChangeSetName": "adopt", "ChangeSetType": "IMPORT"}
        sets["ResourcesToImport"] = [adopted | {"ResourceIdentifier": {"BucketName": "adopted"}}]
        for policy, more in (({}, {}), ({"DeletionPolicy": "Retain"}, {"Outputs": {"O": {"Value": "x"}}})):
            body = json.dumps({"Resources": {"B": {"Type": "AWS::S3::Bucket"} | policy}} | more)
            self.refused("ValidationError", self.client("cloudformation").create_change_set, TemplateBody=body, **sets)

    def test_parameters_that_break_a_pattern_or_rule_are_refused(self) -> None:
        parameter = {"Type": "String", "AllowedPattern": "[a-z]+"}
        rule = {"Assertions": [{"Assert": {"Fn::Not": [{"Fn::Equals": [{"Ref": "X"}, "placeholder"]}]}}]}
        body = {
            "Parameters": {"X": parameter},
            "Rules": {"R": rule},
            "Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {}}},
        }
        formation = self.client("cloudformation")
        for wrong in ("", "UPPER", "placeholder"):
            self.refused(
                "ValidationError",
                formation.create_stack,
                StackName="parameters",
                TemplateBody=json.dumps(body),
                Parameters=[{"ParameterKey": "X", "ParameterValue": wrong}],
            )


if __name__ == "__main__":
    unittest.main()
