"""Tests a deployment of Consigne over HTTP: `python infra/smoke`. `make smoke` runs it on the laptop's stack.

Settings come from the environment:

  URL              base of the API
  TOKEN_CMD        a command that prints a session token of a user; it is run again after 30 s
  OTHER_TOKEN_CMD  the same for another user, to test that neither sees the other's files and organisations
  SERVICE_TOKEN    a service token, for checking keys
  ORIGIN           an origin that CORS allows; the default is the token's `azp`
  STACK, REGION    name and region of the stack, to test settings, alarms and mail as well; needs AWS credentials

It runs against any server with the same API and deletes the files and keys it creates. It exits with 1 if a check
fails.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import aws
import files
import general
import orgs
from client import Api, Failed, Person, Skipped


def main() -> None:
    """Runs every check, one after the other."""
    url, command = os.environ.get("URL"), os.environ.get("TOKEN_CMD")
    if not url or not command:
        raise SystemExit(f"Set URL and TOKEN_CMD.\n\n{__doc__}")
    other, service = os.environ.get("OTHER_TOKEN_CMD"), os.environ.get("SERVICE_TOKEN")
    api, ann, bob = Api(url), Person(command), Person(other, "OTHER_TOKEN_CMD") if other else None
    origin = os.environ.get("ORIGIN") or ann.claim("azp")
    stack = (os.environ.get("STACK"), os.environ.get("REGION"))
    checks: list[tuple[Callable[..., None], tuple]] = [
        (general.browsers_may_call, (api, origin)),
        (general.health, (api,)),
        (general.unknown_routes_and_methods, (api,)),
        (orgs.callers_must_be_known, (api, ann)),
        (files.round_trip, (api, ann)),
        (files.grants_are_enforced_by_s3, (api, ann)),
        (files.bad_requests_name_their_field, (api, ann)),
        (files.a_retry_gets_the_same_grant, (api, ann)),
        (files.users_are_kept_apart, (api, ann, bob)),
        (orgs.keys_are_charged_once_and_never_after_revocation, (api, ann, service)),
        (orgs.a_production_key_spends_bought_credits_alone, (api, ann, service)),
        (orgs.organisations_are_kept_apart, (api, ann, bob)),
        (general.jobs, (api, ann)),
        (aws.loops_are_allowed, stack),
        (aws.callers_get_the_newest_version, stack),
        (aws.no_alarm_sounds, stack),
        (aws.mail_goes_out, (api, ann, *stack)),
    ]
    print(f"Testing {api.url}")
    outcomes = [attempt(check, arguments) for check, arguments in checks]
    failed, skipped = outcomes.count("FAILED"), outcomes.count("skipped")
    print(f"\n{outcomes.count('ok')} checks passed, {failed} failed, {skipped} skipped.")
    if failed:
        print("docs/operate/monitor.md says where to look.")
    sys.exit(1 if failed else 0)


def attempt(check: Callable[..., None], arguments: tuple) -> str:
    """Runs a check and prints its outcome, its time in milliseconds and its docstring. Returns the outcome."""
    began, outcome, why = time.monotonic(), "ok", ""
    try:
        check(*arguments)
    except Skipped as reason:
        outcome, why = "skipped", str(reason)
    except Failed as problem:
        outcome, why = "FAILED", str(problem)
    except Exception as problem:
        outcome, why = "FAILED", f"{type(problem).__name__}: {problem}"
    sentence = " ".join((check.__doc__ or check.__name__).split())
    took = (time.monotonic() - began) * 1000
    print(f"  {outcome:<8} {took:>7.0f} ms  {sentence}" + (f"\n{'':<20}  {why}" if why else ""), flush=True)
    return outcome


if __name__ == "__main__":
    main()
