"""Rules for infra/edge.yaml: what CloudFront refuses or does unexpectedly, and cfn-lint does not check."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import template as templates
from templates import Json, listed, of_type, target

# Headers that say who asks, and errors that CloudFront keeps by default.
CALLER = {"authorization", "x-api-key", "x-clerk-auth-token", "x-consigne-user"}
ERRORS = {404, 405, 414, 500, 501, 502, 503, 504}
# Allows WebAssembly, and no `eval`. Source: W3C, Content Security Policy Level 3.
WASM = "'wasm-unsafe-eval'"
ROOT = Path(__file__).resolve().parents[2]
# Parameters that every signed URL of a file has, and that S3 answers by.
IN_KEY = {"response-cache-control", "response-content-disposition", "response-content-type", "versionId"}


def load() -> Json:
    """Returns infra/edge.yaml."""
    return templates.load(ROOT / "infra/edge.yaml")


def problems(edge: Json) -> Iterator[str]:
    """Yields one sentence per problem."""
    yield from caching_policies_can_be_created(edge)
    yield from files_are_kept_by_what_they_answer(edge)
    yield from only_public_addresses_are_unsigned(edge)
    yield from nobody_gets_the_answer_to_somebody_else(edge)
    yield from scripts_are_never_inline(edge)
    yield from the_console_may_do_what_it_needs(edge)
    yield from functions_are_short(edge)


def caching_policies_can_be_created(edge: Json) -> Iterator[str]:
    """A policy whose longest time is 0 may have nothing in its key.
    Source: CloudFront API reference, CreateCachePolicy, InvalidArgument."""
    for name, body in of_type(edge, "AWS::CloudFront::CachePolicy").items():
        policy = body["Properties"]["CachePolicyConfig"]
        times = [policy["MinTTL"], policy["DefaultTTL"], policy["MaxTTL"]]
        fixed = [time for time in times if isinstance(time, int)]
        if fixed != sorted(fixed):
            yield f"{name}: MinTTL, DefaultTTL and MaxTTL must not fall."
        key = policy["ParametersInCacheKeyAndForwardedToOrigin"]
        kinds = [key["CookiesConfig"]["CookieBehavior"], key["HeadersConfig"]["HeaderBehavior"]]
        kinds.append(key["QueryStringsConfig"]["QueryStringBehavior"])
        if policy["MaxTTL"] == 0 and any(kind != "none" for kind in kinds):
            yield f"{name}: CloudFront refuses a key if nothing is kept."


def files_are_kept_by_what_they_answer(edge: Json) -> Iterator[str]:
    """S3 answers by version and overrides, so they are in the key. S3's answers are `private`, which CloudFront keeps
    only for a minimum above 0. Source: CloudFront API reference, CachePolicyConfig."""
    policy = edge["Resources"]["FileCache"]["Properties"]["CachePolicyConfig"]
    key = policy["ParametersInCacheKeyAndForwardedToOrigin"]["QueryStringsConfig"]
    if set(key.get("QueryStrings", [])) != IN_KEY:
        yield f"FileCache: the key must have {', '.join(sorted(IN_KEY))}."
    least = edge["Parameters"]["FileCacheSeconds"]["MinValue"]
    if target(policy["MinTTL"]) != "FileCacheSeconds" or least < 1:
        yield "FileCache: with a minimum of 0 the CDN keeps no file."


def only_public_addresses_are_unsigned(edge: Json) -> Iterator[str]:
    """What reads the bucket of files takes signed URLs only, and each behaviour has security headers."""
    [distribution] = of_type(edge, "AWS::CloudFront::Distribution").values()
    config = distribution["Properties"]["DistributionConfig"]
    for behaviour in [config["DefaultCacheBehavior"], *config["CacheBehaviors"]]:
        path = behaviour.get("PathPattern", "*")
        if behaviour["TargetOriginId"] == "files" and not behaviour.get("TrustedKeyGroups"):
            yield f"{path}: reads people's files without a signature."
        if "ResponseHeadersPolicyId" not in behaviour:
            yield f"{path}: has no security headers."
    for origin in config["Origins"]:
        if "S3OriginConfig" in origin and "OriginAccessControlId" not in origin:
            yield f"{origin['Id']}: the bucket is private, so the origin needs an access control."
        sends = [one["HeaderName"] for one in origin.get("OriginCustomHeaders", [])]
        if origin["Id"] == "api" and "x-consigne-edge" not in sends:
            yield "api: without the secret the API takes neither address nor country from the CDN."


def nobody_gets_the_answer_to_somebody_else(edge: Json) -> Iterator[str]:
    """Who asks is in the key of the API's answers, and errors are not kept. CloudFront keeps these errors ten seconds
    unless told otherwise. Source: Amazon CloudFront developer guide, "How CloudFront processes HTTP 4xx and 5xx status
    codes from your origin"."""
    policy = edge["Resources"]["ApiCache"]["Properties"]["CachePolicyConfig"]
    headers = policy["ParametersInCacheKeyAndForwardedToOrigin"]["HeadersConfig"].get("Headers", [])
    for name in sorted(CALLER - set(headers)):
        yield f"ApiCache: {name} says who asks, and must be in the key."
    [distribution] = of_type(edge, "AWS::CloudFront::Distribution").values()
    kept = distribution["Properties"]["DistributionConfig"].get("CustomErrorResponses", [])
    unkept = {one["ErrorCode"] for one in kept if one["ErrorCachingMinTTL"] == 0}
    for code in sorted(ERRORS - unkept):
        yield f"Distribution: answers {code} would be kept for ten seconds."


def scripts_are_never_inline(edge: Json) -> Iterator[str]:
    """Each content security policy forbids scripts that are not files of the console."""
    for name, body in of_type(edge, "AWS::CloudFront::ResponseHeadersPolicy").items():
        security = body["Properties"]["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
        policy = str(security.get("ContentSecurityPolicy", {}).get("ContentSecurityPolicy", "script-src 'none'"))
        scripts = re.search(r"script-src ([^;]*)", policy)
        # The decoder of HEIC is WebAssembly, which may be compiled without `eval` being allowed.
        if scripts is None or "unsafe" in scripts.group(1).replace(WASM, "") or "*" in scripts.group(1):
            yield f"{name}: the policy must name where scripts come from, and allow none in the page."
        if "StrictTransportSecurity" not in security or "ContentTypeOptions" not in security:
            yield f"{name}: needs StrictTransportSecurity and ContentTypeOptions."


def the_console_may_do_what_it_needs(edge: Json) -> Iterator[str]:
    """The CDN sends the policy of `web/console/headers.json`. API and files are on the domain of the console."""
    wanted = json.loads((ROOT / "web/console/headers.json").read_text())["policy"]
    security = edge["Resources"]["ConsoleHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
    [text, _] = security["ContentSecurityPolicy"]["ContentSecurityPolicy"]["Fn::Sub"]
    given = {words[0]: words[1:] for words in (part.split() for part in text.split(";"))}
    for name, sources in wanted.items():
        own = {"'self'" if source in ("{api}", "{files}") else source for source in sources}
        here = {source.split("${")[0] for source in given.get(name, [])} - {""}
        if not own <= here:
            yield f"ConsoleHeaders: {name} lacks {', '.join(sorted(own - here))}, which web/console/headers.json has."
        if "{files}" in sources and "${Uploads}" not in " ".join(given.get(name, [])):
            yield f"ConsoleHeaders: {name} lacks the bucket, to which uploads go."


def functions_are_short(edge: Json) -> Iterator[str]:
    """A CloudFront function has at most 10 KB. Source: Amazon CloudFront developer guide, "Quotas"."""
    for name, body in of_type(edge, "AWS::CloudFront::Function").items():
        if len(listed(body["Properties"]["FunctionCode"])[0]) > 10_240:
            yield f"{name}: has more than 10 KB."
