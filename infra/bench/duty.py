"""Limits a process to a share of a core by stopping and continuing it: `duty.py <pid> <percent>`, until it ends."""

import os
import signal
import sys
import time

# Seconds. Long enough that sleeps are accurate, short enough that a request spans many periods.
PERIOD = 0.05


def main() -> None:
    """Stops and continues the process in every period."""
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
