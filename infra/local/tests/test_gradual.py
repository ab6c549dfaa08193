"""A rehearsal of a gradual deployment: a bad version of key-verify gets a tenth of the calls, the alarm in
template.yaml would sound, and the calls go back.

The laptop's server has no CodeDeploy and no alarms on metric math. So the test moves the weights as CodeDeploy does,
and calculates the alarm's own expression from what the versions logged. Needs the built function key-verify.
"""

import json
import os
import re
import shutil
import sys
import tempfile
import unittest
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "infra/local"), str(ROOT / "infra/check")]

import weighted_aliases

import template as templates
from deployment import Deployment
from server import Server

BINARIES = ROOT / os.environ.get("BINARIES", "target/debug")
STACK = "rehearsal"
FUNCTION = f"{STACK}-key-verify"
NOWHERE = "arn:aws:secretsmanager:us-east-1:000000000000:secret:none"
PARAMETERS = {
    "ClerkIssuer": "https://clerk.acme.dev",
    "AuthorizedParties": "https://app.acme.dev",
    "ClerkJwksUrl": "https://clerk.acme.dev/.well-known/jwks.json",
    "ApplicationUrl": "https://app.acme.dev",
    "DeletionProtection": "false",
    "RequireTls": "false",
}


def alarm(name: str) -> dict[str, Any]:
    """Returns the properties of an alarm of template.yaml."""
    return templates.load(ROOT / "template.yaml")["Resources"][name]["Properties"]


def value_of(properties: dict[str, Any], counts: dict[str, int]) -> float | None:
    """Calculates the expression of an alarm for one period. `None` if there is no data. `counts` are sums by the id of
    a metric; a metric without data has none.

    Source: Amazon CloudWatch user guide, "Using math expressions with CloudWatch metrics": a metric without data makes
    an expression empty, except within SUM.
    """
    [expression] = [one["Expression"] for one in properties["Metrics"] if "Expression" in one]
    form = re.fullmatch(r"(\d+) \* SUM\(\[([\w, ]+)\]\) / (\w+)", expression)
    assert form, f"this test does not calculate {expression}"
    factor, names, divisor = form.groups()
    present = [counts[name] for name in names.split(", ") if name in counts]
    return int(factor) * sum(present) / counts[divisor] if present and divisor in counts else None


def sounds(properties: dict[str, Any], periods: list[float | None]) -> bool:
    """Returns whether an alarm is in ALARM after these periods."""
    assert properties["ComparisonOperator"] == "GreaterThanThreshold"
    assert properties["TreatMissingData"] == "notBreaching"
    watched = periods[-properties["EvaluationPeriods"] :]
    return sum(one is not None and one > properties["Threshold"] for one in watched) >= properties["DatapointsToAlarm"]


class Weights(unittest.TestCase):
    def test_a_call_goes_to_a_version_by_its_weight(self) -> None:
        drawn = [weighted_aliases.drawn("1", {"2": 0.1}, number / 1000) for number in range(1000)]
        self.assertEqual((drawn.count("1"), drawn.count("2")), (900, 100))


class Alarm(unittest.TestCase):
    def test_a_single_failure_stops_nothing_and_a_version_that_fails_twice_is_stopped(self) -> None:
        failing = alarm("KeyVerifyFailing")
        bad, fine, once = ({"calls": 1, "errors": 0, "faults": 1}, {"calls": 1, "errors": 0}, {"calls": 1, "errors": 1})
        self.assertEqual([value_of(failing, counts) for counts in (bad, fine, once, {})], [100.0, 0.0, 100.0, None])
        nothing: list[float | None] = [None] * 4
        self.assertFalse(sounds(failing, [*nothing, 100.0]))
        self.assertTrue(sounds(failing, [100.0, None, None, 100.0]))
        self.assertFalse(sounds(failing, [100.0, None, None, None, None, 100.0]))
        # As many failures as the promise of 99.9 % allows.
        self.assertFalse(sounds(failing, [value_of(failing, {"calls": 6000, "errors": 0, "faults": 6})] * 5))


class Rehearsal(unittest.TestCase):
    def setUp(self) -> None:
        self.home = tempfile.TemporaryDirectory()
        self.server = Server(Path(self.home.name) / "server")
        self.server.start()
        self.addCleanup(lambda: (self.server.stop(), self.home.cleanup()))
        deployment = Deployment(self.server.address, STACK)
        deployment.deploy(ROOT / "template.yaml", self.packages(), PARAMETERS)
        self.functions = deployment.client("lambda")
        self.logs = deployment.client("logs")
        self.api = deployment.outputs()["ApiId"]

    def packages(self) -> Path:
        """Returns a folder with key-verify, and with something in place of each other function."""
        built = BINARIES / "key-verify"
        self.assertTrue(built.is_file(), f"{built} is missing: infra/local/build.sh builds it")
        folder = Path(self.home.name) / "functions"
        folder.mkdir()
        for function in templates.functions(templates.load(ROOT / "template.yaml")).values():
            (folder / Path(function["Properties"]["CodeUri"]).name).write_text("#!")
        shutil.copy(built, folder / "key-verify")
        return folder

    def call(self) -> int:
        """Asks for a check of a key without a service token. Returns the status: 401 if the function is in order."""
        url = f"{self.server.address}/_aws/execute-api/{self.api}/$default/api/keys/verify"
        request = urllib.request.Request(url, b"{}", {"content-type": "application/json"}, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status
        except urllib.error.HTTPError as refusal:
            return refusal.code

    def shift(self, weights: dict[str, float]) -> None:
        """Moves calls of the alias, as CodeDeploy does."""
        routing = {"AdditionalVersionWeights": weights}
        self.functions.update_alias(FunctionName=FUNCTION, Name="live", RoutingConfig=routing)

    def publish_a_bad_version(self) -> str:
        """Publishes a version that cannot start, because a secret is missing. Returns its number."""
        settings = self.functions.get_function_configuration(FunctionName=FUNCTION)["Environment"]["Variables"]
        broken = settings | {"PEPPER_SECRET_ARN": NOWHERE}
        self.functions.update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": broken})
        return self.functions.publish_version(FunctionName=FUNCTION)["Version"]

    def counted(self) -> dict[str, dict[str, int]]:
        """Returns what CloudWatch would count for each version that was called, by the ids of the alarm's metrics."""
        found: dict[str, dict[str, int]] = {}
        for page in self.logs.get_paginator("filter_log_events").paginate(logGroupName=f"/consigne/{STACK}/keys"):
            for event in page["events"]:
                if began := re.match(r"START RequestId: \S+ Version: (\S+)", event["message"]):
                    counts = found.setdefault(began.group(1), {"calls": 0, "errors": 0})
                    counts["calls"] += 1
                elif '"_aws"' in event["message"]:
                    line = json.loads(event["message"])
                    for directive in line["_aws"]["CloudWatchMetrics"]:
                        if directive["Dimensions"] == [["stack", "function", "version"]]:
                            self.assertEqual((line["stack"], line["function"]), (STACK, "key-verify"))
                            counts = found[line["version"]]
                            counts["faults"] = counts.get("faults", 0) + line["Faults"]
        return found

    def test_a_bad_version_is_noticed_at_a_tenth_of_the_calls_and_gets_none_after_the_way_back(self) -> None:
        failing = alarm("KeyVerifyFailing")
        self.assertEqual({self.call() for _ in range(10)}, {401})
        bad = self.publish_a_bad_version()
        # What was only published gets no calls.
        self.assertEqual({self.call() for _ in range(10)}, {401})

        self.shift({bad: 0.1})
        answers = [self.call() for _ in range(150)]
        self.assertEqual(set(answers), {401, 503})
        # 15 on average; fewer than 3 or more than 40 come once in a hundred thousand runs.
        self.assertTrue(3 <= answers.count(503) <= 40, answers.count(503))
        counted = self.counted()
        self.assertEqual(set(counted), {"1", bad})
        self.assertTrue(sounds(failing, [value_of(failing, counted[bad])] * 2))
        self.assertFalse(sounds(failing, [value_of(failing, counted["1"])] * 5))

        self.shift({})
        self.assertEqual({self.call() for _ in range(50)}, {401})


if __name__ == "__main__":
    unittest.main()
