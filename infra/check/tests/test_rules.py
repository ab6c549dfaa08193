"""Each rule finds the fault it is there for: the templates as they are, with one thing changed."""

import copy
import sys
import unittest
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2] / "deploy")]

import importlib.util

import deployer
import rules
from house import House
from templates import ROOT

spec = importlib.util.spec_from_file_location("check_main", ROOT / "infra/check/__main__.py")
check_main = importlib.util.module_from_spec(spec)
spec.loader.exec_module(check_main)

HOUSE = check_main.house()


def changed(change: Callable[[House], object]) -> House:
    """Gives the house with one thing changed."""
    house = copy.deepcopy(HOUSE)
    change(house)
    return house


def properties(house: House, name: str) -> dict:
    """Gives the properties of a resource of either template."""
    return {**house.core["Resources"], **house.observe["Resources"]}[name]["Properties"]


def cors(house: House) -> dict:
    """Gives the API's CORS configuration."""
    body = properties(house, "Api")["Body"]
    return body["x-amazon-apigateway-cors"]["Fn::If"][1]


class Rules(unittest.TestCase):
    def finds(self, rule: Callable, words: str, change: Callable[[House], object]) -> None:
        """Expects a rule to be content with the house as it is, and to complain in these words after a change."""
        self.assertEqual(list(rule(HOUSE)), [])
        found = list(rule(changed(change)))
        self.assertTrue(any(words in problem for problem in found), found)

    def test_a_policy_for_two_queues(self) -> None:
        def both(house: House) -> None:
            policy = properties(house, "MailQueuePolicy")
            policy["Queues"].append({"Ref": "MailDeadLetters"})

        def foreign(house: House) -> None:
            [statement] = properties(house, "MailQueuePolicy")["PolicyDocument"]["Statement"]
            statement["Resource"] = [statement["Resource"], {"Fn::GetAtt": ["MailDeadLetters", "Arn"]}]

        self.finds(rules.queue_policies_name_their_own_queue, "MailQueuePolicy: one policy a queue", both)
        self.finds(rules.queue_policies_name_their_own_queue, "MailQueue, MailDeadLetters", foreign)

    def test_a_table_that_a_failed_try_leaves_behind(self) -> None:
        def retain(house: House) -> None:
            house.core["Resources"]["Table"]["DeletionPolicy"] = "Retain"

        def delete(house: House) -> None:
            house.core["Resources"]["Bucket"]["DeletionPolicy"] = "Delete"

        self.finds(rules.failed_creations_leave_nothing_behind, "Table: DeletionPolicy must be", retain)
        self.finds(rules.failed_creations_leave_nothing_behind, "Bucket: holds people's data", delete)

    def test_what_a_browser_may_not_send_or_see(self) -> None:
        rule = rules.browsers_may_call_every_route
        self.finds(rule, "does not allow PATCH", lambda house: cors(house)["allowMethods"].remove("PATCH"))
        self.finds(rule, "header idempotency-key", lambda house: cors(house)["allowHeaders"].remove("idempotency-key"))
        self.finds(
            rule, "header www-authenticate", lambda house: cors(house)["exposeHeaders"].remove("www-authenticate")
        )

    def test_loops(self) -> None:
        rule = rules.loops_are_allowed_where_they_are_meant
        self.finds(
            rule,
            "GenerateWorkerFunction: needs RecursiveLoop",
            lambda house: properties(house, "GenerateWorkerFunction").pop("RecursiveLoop"),
        )
        self.finds(
            rule,
            "SweepFunction: RecursiveLoop: Allow switches off",
            lambda house: properties(house, "SweepFunction").update(RecursiveLoop="Allow"),
        )

        def chain(house: House) -> None:
            # sweep sends to dispatch-webhook; were it to read what that sends elsewhere, the two would be a loop.
            source = copy.deepcopy(house.core["Resources"]["MailFeedbackSource"])
            source["Properties"] |= {
                "FunctionName": {"Ref": "SweepFunction"},
                "EventSourceArn": {"Fn::GetAtt": ["DeliveryDeadLetters", "Arn"]},
            }
            house.core["Resources"]["Chain"] = source

        self.finds(rule, "SweepFunction: needs RecursiveLoop", chain)

    def test_concurrency(self) -> None:
        rule = rules.queues_leave_concurrency_for_requests
        self.finds(
            rule,
            "StatsStorageSource: has no MaximumConcurrency",
            lambda house: properties(house, "StatsStorageSource").pop("ScalingConfig"),
        )
        self.finds(
            rule,
            "of the 100 functions",
            lambda house: house.observe["Parameters"]["AccountConcurrency"].update(Default=100),
        )

    def test_documents(self) -> None:
        deploy, monitor = "docs/operate/deploy.md", "docs/operate/monitor.md"

        def undocumented(house: House) -> None:
            house.core["Parameters"]["MailFrom"]["Description"] = "Something else."

        def unplaced(house: House) -> None:
            house.config["ClerkJwksUrl"] = "https://other.example.com/keys"

        def nowhere(house: House) -> None:
            house.pages[monitor] = house.pages[monitor].replace("### SweepFailed", "### Other")

        def unmarked(house: House) -> None:
            house.pages[deploy] = house.pages[deploy].replace("| `gsi2` | 0.1.0 |", "")

        def twice(house: House) -> None:
            house.pages[deploy] = (
                house.pages[deploy]
                .replace("`gsi2` | 0.1.0", "`gsi2` | 0.2.0")
                .replace("`due` | 0.1.0", "`due` | 0.2.0")
            )

        self.finds(rules.parameters_are_documented, "lacks the row | `MailFrom`", undocumented)
        self.finds(rules.placeholders_are_refused, "ClerkJwksUrl=https://other.example.com", unplaced)
        self.finds(rules.alarms_reach_somebody_who_knows_what_to_do, "OwnSweepFailed: its description", nowhere)
        self.finds(rules.indexes_come_one_a_release, "disagree about gsi2", unmarked)
        self.finds(rules.indexes_come_one_a_release, "Release 0.2.0 brings more than one", twice)

    def test_alarms(self) -> None:
        self.finds(
            rules.alarms_reach_somebody_who_knows_what_to_do,
            "StreamAge: has no OKActions",
            lambda house: properties(house, "StreamAge").pop("OKActions"),
        )
        self.finds(
            rules.alarms_watch_what_exists,
            "stacks of one account share this metric",
            lambda house: properties(house, "OwnSweepFailed")["Dimensions"].pop(0),
        )
        self.finds(
            rules.alarms_watch_what_exists,
            "has no FunctionName S-nobody",
            lambda house: properties(house, "StreamAge")["Dimensions"][0].update(
                Value={"Fn::Sub": "${CoreStack}-nobody"}
            ),
        )
        self.finds(
            rules.alarms_watch_what_exists,
            "does not export S-ApiId",
            lambda house: house.core["Outputs"]["ApiId"].pop("Export"),
        )
        self.finds(
            rules.dead_letters_are_watched,
            "nobody is told of messages on S-parked-events",
            lambda house: house.observe["Resources"].pop("ParkedEvents"),
        )
        self.finds(
            rules.dead_letters_are_watched,
            "MailFeedbackSource: a message that always fails",
            lambda house: properties(house, "MailFeedbackQueue").pop("RedrivePolicy"),
        )

        self.finds(
            rules.cut_loops_are_told,
            "SendMailFunction: nobody is told",
            lambda house: properties(house, "RecursionsDroppedsendmail")["Dimensions"][0].update(Value="another"),
        )
        self.finds(
            rules.throttles_of_every_index_are_watched,
            "No alarm watches WriteThrottleEvents of due",
            lambda house: [
                metric["MetricStat"]["Metric"]["Dimensions"].pop()
                for metric in properties(house, "WritesThrottled")["Metrics"]
                if metric["Id"] == "due"
            ],
        )

    def test_what_reads_the_template(self) -> None:
        def follows(house: House) -> None:
            house.core["Outputs"]["ApiId"]["Value"] = {"Ref": "MailFrom"}

        def forgotten(house: House) -> None:
            page = "infra/smoke/aws.py"
            house.pages[page] = house.pages[page].replace('"stats-storage")', '"sweep")')

        def unquoted(house: House) -> None:
            house.pages["infra/README.md"] += "\nSet `Upstreams=` and deploy."

        self.finds(rules.exported_values_can_be_kept, "ApiId: is exported and follows MailFrom", follows)
        self.finds(rules.smoke_knows_the_loops, "disagree about stats-storage", forgotten)
        self.finds(rules.parameters_are_cleared_as_sam_reads_it, 'write Upstreams="" to clear it', unquoted)

    def test_schedules_and_mail(self) -> None:
        self.finds(
            rules.schedules_are_missed_by_somebody,
            "SweepFunction: a failed run goes nowhere",
            lambda house: house.core["Resources"].pop("SweepFunctionEventInvokeConfig"),
        )
        self.finds(
            rules.schedules_are_missed_by_somebody,
            "SweepFunctionEveryFiveMinutes: a run",
            lambda house: properties(house, "SweepFunctionEveryFiveMinutes")["Targets"][0].pop("DeadLetterConfig"),
        )

        def anybody(house: House) -> None:
            for policy in properties(house, "SendMailFunctionRole")["Policies"]:
                for statement in policy["PolicyDocument"]["Statement"]:
                    statement.pop("Condition", None)

        self.finds(rules.mail_comes_from_one_address, "SendMailFunctionRole: may send mail as any identity", anybody)

    def test_limits(self) -> None:
        self.finds(
            rules.answers_come_before_api_gateway_gives_up,
            "GatewayFunction: has 31 s",
            lambda house: properties(house, "GatewayFunction").update(Timeout=31),
        )

        def many(house: House) -> None:
            bus = house.core["Resources"]["Bus"]
            house.core["Resources"].update({f"Bus{at}": bus for at in range(rules.RESOURCES_MAX)})

        self.finds(rules.resources_stay_within_the_budget, f"{rules.RESOURCES_MAX} is the most", many)

    def test_the_deployer(self) -> None:
        policy = "docs/operate/deployer-policy.json"

        def without_queues(house: House) -> None:
            house.pages[policy] = house.pages[policy].replace('"sqs:*"', '"sqs:SendMessage"')

        def of_another_name(house: House) -> None:
            house.pages[policy] = house.pages[policy].replace("role/consigne*", "role/other*")

        def without_traces(house: House) -> None:
            house.pages[policy] = house.pages[policy].replace("AWSXrayWriteOnlyAccess", "ReadOnlyAccess")

        rule = deployer.the_deployer_may_make_everything
        self.finds(rule, "AWS::SQS::Queue: the deployer's policy does not allow sqs:CreateQueue", without_queues)
        self.finds(rule, "does not allow iam:PassRole on arn:aws:iam::123456789012:role/consigne-", of_another_name)
        self.finds(rule, "AWS::IAM::Role: the deployer's policy does not allow iam:ListRolePolicies", of_another_name)
        self.finds(rule, "does not allow to attach arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess", without_traces)


if __name__ == "__main__":
    unittest.main()
