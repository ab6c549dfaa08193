"""The demo's table on the terminal: columns that hold whatever stands in them, titles, and what it is waiting for."""

import os
import shutil
import sys
import textwrap
import threading
import time
from typing import TextIO

# Columns of text between which the table's width may lie. A pipe gets the wide one.
WIDTH_MIN, WIDTH_MAX = 60, 100
# Seconds after which the table says what it is waiting for.
PATIENCE_S = 2
HEADER = ("step", "what happens", "result", "time", "AWS calls")
STEP, TIME, CALLS, GAP = 4, 7, 9, 2


class Table:
    """Prints steps as rows. Knows what is being waited for, and says so when it takes long."""

    def __init__(self, out: TextIO | None = None, width: int | None = None):
        self.out = out or sys.stdout
        self.is_terminal = self.out.isatty() and os.environ.get("TERM") != "dumb"
        self.has_colour = self.is_terminal and not os.environ.get("NO_COLOR")
        asked = width or shutil.get_terminal_size((WIDTH_MAX, 24)).columns
        self.width = max(WIDTH_MIN, min(WIDTH_MAX, asked))
        rest = self.width - STEP - TIME - CALLS - 4 * GAP
        self.result = max(15, min(24, rest * 2 // 5))
        self.what = rest - self.result
        self.lock = threading.Lock()
        self.waits_for, self.since, self.noted = "", time.monotonic(), False

    def title(self, text: str) -> None:
        """Prints the title of a part and the names of the columns."""
        self.line("")
        for line in textwrap.wrap(text, self.width):
            self.line(self.bold(line))
        self.line("")
        self.line(self.dim(self.cells(*HEADER)))

    def row(self, step: int, what: str, result: str, seconds: float, calls: str) -> None:
        """Prints a step. Texts that are too long for their column go on in the next line."""
        whats, results = (self.wrapped(text, width) for text, width in ((what, self.what), (result, self.result)))
        self.line(self.cells(str(step), whats[0], results[0], shown(seconds), calls))
        for place in range(1, max(len(whats), len(results))):
            more, told = (texts[place] if place < len(texts) else "" for texts in (whats, results))
            self.line(self.cells("", more, told, "", ""))

    def cells(self, step: str, what: str, result: str, took: str, calls: str) -> str:
        """Returns a line of the table."""
        gap = " " * GAP
        parts = (f"{step:>{STEP}}", f"{what:<{self.what}}", f"{result:<{self.result}}", f"{took:>{TIME}}")
        return gap.join((*parts, f"{calls:>{CALLS}}")).rstrip()

    @staticmethod
    def wrapped(text: str, width: int) -> list[str]:
        """Returns a text in lines of at most so many characters."""
        return textwrap.wrap(text, width) or [""]

    def line(self, text: str) -> None:
        """Prints a line, in place of the one that says what is being waited for."""
        with self.lock:
            self.clear()
            print(text, file=self.out, flush=True)
            self.since, self.noted = time.monotonic(), False

    # -- waiting -------------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Begins to say what is being waited for whenever that takes longer than two seconds."""
        threading.Thread(target=self.tick_on, daemon=True).start()

    def tick_on(self) -> None:
        while True:
            time.sleep(0.5)
            self.tick()

    def tick(self) -> None:
        """Says what is being waited for, if nothing was printed for a while.

        A terminal shows it in one place, again and again. A pipe gets it once.
        """
        with self.lock:
            waited = time.monotonic() - self.since
            if waited < PATIENCE_S or (self.noted and not self.is_terminal):
                return
            text = f"{' ' * (STEP + GAP)}waiting {waited:.0f} s for {self.waits_for or 'an answer'}"
            self.clear()
            self.noted = True
            print(text[: self.width], end="" if self.is_terminal else "\n", file=self.out, flush=True)

    def clear(self) -> None:
        """Removes the line that says what is being waited for."""
        if self.noted and self.is_terminal:
            print("\r\033[K", end="", file=self.out)

    # -- colours -------------------------------------------------------------------------------------------------

    def bold(self, text: str) -> str:
        return f"\033[1m{text}\033[0m" if self.has_colour else text

    def dim(self, text: str) -> str:
        return f"\033[2m{text}\033[0m" if self.has_colour else text


def shown(seconds: float) -> str:
    """Formats a duration: milliseconds, or seconds from one second on."""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"
