"""Lets functions that wait for their next call cost nothing.

MiniStack looks ten times a second, in two threads of each waiting function, whether it was stopped. After a burst of a
thousand calls that alone would take a whole processor. With this the threads wait until something comes.
"""

import contextlib
import queue
import socket
import socketserver
from typing import Any

from ministack.core import lambda_runtime

# How long a thread waits at a time. The thread of a stopped function may stay for so long, and nothing waits for it.
PATIENCE_S = 10.0


class PatientServer(socketserver.ThreadingTCPServer):
    """A server that waits without polling: `shutdown` wakes it."""

    def serve_forever(self, poll_interval: float = PATIENCE_S) -> None:
        """Serves until it is told to end."""
        super().serve_forever(max(poll_interval, PATIENCE_S))

    def shutdown(self) -> None:
        """Ends it, and waits for that."""
        # The loop reads this when the connection wakes it, so it must be set before.
        self._BaseServer__shutdown_request = True
        with contextlib.suppress(OSError):
            socket.create_connection(self.server_address).close()
        super().shutdown()


def apply() -> None:
    """Patches MiniStack, for functions that start from now on."""
    worker = lambda_runtime.ProvidedWorker
    build_handler = worker._build_handler_class

    def build_patient_handler(self: Any, generation: int, pending: Any) -> Any:
        pending.get = lambda timeout: queue.Queue.get(pending, timeout=max(timeout, PATIENCE_S))
        return build_handler(self, generation, pending)

    worker._build_handler_class = build_patient_handler
    # A function's server is a class that is derived from this one when the function starts.
    socketserver.ThreadingTCPServer = PatientServer
