"""Members: somebody is invited by mail, joins, and leaves."""

import re
import time

from walk import Walk, timed


def tell(walk: Walk, ann: str, org: str) -> None:
    """Invites a member, accepts the invitation, and leaves again."""
    user = f"user_cleo{int(time.time())}"
    cleo = walk.token(user, "free")
    invite(walk, ann, org, user)
    accept(walk, user, cleo, org)
    leave(walk, cleo, org, user)


def invite(walk: Walk, ann: str, org: str, user: str) -> None:
    ask = {"email": f"{user}@people.example", "role": "developer"}
    path = f"/api/orgs/{org}/invitations"
    took, (status, answer, request) = timed(lambda: walk.api("POST", path, ann, ask, "invite-cleo"))
    walk.expect(status == 201, f"the invitation was refused: {answer}")
    walk.say("Ann invites Cleo as a developer", "invited", took, walk.calls("member-invite", request))


def accept(walk: Walk, user: str, cleo: str, org: str) -> None:
    took, mail = timed(lambda: walk.mail(user, "token="))
    found = re.search(r"token=(\S+)", mail["BodyText"])
    walk.expect(found is not None, "the mail contains no link")
    walk.say(f"Cleo gets a mail: {mail['Subject']}", "one link", took, walk.calls("send-mail", mail["MessageId"]))

    ask = {"token": found[1] if found else ""}
    took, (status, answer, request) = timed(lambda: walk.api("POST", "/api/invitations/accept", cleo, ask))
    walk.expect(status == 200, f"the invitation was not accepted: {answer}")
    walk.say("She follows its link, signed in", "a member", took, walk.calls("invitation-accept", request))

    took, (_, answer, request) = timed(lambda: walk.api("GET", f"/api/orgs/{org}/keys", cleo))
    walk.say(
        "She sees the organisation's keys",
        "1 key" if len(answer["data"]) == 1 else f"{len(answer['data'])} keys",
        took,
        walk.calls("key-list", request),
    )


def leave(walk: Walk, cleo: str, org: str, user: str) -> None:
    path = f"/api/orgs/{org}/members/{user}"
    took, (status, answer, request) = timed(lambda: walk.api("DELETE", path, cleo))
    walk.expect(status == 200, f"she could not leave: {answer}")
    walk.say("Cleo leaves again", "no member", took, walk.calls("member-remove", request))

    took, (status, _, request) = timed(lambda: walk.api("GET", f"/api/orgs/{org}/keys", cleo))
    walk.expect(status == 404, f"she was answered {status}")
    walk.say("Her next request for its keys", "404, as if unknown", took, walk.calls("key-list", request))
