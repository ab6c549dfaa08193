"""Cookies of other applications beside ours, and the claims of session tokens."""

from typing import Any

from cases import Case
from world import World

LIMITS = {"free": "1 GB", "basic": "10 GB", "pro": "100 GB", "premium": "1 TB", "enterprise": "10 TB"}


def usage(world: World, **headers: Any) -> str:
    """Reads the usage of a person. Returns the status and the code of a refusal."""
    return str(world.call("GET", "/api/files/usage", **headers))


def cookie(source: str, given: str, before: str | bytes, expected: str = "200", after: str = "") -> Case:
    """Makes a case with something before our cookie in the header, in UTF-8 or as it is."""

    def ask(world: World) -> str:
        head = before.encode() if isinstance(before, str) else before
        return usage(world, cookie=head + f"__session={world.token()}{after}".encode())

    return Case(source, given, expected, ask)


def plan(given: str, expected: str, **claims: Any) -> Case:
    """Makes a case with claims that name a plan."""

    def ask(world: World) -> str:
        answer = world.call("GET", "/api/files/usage", token=world.token(**({"public_metadata": None} | claims)))
        return answer.json().get("plan", str(answer))

    return Case("Clerk, session tokens", given, expected, ask)


def of_another_issuer(world: World) -> str:
    """Sends the cookie of another application first, then ours with a suffix."""
    theirs = world.token(iss="https://clerk.other.example")
    return usage(world, cookie=f"__session={theirs}; __session_x7Qa2f={world.token()}")


def with_numeric_issuer(world: World) -> str:
    """Sends a token whose issuer is a number beside ours."""
    return usage(world, cookie=f"__session_aaaa={world.token(iss=7)}; __session={world.token()}")


def refused(source: str, given: str, expected: str, **claims: Any) -> Case:
    """Makes a case with a token that must be refused, or not."""
    return Case(source, given, expected, lambda world: usage(world, authorization=f"Bearer {world.token(**claims)}"))


CASES = [
    cookie("aspnet/KestrelHttpServer#1076", "a cookie with a Danish letter", "navn=æble; "),
    cookie("dotnet/aspnetcore#2114", "a cookie with Cyrillic letters", "_test=фыва; "),
    cookie("dotnet/aspnetcore#2259", "a cookie with Chinese letters", "用户=中文; "),
    cookie("Shopify/pitchfork#52", "a cookie with a trade mark sign", "utf8=™; "),
    cookie("rwf2/cookie-rs#116", "a cookie in Latin-1, which is not UTF-8", "a=\xe6; ".encode("latin-1")),
    cookie("clerk/javascript#9466", "a cookie with an escaped semicolon", "pref=a%3Bb%3Dc; "),
    cookie("clerk/javascript#9466", "a cookie with half an escape", "pref=%C0%; "),
    Case(
        "clerk/javascript#3506", "__session of another application beside __session_<suffix>", "200", of_another_issuer
    ),
    Case("clerk/javascript#9466", "a token whose iss is a number beside ours", "200", with_numeric_issuer),
    cookie("clerk-community/svelte-clerk#282", "__session beside an empty __session_<suffix>", "__session_old=; "),
    plan("pla is u:pro", "pro", pla="u:pro"),
    plan("pla is ou:pro, which has two scopes", "pro", pla="ou:pro"),
    plan("pla is u:free,o:premium, two plans", "premium", pla="u:free,o:premium"),
    plan(
        "pla is o:team, unknown, and metadata say basic",
        "basic",
        pla="o:team",
        public_metadata={"subscription": "basic"},
    ),
    plan("no pla and no metadata", "free"),
    refused("RFC 7519, section 4.1.4", "exp an hour ago", "401 TOKEN_EXPIRED", exp=1_700_000_000),
    refused(
        "RFC 7519, section 4.1.1", "iss of another application", "401 UNAUTHENTICATED", iss="https://other.example"
    ),
]
