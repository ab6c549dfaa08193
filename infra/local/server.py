"""Starting and stopping the server process of the laptop stack."""

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
    """One server per checkout; its port and process id live in files, so that any command finds it."""

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
        """Where the stand-in for services behind the gateway is."""
        return f"http://127.0.0.1:{self._upstream_port_file.read_text().strip()}"

    @property
    def model_address(self) -> str:
        """Where the stand-in for a language model listens."""
        return f"http://127.0.0.1:{self._model_port_file.read_text().strip()}"

    @property
    def receiver(self) -> str:
        """Where the stand-in for customers' servers is."""
        return f"http://127.0.0.1:{self._receiver_port_file.read_text().strip()}"

    def is_up(self) -> bool:
        """Says whether this checkout's server answers, and not somebody else's on a port it once had."""
        if not is_server(self._pid()):
            return False
        try:
            with urllib.request.urlopen(f"{self.address}/_ministack/health", timeout=2):
                return True
        except (OSError, urllib.error.URLError):
            return False

    def start(self) -> None:
        """Starts the server in the background and waits until it answers, at most half a minute."""
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
        raise SystemExit(f"The server did not come up. Its log: {self.home / 'server.log'}")

    def stop(self) -> bool:
        """Ends the server and the functions it runs; gives whether there was one."""
        pid = self._pid()
        if not is_server(pid):
            # What a machine that went down has left behind; the number may be anybody's by now.
            self._pid_file.unlink(missing_ok=True)
            return False
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGTERM)
        for _ in range(100):
            try:
                os.killpg(pid, 0)
            except ProcessLookupError:
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
        # Functions inherit it, so nothing of the user's environment goes in but what a process needs to run.
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        # Functions may be sent through a proxy that counts their calls.
        endpoint = os.environ.get("CONSIGNE_FUNCTION_ENDPOINT", self.address)
        return kept | {
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
    """Says whether a process is a server of this checkout, by its command line."""
    if pid is None:
        return False
    if Path("/proc/self/cmdline").exists():
        command = Path(f"/proc/{pid}/cmdline")
        return command.exists() and str(SERVE).encode() in command.read_bytes().split(b"\0")
    shown = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return str(SERVE) in shown.stdout


def free_port(first: int) -> int:
    """Gives `first`, or any other port when someone else listens there."""
    for port in (first, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return probe.getsockname()[1]
            except OSError:
                continue
    raise SystemExit("No port is free on 127.0.0.1.")
