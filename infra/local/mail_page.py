"""The mails that the laptop's stack has sent, as a page for people and as JSON for programs.

Subjects, names and texts come from tenants, so everything is escaped. The HTML of a mail is shown in a frame that may
run no script, and by itself only under a policy that forbids scripts and requests.
"""

import datetime
import html
import json
import re
from typing import Any
from urllib.parse import parse_qs, quote

PAGE = "/_local/mail"
# Mails on the page. The JSON has all of them.
SHOWN_MAX = 200
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'; form-action 'self'"
MAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
URL = re.compile(r"https?://[^\s<>\"]+")

STYLE = """
:root { color-scheme: light dark; --line: #d0d4da; --soft: #5b6470; --back: #fff; --card: #f6f7f9; --text: #15181c;
  --link: #0b57d0 }
@media (prefers-color-scheme: dark) {
  :root { --line: #3a4048; --soft: #a3acb8; --back: #15181c; --card: #1e2228; --text: #e8eaed; --link: #8ab4f8 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.4rem; margin: 0 0 .25rem } p { margin: 0 0 1rem; color: var(--soft) } a { color: var(--link) }
form { display: flex; gap: .5rem; margin: 0 0 1rem } input { flex: 1; min-width: 0; max-width: 24rem }
input, button { font: inherit; padding: .3rem .6rem; border: 1px solid var(--line); border-radius: .4rem;
  background: var(--back); color: var(--text) }
details { border: 1px solid var(--line); border-radius: .5rem; margin: 0 0 .75rem; background: var(--card) }
summary { padding: .7rem 1rem; cursor: pointer } summary b { font-weight: 600 }
summary small { display: block; color: var(--soft) } details > div { padding: 0 1rem 1rem }
pre { white-space: pre-wrap; margin: 0 0 1rem; font: 14px/1.5 ui-monospace, monospace }
iframe { width: 100%; height: 28rem; border: 1px solid var(--line); border-radius: .4rem; background: #fff }
"""

Mail = dict[str, Any]


async def sent() -> list[Mail]:
    """Returns MiniStack's records of the mails that were sent, in this process."""
    from ministack import app  # noqa: PLC0415  (serve.py has to prepare its import)

    _, _, text = await app._handle_ses_messages_request("GET", "/_ministack/ses/messages", {}, {})
    return [mail for account in json.loads(text)["messages"].values() for mail in account]


def answer(path: str, query: str, mails: list[Mail]) -> tuple[int, str, str, str] | None:
    """Answers a request for mails. Returns status, type, text and content security policy; `None` for another path.

    `mails` are MiniStack's records. The parameter `to` leaves those to one address.
    """
    wanted = parse_qs(query).get("to", [""])[0].strip()
    chosen = newest_first(mails, wanted)
    if path in (PAGE, f"{PAGE}/"):
        return 200, "text/html", page(chosen, wanted), PAGE_POLICY
    if path == f"{PAGE}.json":
        return 200, "application/json", json.dumps({"mails": chosen}, ensure_ascii=False), ""
    found = re.fullmatch(rf"{PAGE}/([\w-]+)\.html", path)
    mail = next((mail for mail in chosen if found and mail["id"] == found[1]), None)
    if mail and mail["html"]:
        return 200, "text/html", mail["html"], MAIL_POLICY
    return (404, "text/plain", f"There is no such mail. All of them: {PAGE}\n", "") if found else None


def newest_first(mails: list[Mail], wanted: str = "") -> list[Mail]:
    """Returns mails in a shape of their own, the newest first; with `wanted`, those to that address."""
    shaped = [
        {
            "id": mail["MessageId"].partition("@")[0],
            "at": at(mail["Timestamp"]),
            "from": mail["Source"],
            "to": [*mail.get("To", []), *mail.get("CC", []), *mail.get("BCC", [])],
            "subject": mail["Subject"],
            "text": mail["BodyText"],
            "html": mail.get("BodyHtml") or "",
        }
        for mail in sorted(mails, key=lambda mail: mail["Timestamp"], reverse=True)
    ]
    return [mail for mail in shaped if not wanted or any(wanted.lower() in to.lower() for to in mail["to"])]


def at(seconds: float) -> str:
    """Formats a time, in UTC."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def page(mails: list[Mail], wanted: str) -> str:
    """Returns the page with the list of mails."""
    about = f" to {html.escape(wanted)}" if wanted else ""
    some = f"{len(mails)} mail{'' if len(mails) == 1 else 's'}{about}, the newest first."
    if len(mails) > SHOWN_MAX:
        some += f" These are the newest {SHOWN_MAX}."
    if not mails:
        some = f"No mail{about} yet. An invitation sends one: POST /api/orgs/{{org}}/invitations, or make demo."
    json_of = f"{PAGE}.json" + (f"?to={quote(wanted)}" if wanted else "")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Mails of the laptop\'s stack</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>'
        f"<h1>Mails of the laptop's stack</h1><p>{some} None has left this machine. "
        f'<a href="{html.escape(json_of)}">As JSON</a></p>'
        f'<form action="{PAGE}"><input name="to" aria-label="Address" placeholder="to this address" '
        f'value="{html.escape(wanted)}"><button>Show</button></form>'
        f"<main>{''.join(entry(mail) for mail in mails[:SHOWN_MAX])}</main></body></html>\n"
    )


def entry(mail: Mail) -> str:
    """Returns one mail of the list: its head, and its text and HTML when it is opened."""
    shown = {name: html.escape(mail[name]) for name in ("id", "at", "from", "subject")}
    frame = (
        f'<iframe sandbox="" loading="lazy" title="The mail as HTML" src="{PAGE}/{quote(mail["id"])}.html"></iframe>'
        if mail["html"]
        else "<p>It has no HTML version.</p>"
    )
    return (
        f"<details><summary><b>{shown['subject'] or '(no subject)'}</b>"
        f"<small>to {html.escape(', '.join(mail['to']))}</small>"
        f'<small>from {shown["from"]}, <time datetime="{shown["at"]}">{shown["at"]}</time></small></summary>'
        f"<div><pre>{with_links(mail['text'])}</pre>{frame}</div></details>"
    )


def with_links(text: str) -> str:
    """Escapes a text, and makes links of its URLs, which open in a new tab."""
    parts, end = [], 0
    for found in URL.finditer(text):
        url = found[0].rstrip(".,;:)")
        parts.append(html.escape(text[end : found.start()]))
        shown = html.escape(url)
        parts.append(f'<a href="{shown}" target="_blank" rel="noopener noreferrer">{shown}</a>')
        end = found.start() + len(url)
    return "".join([*parts, html.escape(text[end:])])
