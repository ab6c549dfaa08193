"""Each rule for infra/observe.yaml accepts it as it is, and finds a name or a size that is changed."""

import sys
import unittest
from collections.abc import Callable
from pathlib import Path

INFRA = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(INFRA / folder) for folder in ("check", "deploy", "local")]

import observed
import rules
from planted import PlantedMistakes, properties
from project import Project


def widget(project: Project, title: str) -> dict:
    """Returns the properties of a widget."""
    return next(body for where, body in observed.widgets(project.observe) if where.endswith(title))


class Observed(PlantedMistakes):
    def test_metrics_that_nobody_writes_are_found(self) -> None:
        rule = observed.metrics_exist
        self.finds(
            rule,
            "OwnSweepFailed: no code of sweep writes the metric SweepFalied",
            lambda project: properties(project, "OwnSweepFailed").update(MetricName="SweepFalied"),
        )
        self.finds(
            rule,
            "Dashboard, Uploads: no code of delete writes the metric UploadsGranted",
            lambda project: widget(project, ", Uploads")["metrics"][0].__setitem__(5, "delete"),
        )
        self.finds(
            rule,
            "CredentialsRefused: no filter counts CredentialsLost from the log",
            lambda project: properties(project, "CredentialsRefused").update(MetricName="CredentialsLost"),
        )
        self.finds(
            rule,
            "no code of on-object-event writes the metric UploadsReady",
            lambda project: project.code.update({"shared/runtime/src/uploads.rs": ""}),
        )
        self.finds(
            rule,
            "UploadsFailing: no code of on-object-event writes the metric RecordsFailed",
            lambda project: project.code.update({"shared/runtime/src/batch.rs": ""}),
        )

    def test_metrics_that_aws_does_not_publish_are_found(self) -> None:
        rule = observed.metrics_exist
        self.finds(
            rule,
            "add AWS/ApiGateway 5XXError to PUBLISHED",
            lambda project: properties(project, "ApiErrors").update(MetricName="5XXError"),
        )
        self.finds(
            rule,
            "StreamAge: AWS does not publish IteratorAge by no dimension",
            lambda project: properties(project, "StreamAge").pop("Dimensions"),
        )

        def elsewhere(project: Project) -> None:
            [resource] = [
                one
                for one in properties(project, "KeyCheckFailuresHour")["Metrics"][1]["MetricStat"]["Metric"][
                    "Dimensions"
                ]
                if one["Name"] == "Resource"
            ]
            resource["Value"] = "/api/keys/check"

        self.finds(rule, "KeyCheckFailuresHour: the API has no route POST /api/keys/check", elsewhere)

    def test_fields_that_no_line_has_are_found(self) -> None:
        rule = observed.queries_name_what_is_logged

        def changed(name: str, old: str, new: str) -> Callable[[Project], object]:
            def change(project: Project) -> None:
                query = properties(project, name)
                query["QueryString"] = query["QueryString"].replace(old, new)

            return change

        self.finds(
            rule,
            "SlowCalls: no line of the log has the field duration",
            changed("SlowCalls", "duration_ms", "duration"),
        )
        self.finds(rule, "has the field audit.name", changed("WhoReadThisFile", "audit.user", "audit.name"))
        self.finds(
            rule,
            "Files by kind: no line of the log has the field file.sort",
            lambda project: widget(project, "Files by kind")["query"].update(
                {"Fn::Sub": "SOURCE '/consigne/${CoreStack}/files' | stats count(*) by file.sort"}
            ),
        )
        self.finds(
            rule,
            "RequestsLimited: no line of /aws/vendedlogs/consigne/S/api has the field code",
            lambda project: properties(project, "RequestsLimited").update(FilterPattern='{ $.code = "429" }'),
        )
        self.finds(
            rule,
            "the core has no log group /consigne/S/file",
            lambda project: properties(project, "RefusedKeys").update(LogGroupNames=["/consigne/S/file"]),
        )

    def test_rules_that_nobody_watches_are_found(self) -> None:
        rule = observed.rules_are_watched
        self.finds(
            rule,
            "ImageRule: no alarm watches its FailedInvocations by EventBusName, RuleName",
            lambda project: properties(project, "EventsUndeliveredimages").update(
                Dimensions=[{"Name": "RuleName", "Value": {"Fn::Sub": "${CoreStack}-images"}}]
            ),
        )
        self.finds(
            rule,
            "ScanResultRule: no alarm watches its InvocationsFailedToBeSentToDlq by RuleName",
            lambda project: project.observe["Resources"].pop("EventsLostscanresults"),
        )

    def test_sizes_above_the_limits_are_found(self) -> None:
        rule = observed.sizes_stay_below_the_limits

        def many(project: Project) -> None:
            metrics = properties(project, "WritesThrottled")["Metrics"]
            stats = [one for one in metrics if "MetricStat" in one]
            metrics.extend(stats[-1] for _ in range(11 - len(stats)))

        self.finds(rule, "WritesThrottled: has 11 metrics; an alarm may have 10", many)
        self.finds(
            rule,
            "Throttles: watches 87000 s",
            lambda project: properties(project, "Throttles").update(EvaluationPeriods=290),
        )
        self.finds(
            rule,
            "UploadServiceLevel: there is no alarm Nobody",
            lambda project: properties(project, "UploadServiceLevel").update(
                AlarmRule={"Fn::Sub": 'ALARM("${Nobody}")'}
            ),
        )
        self.finds(
            rule,
            "more than CloudWatch takes",
            lambda project: widget(project, ", Uploads").update(metrics=[["AWS/SQS", "X"]] * 501),
        )

    def test_alarms_that_call_nobody_are_found(self) -> None:
        rule = rules.alarms_reach_somebody_who_knows_what_to_do
        self.finds(
            rule,
            "UploadFailuresHour: has no AlarmActions",
            lambda project: project.observe["Resources"].pop("UploadServiceLevel"),
        )
        self.finds(
            rule,
            "KeyCheckServiceLevel: has no OKActions",
            lambda project: properties(project, "KeyCheckServiceLevel").pop("OKActions"),
        )


if __name__ == "__main__":
    unittest.main()
