"""Tests of the patches that let waiting functions cost nothing."""

import queue
import socketserver
import sys
import threading
import time
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import idle_functions
from ministack.core import lambda_runtime


class ServerOfAFunction(unittest.TestCase):
    """The server that a function asks for its next call."""

    def test_it_ends_at_once_though_it_looks_seldom(self) -> None:
        """Without a connection that wakes it, it would end after ten seconds."""
        server = idle_functions.PatientServer(("127.0.0.1", 0), socketserver.StreamRequestHandler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        began = time.monotonic()
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
        self.assertFalse(thread.is_alive())
        self.assertLess(time.monotonic() - began, 5)


class NextCall(unittest.TestCase):
    """The queue in which a function's next call lies."""

    def test_the_next_call_is_waited_for_patiently_and_found_at_once(self) -> None:
        """A wait of a tenth of a second becomes one of ten, which ends when a call comes."""
        worker = SimpleNamespace(_build_handler_class=lambda self, generation, pending: pending)
        with (
            mock.patch.object(lambda_runtime, "ProvidedWorker", worker),
            mock.patch.object(socketserver, "ThreadingTCPServer"),
        ):
            idle_functions.apply()
            pending = worker._build_handler_class(None, 1, queue.Queue(maxsize=1))
        threading.Timer(0.3, pending.put, ["call"]).start()
        self.assertEqual(pending.get(timeout=0.1), "call")


if __name__ == "__main__":
    unittest.main()
