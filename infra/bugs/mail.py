"""Addresses of people, as invitations take them."""

from cases import Case
from requests_json import invited
from world import World


def same_person_twice(world: World) -> str:
    """Invites an address in both spellings of its domain."""
    org = world.new_org()
    path = f"/api/orgs/{org['id']}/invitations"
    answers = [
        world.call("POST", path, {"email": address, "role": "billing"}, org["token"])
        for address in ("bob@bücher.example", "BOB@XN--BCHER-KVA.example")
    ]
    return ", ".join(str(answer) for answer in answers)


LONG = "a" * 65 + "@example.com"

CASES = [
    invited("bitwarden/server#1512", "a domain beyond ASCII", "ann@bücher.example", "201 ann@xn--bcher-kva.example"),
    invited(
        "anonaddy/anonaddy#600", "a domain in Punycode", "eve@xn--mgbcmmp9jh.example", "201 eve@xn--mgbcmmp9jh.example"
    ),
    Case("alphagov/notifications-api#2582", "both spellings of a domain", "201, 409 CONFLICT", same_person_twice),
    invited(
        "python/cpython#152519",
        "an encoded word as local part",
        "=?utf-8?q?admin?=@example.com",
        "400 INVALID_REQUEST email",
    ),
    invited(
        "aws/aws-sdk-js#1447",
        "an encoded word of another charset",
        "=?US-ASCII?Q?D=FFrte?=@gmail.com",
        "400 INVALID_REQUEST email",
    ),
    invited("mikel/mail#985", "an umlaut in the local part", "max.müster@example.com", "400 INVALID_REQUEST email"),
    invited(
        "Notifuse/notifuse#150", "an accent in the local part", "Jesús.dan@example.com", "400 INVALID_REQUEST email"
    ),
    invited(
        "alphagov/notifications-utils#622",
        "a control character in a domain",
        "ann@exam\u0008ple.com",
        "400 INVALID_REQUEST email",
    ),
    invited(
        "python/cpython#19007",
        "a line end and a header",
        "ann@example.com\r\nBcc: eve@example.com",
        "400 INVALID_REQUEST email",
    ),
    invited("RFC 5321, section 4.5.3.1.1", "a local part of 65 characters", LONG, "400 INVALID_REQUEST email"),
]
