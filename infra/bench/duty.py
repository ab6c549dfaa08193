"""Keeps a process at a share of a core by stopping it in turns: `duty.py <pid> <percent>`, until it ends."""

import os
import signal
import sys
import time

# Long enough that a sleep is exact, short enough that a request sees many.
PERIOD = 0.05


def main() -> None:
    """Stops and continues in turns."""
    pid, share = int(sys.argv[1]), int(sys.argv[2]) / 100
    try:
        while True:
            os.kill(pid, signal.SIGCONT)
            time.sleep(PERIOD * share)
            os.kill(pid, signal.SIGSTOP)
            time.sleep(PERIOD * (1 - share))
    except ProcessLookupError:
        return


if __name__ == "__main__":
    main()
