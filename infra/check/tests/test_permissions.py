"""`make permissions` accepts roles that allow exactly what was used, and names each difference."""

import copy
import os
import subprocess
import sys
import unittest
from pathlib import Path

INFRA = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(INFRA / folder) for folder in ("check", "local")]

import yaml

import permissions
import templates

TABLE, BUCKET = {"Fn::GetAtt": ["Table", "Arn"]}, {"Fn::Sub": "${Bucket.Arn}/user_*"}
QUEUE = {"Fn::GetAtt": ["MailQueue", "Arn"]}
USERS = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["USER#*"]}}
REASONS = {
    "actions": [{"action": "sqs:ReceiveMessage", "resource": r"\w+Queue\.Arn", "reason": "Lambda reads the queue."}],
    "policies": [{"name": "Basic", "reason": "Lambda writes the log."}],
}


def core() -> dict:
    """Returns an expanded template with one function."""
    statements = [
        {"Effect": "Allow", "Action": ["dynamodb:GetItem"], "Resource": TABLE, "Condition": USERS},
        {"Effect": "Allow", "Action": "s3:GetObjectVersion", "Resource": BUCKET},
        {"Effect": "Allow", "Action": ["sqs:ReceiveMessage", "sqs:SendMessage"], "Resource": QUEUE},
    ]
    role = {
        "ManagedPolicyArns": ["arn:aws:iam::aws:policy/Basic"],
        "Policies": [{"PolicyName": "SendMailFunctionRolePolicy0", "PolicyDocument": {"Statement": statements}}],
    }
    return {
        "Resources": {
            "SendMailFunction": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"Role": {"Fn::GetAtt": ["SendMailFunctionRole", "Arn"]}},
            },
            "SendMailFunctionRole": {"Type": "AWS::IAM::Role", "Properties": role},
        }
    }


def used(statement: int | None, action: str, *keys: str) -> dict:
    """Returns a line of the record."""
    place = (None, None, None) if statement is None else ("SendMailFunctionRolePolicy0", statement, 0)
    where = dict(zip(("policy", "statement", "resource"), place, strict=True))
    return {"role": "consigne-SendMailFunctionRole-1A", **where, "action": action, "keys": list(keys)}


LINES = [
    used(0, "dynamodb:GetItem", "USER#"),
    used(1, "s3:GetObjectVersion", "user_"),
    used(2, "sqs:SendMessageBatch"),
]


def statement(template: dict, number: int) -> dict:
    """Returns a statement of the function's role."""
    [policy] = template["Resources"]["SendMailFunctionRole"]["Properties"]["Policies"]
    return policy["PolicyDocument"]["Statement"][number]


class Permissions(unittest.TestCase):
    def found(self, template: dict, lines: list[dict], reasons: dict) -> list[str]:
        return list(permissions.problems(template, permissions.read(template), lines, reasons))

    def finds(self, words: str, lines: list[dict] = LINES, reasons: dict = REASONS, **changes: dict) -> None:
        """Expects a problem with these words after a change of a statement, `s0` to `s2`."""
        template = core()
        for name, change in changes.items():
            statement(template, int(name[1:])).update(change)
        found = self.found(template, lines, reasons)
        self.assertTrue(any(words in problem for problem in found), found)

    def test_roles_that_allow_what_was_used_have_no_problem(self) -> None:
        self.assertEqual(self.found(core(), LINES, REASONS), [])

    def test_an_action_that_was_never_used_is_named_with_its_function(self) -> None:
        self.finds("send-mail: s3:GetObjectVersion on Bucket.Arn/user_*: granted and never used", LINES[:1] + LINES[2:])

    def test_stars_are_found(self) -> None:
        self.finds("send-mail: sqs:* on MailQueue.Arn: name each action", s2={"Action": "sqs:*"})
        self.finds("send-mail: s3:GetObjectVersion on *: name the resource", s1={"Resource": "*"})

    def test_what_was_refused_is_found(self) -> None:
        refused = used(None, "dynamodb:PutItem", "ORG#")
        self.finds("send-mail: dynamodb:PutItem on ORG# was refused", [*LINES, refused])

    def test_a_record_of_other_roles_is_found(self) -> None:
        self.finds("dynamodb:Query was used by another version", [*LINES, used(0, "dynamodb:Query", "USER#")])

    def test_resources_that_are_wider_than_what_was_used_are_found(self) -> None:
        self.finds("is wider than what was used, user_*", s1={"Resource": {"Fn::Sub": "${Bucket.Arn}/*"}})
        lists = [*LINES[:1], used(1, "s3:ListBucketVersions", "user_"), LINES[2]]
        bucket = {"Action": "s3:ListBucketVersions", "Resource": {"Fn::GetAtt": ["Bucket", "Arn"]}}
        self.finds("lists every object, and only user_* was used", lists, s1=bucket)
        template, everything = core(), used(1, "s3:ListBucketVersions", "")
        statement(template, 1).update(bucket)
        self.assertEqual(self.found(template, [*lists, everything], REASONS), [])

    def test_items_that_were_never_used_are_found(self) -> None:
        both = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["USER#*", "ORG#*"]}}
        self.finds("send-mail: dynamodb:GetItem on Table.Arn: ORG#* in its condition", s0={"Condition": both})
        orders = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["USER#order_*"]}}
        self.finds("USER#order_* in its condition", s0={"Condition": orders})
        of_user, of_order = (used(0, "dynamodb:GetItem", f"USER#{kind}_") for kind in ("user", "order"))
        template = core()
        statement(template, 0).update(Condition=orders)
        self.assertEqual(self.found(template, [of_order, *LINES[1:]], REASONS), [])
        self.finds("only USER# was used. Add Condition", [of_user, of_order, *LINES[1:]], s0={"Condition": {}})
        self.finds('only USER# was used. Add Condition: { "ForAllValues:StringLike"', s0={"Condition": {}})

    def test_the_table_shows_for_what_each_grant_was_used(self) -> None:
        roles = permissions.read(core())
        list(permissions.mark(roles, LINES))
        rows = list(permissions.table(roles))[2:]
        self.assertEqual(len(rows), 4)
        self.assertIn("| `send-mail` | `dynamodb:GetItem` | `Table.Arn` | `USER#` |", rows)
        self.assertIn("| `send-mail` | `sqs:SendMessage` | `MailQueue.Arn` | yes |", rows)
        self.assertIn("| `send-mail` | `sqs:ReceiveMessage` | `MailQueue.Arn` |  |", rows)

    def test_reasons_for_nothing_are_found(self) -> None:
        wrong = copy.deepcopy(REASONS)
        wrong["actions"].append({"action": "sqs:DeleteMessage", "resource": ".*", "reason": ""})
        wrong["policies"].append({"name": "Gone", "reason": ""})
        self.finds("has a reason for sqs:DeleteMessage, which is not granted", reasons=wrong)
        self.finds("Gone: has a reason, and the template does not have it", reasons=wrong)
        received = [*LINES, used(2, "sqs:ReceiveMessage")]
        self.finds("sqs:ReceiveMessage on MailQueue.Arn: has a reason although it is used", received)

    def test_only_grants_that_were_not_used_end_with_a_status_of_their_own(self) -> None:
        unused = self.found(core(), LINES[:1] + LINES[2:], REASONS)
        self.assertEqual((len(unused), permissions.status(unused)), (1, 3))
        refused = self.found(core(), [*LINES[:1], used(None, "dynamodb:PutItem", "ORG#"), *LINES[2:]], REASONS)
        self.assertEqual((len(refused), permissions.status(refused)), (2, 1))
        self.assertEqual(permissions.status([]), 0)

    def test_ci_accepts_no_other_status(self) -> None:
        asked = "make permissions UNUSED=1"
        for path in (".ci/run", ".github/workflows/ci.yml"):
            lines = [line for line in (INFRA.parent / path).read_text().splitlines() if "make permissions" in line]
            self.assertTrue(all(line.endswith(asked) for line in lines) and lines, lines)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        for status, passes in [(0, True), (1, False), (2, False), (3, True)]:
            # A shell takes the place of the comparison. What it needs is not installed anew.
            command = [*asked.split(), "--old-file=.venv/check", f"PYTHON=sh -c 'exit {status}' --"]
            ran = subprocess.run(command, check=False, cwd=INFRA.parent, env=environment, capture_output=True)
            self.assertEqual(ran.returncode == 0, passes, (status, ran.stderr))

    def test_policies_beside_the_roles_are_found(self) -> None:
        function, other = {"Ref": "SendMailFunctionRole"}, {"Ref": "Copier"}
        explained = {**REASONS, "policies": [*REASONS["policies"], {"name": "Copier", "reason": "S3 takes it."}]}
        for kind, properties, is_found in [
            ("AWS::IAM::Policy", {"Roles": [function]}, True),
            ("AWS::IAM::RolePolicy", {"RoleName": function}, True),
            ("AWS::IAM::Policy", {"Roles": [other, function]}, True),
            ("AWS::IAM::Policy", {"Roles": [other], "Users": ["somebody"]}, True),
            ("AWS::IAM::Policy", {"Roles": ["a-role-elsewhere"]}, True),
            ("AWS::IAM::ManagedPolicy", {"Roles": [other]}, True),
            # It belongs to a role that has a reason.
            ("AWS::IAM::Policy", {"Roles": [other]}, False),
        ]:
            template = core()
            template["Resources"]["Copier"] = {"Type": "AWS::IAM::Role", "Properties": {}}
            template["Resources"]["More"] = {"Type": kind, "Properties": properties}
            problem = "More: is not a function's own policy. Give the reason in infra/permissions.yaml."
            with self.subTest(kind=kind, properties=properties):
                self.assertEqual(self.found(template, LINES, explained), [problem] if is_found else [])

    def test_what_a_race_decides_may_be_used_or_not(self) -> None:
        racing = copy.deepcopy(REASONS)
        for entry in racing["actions"]:
            entry["sometimes"] = True
        for lines in (LINES, [*LINES, used(2, "sqs:ReceiveMessage")]):
            self.assertEqual(self.found(core(), lines, racing), [])
        self.finds("Basic: is not a function's own policy", reasons={**REASONS, "policies": []})

    def test_the_reasons_are_about_grants_that_exist(self) -> None:
        template = templates.core()
        reasons = yaml.safe_load(permissions.REASONS.read_text())
        roles = permissions.read(template)
        found = [problem for _, problem in permissions.excuses(roles, reasons) if problem]
        self.assertEqual(found + list(permissions.others(template, roles, reasons)), [])


if __name__ == "__main__":
    unittest.main()
