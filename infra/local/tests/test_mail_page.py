"""The page of mails shows what tenants wrote as text, never as markup."""

import json
import sys
import unittest
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import mail_page

EVIL = "<script>alert('1')</script>\"'&"


def mail(number: int, **other: Any) -> dict[str, Any]:
    """Returns a record as MiniStack keeps it, sent in second `number`."""
    return {
        "MessageId": f"id-{number}@email.amazonses.com",
        "Source": "Consigne <no-reply@consigne.example>",
        "To": [f"user{number}@people.example"],
        "CC": [],
        "BCC": [],
        "Subject": f"Mail {number}",
        "BodyText": "Text",
        "BodyHtml": "<p>Text</p>",
        "Timestamp": float(number),
        "Type": "SendRawEmail",
    } | other


def get(path: str, mails: list[dict[str, Any]], query: str = "") -> tuple[int, str, str, str]:
    found = mail_page.answer(path, query, mails)
    assert found is not None, path
    return found


class Elements(HTMLParser):
    """Collects the tags, links and frames of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.frames: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "a":
            self.links.append(dict(attrs)["href"] or "")
        if tag == "iframe":
            self.frames.append(dict(attrs))


class Page(unittest.TestCase):
    def test_the_newest_mail_is_first(self) -> None:
        _, kind, text, _ = get("/_local/mail", [mail(1), mail(3), mail(2)])
        self.assertEqual(kind, "text/html")
        places = [text.index(f"Mail {number}") for number in (3, 2, 1)]
        self.assertEqual(places, sorted(places))
        for part in ("user3@people.example", "Consigne &lt;no-reply@consigne.example&gt;", "1970-01-01T00:00:03Z"):
            self.assertIn(part, text)

    def test_everything_that_tenants_write_is_escaped(self) -> None:
        fields = {"Subject": EVIL, "Source": EVIL, "To": [EVIL], "BodyText": EVIL, "MessageId": f"{EVIL}@x"}
        _, _, text, policy = get("/_local/mail", [mail(1, **fields)], f"to={EVIL[:8]}")
        self.assertNotIn("script", Elements(text).tags)
        self.assertIn("&lt;script&gt;", text)
        self.assertIn("default-src 'none'", policy)

    def test_the_html_is_in_a_frame_without_any_permission(self) -> None:
        _, _, text, _ = get("/_local/mail", [mail(1, BodyHtml="<script>alert(1)</script>")])
        [frame] = Elements(text).frames
        self.assertEqual((frame["sandbox"], frame["src"]), ("", "/_local/mail/id-1.html"))
        status, _, body, policy = get("/_local/mail/id-1.html", [mail(1, BodyHtml="<b>As it is</b>")])
        self.assertEqual((status, body), (200, "<b>As it is</b>"))
        self.assertTrue(policy.startswith("sandbox; default-src 'none'"), policy)
        self.assertNotIn("allow-scripts", policy)

    def test_a_mail_without_html_says_so(self) -> None:
        _, _, text, _ = get("/_local/mail", [mail(1, BodyHtml=None)])
        self.assertEqual(Elements(text).frames, [])
        self.assertEqual(get("/_local/mail/id-1.html", [mail(1, BodyHtml=None)])[0], 404)

    def test_urls_of_the_text_can_be_followed(self) -> None:
        body = 'See http://localhost:3000/a?token=x&b=1. Not javascript:alert(1), nor http://x"onclick="y'
        _, _, text, _ = get("/_local/mail", [mail(1, BodyText=body)])
        links = [link for link in Elements(text).links if link.startswith("http")]
        self.assertEqual(links, ["http://localhost:3000/a?token=x&b=1", "http://x"])
        self.assertFalse([link for link in Elements(text).links if "javascript" in link])

    def test_an_address_can_be_chosen(self) -> None:
        _, _, text, _ = get("/_local/mail", [mail(1), mail(2)], "to=user2@people.example")
        self.assertIn("Mail 2", text)
        self.assertNotIn("Mail 1", text)
        self.assertIn("No mail to nobody@x yet", get("/_local/mail", [mail(1)], "to=nobody@x")[2])

    def test_the_json_has_the_same_mails(self) -> None:
        _, kind, text, _ = get("/_local/mail.json", [mail(1), mail(2, Subject="été")])
        self.assertEqual(kind, "application/json")
        newest = json.loads(text)["mails"][0]
        wanted = {"id": "id-2", "subject": "été", "to": ["user2@people.example"], "at": "1970-01-01T00:00:02Z"}
        self.assertEqual({name: newest[name] for name in wanted}, wanted)

    def test_the_page_fits_a_phone_and_follows_the_dark_mode(self) -> None:
        _, _, text, _ = get("/_local/mail", [mail(1)])
        for part in ("width=device-width", "prefers-color-scheme: dark", "overflow-wrap: anywhere"):
            self.assertIn(part, text)

    def test_only_the_newest_are_on_the_page(self) -> None:
        _, _, text, _ = get("/_local/mail", [mail(number) for number in range(250)])
        self.assertEqual(text.count("<details>"), mail_page.SHOWN_MAX)
        self.assertIn("These are the newest 200.", text)


if __name__ == "__main__":
    unittest.main()
