"""Each mistake in infra/edge.yaml is found."""

import copy
import sys
import unittest
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / folder) for folder in ("infra/check", "infra/local")]

import edge

KEYED = "ParametersInCacheKeyAndForwardedToOrigin"


def config(template: edge.Json) -> edge.Json:
    return template["Resources"]["Distribution"]["Properties"]["DistributionConfig"]


def behaviours(template: edge.Json) -> list[edge.Json]:
    return template["Resources"]["Distribution"]["Properties"]["DistributionConfig"]["CacheBehaviors"]


def policy(template: edge.Json, name: str) -> edge.Json:
    return template["Resources"][name]["Properties"]["CachePolicyConfig"]


def headers(template: edge.Json, name: str) -> edge.Json:
    return template["Resources"][name]["Properties"]["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]


class Edge(unittest.TestCase):
    def test_the_template_has_no_problems(self) -> None:
        self.assertEqual(list(edge.problems(edge.load())), [])

    def test_each_mistake_is_found(self) -> None:
        mistakes: list[tuple[Callable[[edge.Json], object], str]] = [
            (lambda it: policy(it, "ApiCache").update(MaxTTL=0), "refuses a key"),
            (lambda it: policy(it, "AddressCache").update(MinTTL=90), "must not fall"),
            (lambda it: policy(it, "FileCache").update(MinTTL=0), "keeps no file"),
            (lambda it: key(it)["QueryStrings"].remove("versionId"), "the key must have"),
            (
                lambda it: policy(it, "ApiCache")[KEYED]["HeadersConfig"]["Headers"].remove("x-api-key"),
                "x-api-key says",
            ),
            (lambda it: config(it)["CustomErrorResponses"].pop(0), "answers 404 would be kept"),
            (lambda it: behaviours(it)[2].pop("TrustedKeyGroups"), "/user_*: reads people's files"),
            (lambda it: behaviours(it)[0].pop("ResponseHeadersPolicyId"), "/api/*: has no security headers"),
            (lambda it: origins(it)[1].pop("OriginAccessControlId"), "files: the bucket is private"),
            (lambda it: origins(it)[2].pop("OriginCustomHeaders"), "without the secret"),
            (lambda it: headers(it, "ApiHeaders").pop("StrictTransportSecurity"), "ApiHeaders: needs"),
            (lambda it: code(it).update(FunctionCode="x" * 10_241), "more than 10 KB"),
        ]
        for mistake, words in mistakes:
            template = copy.deepcopy(edge.load())
            mistake(template)
            found = "\n".join(edge.problems(template))
            self.assertIn(words, found)
        template = copy.deepcopy(edge.load())
        csp = headers(template, "FileHeaders")["ContentSecurityPolicy"]
        csp["ContentSecurityPolicy"] = csp["ContentSecurityPolicy"].replace(
            "script-src 'none'", "script-src 'unsafe-inline'"
        )
        self.assertIn("allow none in the page", "\n".join(edge.problems(template)))

    def test_a_policy_without_what_the_console_needs_is_found(self) -> None:
        for cut, words in (
            (" 'wasm-unsafe-eval'", "script-src lacks 'wasm-unsafe-eval'"),
            ("frame-src 'self'", "frame-src lacks"),
        ):
            template = copy.deepcopy(edge.load())
            parts = headers(template, "ConsoleHeaders")["ContentSecurityPolicy"]["ContentSecurityPolicy"]["Fn::Sub"]
            parts[0] = parts[0].replace(cut, "")
            self.assertIn(words, "\n".join(edge.problems(template)))


def key(template: edge.Json) -> edge.Json:
    return policy(template, "FileCache")["ParametersInCacheKeyAndForwardedToOrigin"]["QueryStringsConfig"]


def origins(template: edge.Json) -> list[edge.Json]:
    return template["Resources"]["Distribution"]["Properties"]["DistributionConfig"]["Origins"]


def code(template: edge.Json) -> edge.Json:
    return template["Resources"]["ConsolePages"]["Properties"]


if __name__ == "__main__":
    unittest.main()
