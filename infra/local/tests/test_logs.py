"""`make logs` prints what functions write, and nothing else."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

LOGS = Path(__file__).resolve().parents[1] / "logs.py"
LINES = """2026-11-28 02:35:20 INFO [server] Starting
{"timestamp":"2026-11-28T07:36:47Z","level":"INFO","message":"A message was processed","function":"send-mail",\
"duration_ms":38.138,"aws.calls":3,"event.kind":"wallet.low","mail.outcomes":{"user_a":"no address"},"_aws":{}}
{"timestamp":"2026-11-28T07:36:48Z","level":"ERROR","message":"POST /api/orgs answered 500","function":"org-create",\
"duration_ms":1.2,"aws.calls":1,"error.chain":"INTERNAL: été"}
{"timestamp":"2026-11-28T07:36:49Z","level":"INFO","message":"GET /api/files/metadata answered 404",\
"function":"metadata","audit":{"user":"user_a","outcome":"NOT_FOUND","file":"01M7YREWKH7VM7Z3Z2KWSH2FTR"}}
{"timestamp": broken
"""


class Logs(unittest.TestCase):
    def printed(self, *arguments: str) -> list[str]:
        """Returns the lines that are printed of the log above."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "server.log"
            path.write_text(LINES)
            command = [sys.executable, LOGS, "--once", "--log", path, *arguments]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout.splitlines()

    def test_each_entry_is_one_line_with_its_fields(self) -> None:
        mail, org, _ = self.printed()
        words = (
            'A message was processed  38 ms  3 AWS calls  event.kind=wallet.low  mail.outcomes={"user_a":"no address"}'
        )
        self.assertEqual(mail, f"07:36:47 INFO  send-mail            {words}")
        self.assertTrue(org.endswith("1 ms  1 AWS call  error.chain=INTERNAL: été"), org)

    def test_entries_can_be_chosen_by_function_and_by_level(self) -> None:
        self.assertEqual(len(self.printed("--function", "send-mail")), 1)
        self.assertEqual(len(self.printed("--function", "usage")), 0)
        [error] = self.printed("--errors")
        self.assertIn("ERROR org-create", error)

    def test_entries_can_be_chosen_by_the_file_that_was_accessed(self) -> None:
        [access] = self.printed("--file", "01M7YREWKH7VM7Z3Z2KWSH2FTR")
        self.assertIn('audit={"user":"user_a","outcome":"NOT_FOUND"', access)
        self.assertEqual(self.printed("--file", "01M7YREWKH7VM7Z3Z2KWSH2FTS"), [])


if __name__ == "__main__":
    unittest.main()
