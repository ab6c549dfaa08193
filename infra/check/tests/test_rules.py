"""Each rule accepts the templates as they are, and finds the mistake when one thing in them is changed."""

import copy
import sys
import unittest
from pathlib import Path

INFRA = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(INFRA / folder) for folder in ("check", "deploy", "local")]

import deployer
import rules
from planted import PlantedMistakes, properties
from project import Project


def cors(project: Project) -> dict:
    """Returns the API's CORS configuration."""
    body = properties(project, "Api")["Body"]
    return body["x-amazon-apigateway-cors"]["Fn::If"][1]


class Rules(PlantedMistakes):
    def test_a_policy_for_two_queues_is_found(self) -> None:
        def both(project: Project) -> None:
            policy = properties(project, "MailQueuePolicy")
            policy["Queues"].append({"Ref": "MailDeadLetters"})

        def foreign(project: Project) -> None:
            [statement] = properties(project, "MailQueuePolicy")["PolicyDocument"]["Statement"]
            statement["Resource"] = [statement["Resource"], {"Fn::GetAtt": ["MailDeadLetters", "Arn"]}]

        self.finds(rules.queue_policies_name_their_own_queue, "MailQueuePolicy: one policy a queue", both)
        self.finds(rules.queue_policies_name_their_own_queue, "MailQueue, MailDeadLetters", foreign)

    def test_a_table_left_behind_by_a_failed_deployment_is_found(self) -> None:
        def retain(project: Project) -> None:
            project.core["Resources"]["Table"]["DeletionPolicy"] = "Retain"

        def delete(project: Project) -> None:
            project.core["Resources"]["Bucket"]["DeletionPolicy"] = "Delete"

        self.finds(rules.failed_creations_leave_nothing_behind, "Table: DeletionPolicy must be", retain)
        self.finds(rules.failed_creations_leave_nothing_behind, "Bucket: holds people's data", delete)

    def test_exports_that_are_removed_too_early_are_found(self) -> None:
        rule = rules.exports_last_as_long_as_they_can_be_downloaded

        def lifecycle(project: Project) -> dict:
            [found] = [
                one
                for one in properties(project, "Bucket")["LifecycleConfiguration"]["Rules"]
                if one["Id"] == "remove-exports"
            ]
            return found

        self.finds(
            rule,
            "removes noncurrent versions after 7 days",
            lambda project: lifecycle(project)["NoncurrentVersionExpiration"].update(NoncurrentDays=7),
        )
        self.finds(
            rule, "removes current versions after 7", lambda project: lifecycle(project).update(ExpirationInDays=7)
        )

    def test_methods_and_headers_that_cors_does_not_allow_are_found(self) -> None:
        rule = rules.browsers_may_call_every_route
        self.finds(
            rule, "does not allow the method PATCH", lambda project: cors(project)["allowMethods"].remove("PATCH")
        )
        self.finds(
            rule, "header idempotency-key", lambda project: cors(project)["allowHeaders"].remove("idempotency-key")
        )
        self.finds(
            rule, "header www-authenticate", lambda project: cors(project)["exposeHeaders"].remove("www-authenticate")
        )

    def test_wrong_loop_settings_are_found(self) -> None:
        rule = rules.loops_are_allowed_where_they_are_meant
        self.finds(
            rule,
            "GenerateWorkerFunction: needs RecursiveLoop",
            lambda project: properties(project, "GenerateWorkerFunction").pop("RecursiveLoop"),
        )
        self.finds(
            rule,
            "SweepFunction: RecursiveLoop: Allow is set, but",
            lambda project: properties(project, "SweepFunction").update(RecursiveLoop="Allow"),
        )

        def chain(project: Project) -> None:
            # sweep sends to dispatch-webhook. If it also read a queue to which that sends, they would form a loop.
            source = copy.deepcopy(project.core["Resources"]["MailFeedbackSource"])
            source["Properties"] |= {
                "FunctionName": {"Ref": "SweepFunction"},
                "EventSourceArn": {"Fn::GetAtt": ["DeliveryDeadLetters", "Arn"]},
            }
            project.core["Resources"]["Chain"] = source

        self.finds(rule, "SweepFunction: needs RecursiveLoop", chain)

    def test_a_replication_that_s3_refuses_is_found(self) -> None:
        rule = rules.replication.s3_accepts_the_replication

        def replication(project: Project) -> dict:
            return properties(project, "Bucket")["ReplicationConfiguration"]["Fn::If"][1]

        self.finds(
            rule,
            "must have versioning",
            lambda project: properties(project, "Bucket")["VersioningConfiguration"].update(Status="Suspended"),
        )
        self.finds(
            rule,
            "its trust must name s3.amazonaws.com",
            lambda project: replication(project).update(Role={"Fn::GetAtt": ["SweepFunctionRole", "Arn"]}),
        )
        for missing in ("Priority", "DeleteMarkerReplication"):
            self.finds(
                rule,
                "it needs Priority",
                lambda project, missing=missing: replication(project)["Rules"][0].pop(missing),
            )

        def itself(project: Project) -> None:
            replication(project)["Rules"][0]["Destination"]["Bucket"] = {"Fn::GetAtt": ["Bucket", "Arn"]}

        self.finds(rule, "cannot replicate to itself", itself)

        def unwritable(project: Project) -> None:
            properties(project, "ReplicationPolicy")["PolicyDocument"]["Statement"].pop()

        self.finds(rule, "may not write copies to ReplicaBucketArn}/user_*", unwritable)

    def test_copies_of_removed_files_that_stay_are_found(self) -> None:
        rule, words = rules.replication.removed_files_leave_the_replica, "no rule hears of the removal"

        def all_files(project: Project) -> None:
            replication = properties(project, "Bucket")["ReplicationConfiguration"]["Fn::If"][1]
            replication["Rules"][0]["Filter"]["Prefix"] = ""

        self.finds(rule, words, all_files)
        self.finds(rule, words, lambda project: project.core["Resources"].pop("ReplicaRule"))

    def test_a_role_that_the_deployer_may_not_pass_is_found(self) -> None:
        def trusted(project: Project) -> None:
            [statement] = properties(project, "ReplicationRole")["AssumeRolePolicyDocument"]["Statement"]
            statement["Principal"]["Service"] = "scheduler.amazonaws.com"

        self.finds(rules.deployer.the_deployer_may_pass_every_role, "to scheduler.amazonaws.com", trusted)

    def test_queues_that_use_too_much_concurrency_are_found(self) -> None:
        rule = rules.queues_leave_concurrency_for_requests
        self.finds(
            rule,
            "StatsStorageSource: has no MaximumConcurrency",
            lambda project: properties(project, "StatsStorageSource").pop("ScalingConfig"),
        )
        self.finds(
            rule,
            "of the 100 functions that the account",
            lambda project: project.observe["Parameters"]["AccountConcurrency"].update(Default=100),
        )

    def test_gaps_in_the_documentation_are_found(self) -> None:
        deploy, monitor = "docs/operate/deploy.md", "docs/operate/monitor.md"

        def unplaced(project: Project) -> None:
            project.config["ClerkJwksUrl"] = "https://other.example.com/keys"

        def nowhere(project: Project) -> None:
            project.pages[monitor] = project.pages[monitor].replace("### SweepFailed", "### Other")

        def unmarked(project: Project) -> None:
            project.pages[deploy] = project.pages[deploy].replace("| `gsi2` | 0.1.0 |", "")

        def twice(project: Project) -> None:
            project.pages[deploy] = (
                project.pages[deploy]
                .replace("`gsi2` | 0.1.0", "`gsi2` | 0.2.0")
                .replace("`due` | 0.1.0", "`due` | 0.2.0")
            )

        self.finds(rules.placeholders_are_refused, "ClerkJwksUrl=https://other.example.com", unplaced)
        self.finds(rules.alarms_reach_somebody_who_knows_what_to_do, "OwnSweepFailed: its description", nowhere)
        self.finds(rules.indexes_come_one_a_release, "disagree about gsi2", unmarked)
        self.finds(rules.indexes_come_one_a_release, "Release 0.2.0 adds more than one", twice)

    def test_pages_that_differ_from_what_they_are_made_from_are_found(self) -> None:
        rule = rules.the_reference_is_up_to_date

        def page(name: str) -> str:
            return f"docs/reference/{name}.md is out of date; `make reference` writes it."

        def described(project: Project) -> None:
            project.sources.core["Parameters"]["MailFrom"]["Description"] = "Something else."

        def slower(project: Project) -> None:
            project.sources.core["Resources"]["SweepFunction"]["Properties"]["Timeout"] = 59

        def allowed(project: Project) -> None:
            project.sources.core["Resources"]["SweepFunction"]["Properties"]["Policies"][0]["Statement"].pop()

        def renamed(project: Project) -> None:
            fields = project.sources.schemas["wallet.low"]["properties"]
            fields["left"] = fields.pop("balance")

        def unheard(project: Project) -> None:
            pattern = project.sources.core["Resources"]["MailRule"]["Properties"]["EventPattern"]
            pattern["detail-type"].remove("wallet.low")

        def by_hand(project: Project) -> None:
            path = "docs/reference/functions.md"
            project.pages[path] = project.pages[path].replace("### sweep", "### broom")

        self.finds(rule, page("parameters"), described)
        self.finds(rule, page("functions"), slower)
        self.finds(rule, page("functions"), allowed)
        self.finds(rule, page("functions"), by_hand)
        self.finds(rule, page("events"), renamed)
        self.finds(rule, page("events"), unheard)

    def test_what_has_no_words_for_the_reference_is_found(self) -> None:
        rule = rules.the_reference_is_up_to_date

        def dances(project: Project) -> None:
            [policy] = project.sources.core["Resources"]["UsageFunction"]["Properties"]["Policies"]
            policy["Statement"][0]["Action"] = "dynamodb:Dance"

        def monthly(project: Project) -> None:
            [event] = project.sources.core["Resources"]["SweepFunction"]["Properties"]["Events"].values()
            event["Properties"]["Schedule"] = "cron(0 0 1 * ? *)"

        def unmarked(project: Project) -> None:
            path = "docs/reference/events.md"
            project.pages[path] = project.pages[path].replace("<!-- end of the generated part -->", "")

        self.finds(rule, "add dynamodb:Dance to WORDS", dances)
        self.finds(rule, "cannot put cron(0 0 1 * ? *) into words", monthly)
        self.finds(rule, "functions/README.md: sweep needs a row", lambda project: project.sources.rows.pop("sweep"))
        self.finds(rule, "docs/reference/events.md must have the two markers", unmarked)

    def test_missing_and_misdirected_alarms_are_found(self) -> None:
        self.finds(
            rules.alarms_reach_somebody_who_knows_what_to_do,
            "StreamAge: has no OKActions",
            lambda project: properties(project, "StreamAge").pop("OKActions"),
        )
        self.finds(
            rules.alarms_watch_what_exists,
            "stacks of one account share this metric",
            lambda project: properties(project, "OwnSweepFailed")["Dimensions"].pop(0),
        )
        self.finds(
            rules.alarms_watch_what_exists,
            "has no FunctionName S-nobody",
            lambda project: properties(project, "StreamAge")["Dimensions"][0].update(
                Value={"Fn::Sub": "${CoreStack}-nobody"}
            ),
        )
        self.finds(
            rules.alarms_watch_what_exists,
            "does not export S-ApiId",
            lambda project: project.core["Outputs"]["ApiId"].pop("Export"),
        )
        self.finds(
            rules.dead_letters_are_watched,
            "no alarm watches for messages on S-parked-events",
            lambda project: project.observe["Resources"].pop("ParkedEvents"),
        )
        self.finds(
            rules.dead_letters_are_watched,
            "MailFeedbackSource: a message that always fails",
            lambda project: properties(project, "MailFeedbackQueue").pop("RedrivePolicy"),
        )

        self.finds(
            rules.cut_loops_are_told,
            "SendMailFunction: no alarm watches",
            lambda project: properties(project, "RecursionsDroppedsendmail")["Dimensions"][0].update(Value="another"),
        )
        self.finds(
            rules.throttles_of_every_index_are_watched,
            "No alarm watches WriteThrottleEvents of due",
            lambda project: [
                metric["MetricStat"]["Metric"]["Dimensions"].pop()
                for metric in properties(project, "WritesThrottled")["Metrics"]
                if metric["Id"] == "due"
            ],
        )

    def test_disagreements_with_other_files_are_found(self) -> None:
        def follows(project: Project) -> None:
            project.core["Outputs"]["ApiId"]["Value"] = {"Ref": "MailFrom"}

        def forgotten(project: Project) -> None:
            page = "infra/smoke/aws.py"
            project.pages[page] = project.pages[page].replace('"stats-storage",', '"sweep",')

        def unquoted(project: Project) -> None:
            project.pages["infra/README.md"] += "\nSet `Upstreams=` and deploy."

        self.finds(rules.exported_values_can_be_kept, "ApiId: is exported and depends on MailFrom", follows)
        self.finds(rules.smoke_knows_the_loops, "disagree about stats-storage", forgotten)
        self.finds(rules.parameters_are_cleared_as_sam_reads_it, 'write Upstreams="" to clear it', unquoted)

    def test_lost_runs_and_forged_senders_are_found(self) -> None:
        self.finds(
            rules.schedules_are_missed_by_somebody,
            "SweepFunction: a failed run leaves no message",
            lambda project: project.core["Resources"].pop("SweepFunctionEventInvokeConfig"),
        )
        self.finds(
            rules.schedules_are_missed_by_somebody,
            "SweepFunctionEveryFiveMinutes: a run",
            lambda project: properties(project, "SweepFunctionEveryFiveMinutes")["Targets"][0].pop("DeadLetterConfig"),
        )

        def anybody(project: Project) -> None:
            for policy in properties(project, "SendMailFunctionRole")["Policies"]:
                for statement in policy["PolicyDocument"]["Statement"]:
                    statement.pop("Condition", None)

        self.finds(rules.mail_comes_from_one_address, "SendMailFunctionRole: may send mail as any identity", anybody)

    def test_exceeded_limits_are_found(self) -> None:
        self.finds(
            rules.answers_come_before_api_gateway_gives_up,
            "GatewayFunction: has a timeout of 31 s",
            lambda project: properties(project, "GatewayFunction").update(Timeout=31),
        )

        def many(project: Project) -> None:
            bus = project.core["Resources"]["Bus"]
            project.core["Resources"].update({f"Bus{at}": bus for at in range(rules.RESOURCES_MAX)})

        self.finds(rules.resources_stay_within_the_budget, f"at most {rules.RESOURCES_MAX} are allowed", many)

    def test_missing_permissions_of_the_deployer_are_found(self) -> None:
        policy = "docs/operate/deployer-policy.json"

        def without_queues(project: Project) -> None:
            project.pages[policy] = project.pages[policy].replace('"sqs:*"', '"sqs:SendMessage"')

        def of_another_name(project: Project) -> None:
            project.pages[policy] = project.pages[policy].replace("role/consigne*", "role/other*")

        def without_traces(project: Project) -> None:
            project.pages[policy] = project.pages[policy].replace("AWSXrayWriteOnlyAccess", "ReadOnlyAccess")

        rule = deployer.the_deployer_may_make_everything
        self.finds(rule, "AWS::SQS::Queue: the deployer's policy does not allow sqs:CreateQueue", without_queues)
        self.finds(rule, "does not allow iam:PassRole on arn:aws:iam::123456789012:role/consigne-", of_another_name)
        self.finds(rule, "AWS::IAM::Role: the deployer's policy does not allow iam:ListRolePolicies", of_another_name)
        self.finds(rule, "does not allow attaching arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess", without_traces)


if __name__ == "__main__":
    unittest.main()
