"""The demo prints a table that holds with any text, in any width, and shows the parts that are asked for."""

import io
import os
import subprocess
import sys
import time
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "infra/local"), str(ROOT / "infra/local/demo")]

import table
from jobs import give_back
from names import NAMES, chosen
from parts import PARTS


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Columns(unittest.TestCase):
    def printed(self, width: int, *rows: tuple[int, str, str, float, str]) -> list[str]:
        out = io.StringIO()
        printer = table.Table(out, width)
        printer.title("Files: a picture is uploaded.")
        for row in rows:
            printer.row(*row)
        return out.getvalue().splitlines()

    def test_each_column_has_a_header(self) -> None:
        self.assertEqual(
            self.printed(80, (7, "Ann lists her files", "1 file", 0.0123, "2")),
            [
                "",
                "Files: a picture is uploaded.",
                "",
                "step  what happens                      result                   time  AWS calls",
                "   7  Ann lists her files               1 file                  12 ms          2",
            ],
        )

    def test_long_values_go_on_in_the_next_line_of_their_column(self) -> None:
        long = "She gets a mail: Your article is ready: The keeper's hours"
        *_, first, second = self.printed(80, (50, long, "WEBHOOK_CONTENT_MISMATCH_X", 12.34, "13"))
        self.assertTrue(first.endswith(" 12.3 s         13"), first)
        self.assertTrue(second.startswith("      "), second)
        column = slice(6, 6 + table.Table(io.StringIO(), 80).what)
        whole = (first[column] + " " + second[column]).split()
        self.assertEqual(" ".join(whole), long)

    def test_no_line_is_wider_than_the_terminal(self) -> None:
        for width in (60, 80, 100, 132):
            lines = self.printed(width, (1, "word " * 40, "x" * 90, 61.5, "123"), (2, "été " * 30, "", 0.0, "-"))
            self.assertLessEqual(max(map(len, lines)), min(width, table.WIDTH_MAX), width)

    def test_a_pipe_gets_the_wide_table_without_colours(self) -> None:
        with mock.patch.dict(os.environ, clear=True):
            printer = table.Table(io.StringIO())
        self.assertEqual((printer.width, printer.has_colour), (table.WIDTH_MAX, False))

    def test_a_terminal_gets_colours_unless_they_are_refused(self) -> None:
        for variables, wanted in (
            ({}, True),
            ({"NO_COLOR": "1"}, False),
            ({"NO_COLOR": ""}, True),
            ({"TERM": "dumb"}, False),
        ):
            with mock.patch.dict(os.environ, variables, clear=True):
                self.assertEqual(table.Table(Terminal()).has_colour, wanted, variables)

    def test_durations_read_well(self) -> None:
        self.assertEqual([table.shown(s) for s in (0.0004, 0.152, 0.9999, 5.3)], ["0 ms", "152 ms", "1.0 s", "5.3 s"])


class Waiting(unittest.TestCase):
    def test_a_pipe_hears_once_of_a_long_wait(self) -> None:
        out = io.StringIO()
        printer = table.Table(out, 80)
        printer.waits_for = "the webhook about the job"
        printer.tick()
        self.assertEqual(out.getvalue(), "")
        printer.since = time.monotonic() - 3
        printer.tick()
        printer.tick()
        self.assertEqual(out.getvalue(), "      waiting 3 s for the webhook about the job\n")

    def test_a_terminal_is_told_in_place_and_the_line_goes_away(self) -> None:
        out = Terminal()
        printer = table.Table(out, 80)
        printer.since = time.monotonic() - 3
        printer.tick()
        printer.tick()
        self.assertEqual(out.getvalue(), "      waiting 3 s for an answer\r\033[K      waiting 3 s for an answer")
        printer.line("done")
        self.assertTrue(out.getvalue().endswith("\r\033[Kdone\n"))


class Parts(unittest.TestCase):
    def test_without_a_name_all_parts_are_shown(self) -> None:
        self.assertEqual(chosen(""), ["files", "large", "keys", "money", "jobs", "texts", "members", "gateway"])

    def test_each_name_has_its_part(self) -> None:
        self.assertEqual(tuple(PARTS), NAMES)

    def test_names_choose_parts_in_the_order_of_the_demo(self) -> None:
        self.assertEqual(chosen("files"), ["files"])
        self.assertEqual(chosen("Gateway, keys"), ["keys", "gateway"])

    def test_a_wrong_name_lists_the_names_before_anything_is_built(self) -> None:
        command = [sys.executable, "-S", ROOT / "infra/local/demo/names.py", "film"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, f"The demo has no part film. Its parts are {', '.join(NAMES)}.\n")


class Queue(unittest.TestCase):
    def test_messages_of_other_jobs_go_back_as_new_ones(self) -> None:
        walk = mock.Mock()
        give_back(walk, "url", [{"Body": "other", "ReceiptHandle": "handle"}])
        wanted = [
            mock.call.send_message(QueueUrl="url", MessageBody="other"),
            mock.call.delete_message(QueueUrl="url", ReceiptHandle="handle"),
        ]
        self.assertEqual(walk.queues.method_calls, wanted)


if __name__ == "__main__":
    unittest.main()
