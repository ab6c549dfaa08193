"""Starts and stops the server process of the laptop's stack."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

REGION = "us-east-1"
FIRST_PORT = 4566
SERVE = Path(__file__).resolve().with_name("serve.py")


class Server:
    """The server of this checkout. Its ports and process id are in files, so that every command finds it."""

    def __init__(self, home: Path):
        self.home = home
        self._port_file = home / "port"
        self._stripe_port_file = home / "stripe-port"
        self._pid_file = home / "pid"
        self._upstream_port_file = home / "upstream-port"
        self._model_port_file = home / "model-port"
        self._receiver_port_file = home / "receiver-port"
        self.upstream_secrets = home / "upstream-secrets"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port_file.read_text().strip()}"

    @property
    def stripe_address(self) -> str:
        """Where the stand-in for Stripe listens."""
        return f"http://127.0.0.1:{self._stripe_port_file.read_text().strip()}"

    @property
    def upstream(self) -> str:
        """Where the stand-in for services behind the gateway listens."""
        return f"http://127.0.0.1:{self._upstream_port_file.read_text().strip()}"

    @property
    def model_address(self) -> str:
        """Where the stand-in for a language model listens."""
        return f"http://127.0.0.1:{self._model_port_file.read_text().strip()}"

    @property
    def receiver(self) -> str:
        """Where the stand-in for customers' servers listens."""
        return f"http://127.0.0.1:{self._receiver_port_file.read_text().strip()}"

    def is_up(self) -> bool:
        """Returns whether this checkout's server answers. Another server that uses the same port now does not count."""
        if not is_server(self._pid()):
            return False
        try:
            with urllib.request.urlopen(f"{self.address}/_ministack/health", timeout=2):
                return True
        except (OSError, urllib.error.URLError):
            return False

    def start(self) -> None:
        """Starts the server in the background and waits until it answers.

        Raises SystemExit if it does not answer within half a minute.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        port = free_port(FIRST_PORT)
        self._port_file.write_text(str(port))
        self._stripe_port_file.write_text(str(free_port(port + 1)))
        self._upstream_port_file.write_text(str(free_port(0)))
        self._model_port_file.write_text(str(free_port(0)))
        self._receiver_port_file.write_text(str(free_port(0)))
        (self.home / "tmp").mkdir(exist_ok=True)
        self.upstream_secrets.mkdir(mode=0o700, exist_ok=True)
        log = (self.home / "server.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, str(SERVE)],
            env=self._environment(),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self._pid_file.write_text(str(process.pid))
        for _ in range(300):
            if self.is_up():
                return
            if process.poll() is not None:
                break
            time.sleep(0.1)
        raise SystemExit(f"The server did not start. Its log: {self.home / 'server.log'}")

    def stop(self) -> bool:
        """Ends the server and the functions that it runs. Returns whether it was running."""
        pid = self._pid()
        if not is_server(pid):
            # The file is stale, for example after a reboot. Another process may have the same id now.
            self._pid_file.unlink(missing_ok=True)
            return False
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGTERM)
        for _ in range(100):
            try:
                os.killpg(pid, 0)
            except (ProcessLookupError, PermissionError):
                # macOS says PermissionError of a group whose processes have ended and were not waited for yet.
                break
            time.sleep(0.1)
        else:
            os.killpg(pid, signal.SIGKILL)
        self._pid_file.unlink()
        return True

    def _pid(self) -> int | None:
        try:
            return int(self._pid_file.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def _environment(self) -> dict[str, str]:
        # Functions inherit this environment, so only what a process needs to run is taken from the user's.
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        # The bench sends the functions' calls through a proxy that counts them.
        endpoint = os.environ.get("CONSIGNE_FUNCTION_ENDPOINT", self.address)
        return inherited | {
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "localhost",
            "GATEWAY_PORT": self._port_file.read_text(),
            "STRIPE_STAND_IN_PORT": self._stripe_port_file.read_text(),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "TMPDIR": str(self.home / "tmp"),
            "MODEL_STAND_IN_PORT": self._model_port_file.read_text(),
            "UPSTREAM_PORT": self._upstream_port_file.read_text(),
            "RECEIVER_PORT": self._receiver_port_file.read_text(),
            "UPSTREAM_SECRETS": str(self.upstream_secrets),
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
        }


def is_server(pid: int | None) -> bool:
    """Returns whether a process is a server of this checkout, by its command line."""
    if pid is None:
        return False
    if Path("/proc/self/cmdline").exists():
        command = Path(f"/proc/{pid}/cmdline")
        return command.exists() and str(SERVE).encode() in command.read_bytes().split(b"\0")
    shown = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return str(SERVE) in shown.stdout


def free_port(first: int) -> int:
    """Returns `first` if that port is free on 127.0.0.1, or another free port.

    Raises SystemExit if there is none.
    """
    for port in (first, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return probe.getsockname()[1]
            except OSError:
                continue
    raise SystemExit("No port is free on 127.0.0.1.")
