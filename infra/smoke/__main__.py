"""Tries a deployment of Consigne from outside: `python infra/smoke`. `make smoke` runs it on the laptop's stack.

Everything it needs comes from the environment:

  URL              base of the API
  TOKEN_CMD        a command that prints a session token of a user; it is run again every half minute
  OTHER_TOKEN_CMD  the same for another user, to see that the two are kept apart
  SERVICE_TOKEN    a service token, for checking keys
  ORIGIN           a page's origin that is let in; the token's `azp` when absent
  STACK, REGION    with AWS credentials: also settings, alarms and mail

It works on any system that speaks the same contract, leaves no file and no key behind, and ends with 1 when anything
failed.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import aws
import desk
import files
from client import Api, Failed, Person, Skipped

import house


def main() -> None:
    """Runs every check, one by one."""
    url, command = os.environ.get("URL"), os.environ.get("TOKEN_CMD")
    if not url or not command:
        raise SystemExit(f"URL and TOKEN_CMD are needed.\n\n{__doc__}")
    other, service = os.environ.get("OTHER_TOKEN_CMD"), os.environ.get("SERVICE_TOKEN")
    api, ann, bob = Api(url), Person(command), Person(other, "OTHER_TOKEN_CMD") if other else None
    origin = os.environ.get("ORIGIN") or ann.claim("azp")
    stack = (os.environ.get("STACK"), os.environ.get("REGION"))
    checks: list[tuple[Callable[..., None], tuple]] = [
        (house.browsers_may_call, (api, origin)),
        (house.health, (api,)),
        (house.unknown_routes_and_methods, (api,)),
        (desk.callers_must_be_known, (api, ann)),
        (files.round_trip, (api, ann)),
        (files.grants_are_enforced_by_s3, (api, ann)),
        (files.bad_requests_name_their_field, (api, ann)),
        (files.a_retry_makes_nothing_twice, (api, ann)),
        (files.users_are_kept_apart, (api, ann, bob)),
        (desk.keys_are_charged_once_and_never_after_revocation, (api, ann, service)),
        (desk.a_production_key_spends_bought_credits_alone, (api, ann, service)),
        (desk.organisations_are_kept_apart, (api, ann, bob)),
        (house.jobs, (api, ann)),
        (aws.loops_are_allowed, stack),
        (aws.no_alarm_sounds, stack),
        (aws.mail_goes_out, (api, ann, *stack)),
    ]
    print(f"Trying {api.url}")
    outcomes = [attempt(check, arguments) for check, arguments in checks]
    failed, skipped = outcomes.count("FAILED"), outcomes.count("skipped")
    print(f"\n{outcomes.count('ok')} checks passed, {failed} failed, {skipped} skipped.")
    if failed:
        print("docs/operate/monitor.md says where to look.")
    sys.exit(1 if failed else 0)


def attempt(check: Callable[..., None], arguments: tuple) -> str:
    """Makes a check and prints what came of it."""
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
