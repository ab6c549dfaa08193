"""Starts and stops the server process of the laptop's stack."""

import contextlib
import json
import os
import shutil
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
# Where the API is, unless `make up PORT=` chose another port. Applications have it in their settings.
API_PORT = 4580
SERVE = Path(__file__).resolve().with_name("serve.py")


class Server:
    """The server of this checkout. Its ports and process id are in files, so that every command finds it."""

    def __init__(self, home: Path):
        self.home = home
        self._port_file = home / "port"
        self._api_port_file = home / "api-port"
        self._chosen_port_file = home / "chosen-port"
        self._console_port_file = home / "console-port"
        self._stripe_port_file = home / "stripe-port"
        self._pid_file = home / "pid"
        self._upstream_port_file = home / "upstream-port"
        self._model_port_file = home / "model-port"
        self._receiver_port_file = home / "receiver-port"
        self._edge_port_file = home / "edge-port"
        self.upstream_secrets = home / "upstream-secrets"
        # Where MiniStack unpacks functions, a gigabyte and more. Nobody else removes it.
        self._unpacked = home / "tmp"
        # What the server knows of each deployed stack. See front.py.
        self.stacks = home / "stacks"
        # Which permissions functions use. See permission_record.py.
        self.permissions = home / "permissions"

    @property
    def address(self) -> str:
        """Where AWS listens."""
        return f"http://127.0.0.1:{self._port_file.read_text().strip()}"

    @property
    def api_port(self) -> int:
        """The port of the API: of the running server, or else of the next one."""
        return number_in(self._api_port_file) if self.is_up() else self.next_api_port()

    @property
    def api_address(self) -> str:
        """Where the API of the first stack listens. It stays the same, whatever id API Gateway gives the API."""
        return f"http://localhost:{self.api_port}"

    @property
    def console_origin(self) -> str:
        """Where the console is. It stays the same from one start to the next, unless another program has its port."""
        return f"http://localhost:{number_in(self._console_port_file)}"

    def next_api_port(self) -> int:
        """Returns the port that the next server tries: the one that was chosen last with `make up PORT=`, or 4580."""
        return number_in(self._chosen_port_file) or API_PORT

    def check_port(self, asked: int | None) -> None:
        """Checks that the API can listen on the port that is asked for, or else on the usual one.

        Raises SystemExit with one sentence that names the cure if it cannot.
        """
        if self.is_up():
            if asked in (None, self.api_port):
                return
            raise SystemExit(
                f"The stack is up on port {self.api_port}. To move it, and lose what is on it: "
                f"make down && make up PORT={asked}"
            )
        port = asked or self.next_api_port()
        if is_busy(port):
            raise SystemExit(
                f"Port {port} is in use by {user_of(port)}. Choose another one: make up PORT={free_api_port(port)}"
            )

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

    @property
    def edge(self) -> str:
        """Where the stand-in for the CDN listens."""
        return f"http://127.0.0.1:{self._edge_port_file.read_text().strip()}"

    def is_up(self) -> bool:
        """Returns whether this checkout's server answers. Another server that uses the same port now does not count."""
        if not is_server(self._pid()):
            return False
        try:
            with urllib.request.urlopen(f"{self.address}/_ministack/health", timeout=10):
                return True
        except (OSError, urllib.error.URLError):
            return False

    def start(self, chosen: int | None = None) -> None:
        """Starts the server in the background and waits until it answers.

        `chosen` is the API's port, and is kept for later starts. Without it a busy port is replaced by a free one.
        Raises SystemExit if `chosen` is busy, or if the server does not answer within half a minute.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        if chosen is not None:
            self.check_port(chosen)
            self._chosen_port_file.write_text(str(chosen))
        usual = self.next_api_port()
        api_port = free_api_port(usual) if is_busy(usual) else usual
        self._api_port_file.write_text(str(api_port))
        console_port = number_in(self._console_port_file)
        if console_port in (0, api_port) or is_busy(console_port):
            self._console_port_file.write_text(str(free_api_port(api_port)))
        port = free_port(FIRST_PORT)
        self._port_file.write_text(str(port))
        self._stripe_port_file.write_text(str(free_port(port + 1)))
        self._upstream_port_file.write_text(str(free_port(0)))
        self._model_port_file.write_text(str(free_port(0)))
        self._receiver_port_file.write_text(str(free_port(0)))
        self._edge_port_file.write_text(str(free_port(0)))
        self._unpacked.mkdir(exist_ok=True)
        self.upstream_secrets.mkdir(mode=0o700, exist_ok=True)
        self.stacks.mkdir(exist_ok=True)
        # A new server has no stacks yet.
        for facts in self.stacks.glob("*.json"):
            facts.unlink()
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
            shutil.rmtree(self._unpacked, ignore_errors=True)
            return False
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGTERM)
        for _ in range(100):
            # If this process has started the server, the server is a zombie until it is waited for.
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            try:
                os.killpg(pid, 0)
            except (ProcessLookupError, PermissionError):
                # macOS says PermissionError of a group whose processes have ended and were not waited for yet.
                break
            time.sleep(0.1)
        else:
            os.killpg(pid, signal.SIGKILL)
        self._pid_file.unlink(missing_ok=True)
        shutil.rmtree(self._unpacked, ignore_errors=True)
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
            "API_PORT": self._api_port_file.read_text(),
            "CONSOLE_PORT": self._console_port_file.read_text(),
            "STACKS": str(self.stacks),
            "PERMISSIONS": str(self.permissions),
            "STRIPE_STAND_IN_PORT": self._stripe_port_file.read_text(),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "TMPDIR": str(self._unpacked),
            "MODEL_STAND_IN_PORT": self._model_port_file.read_text(),
            "UPSTREAM_PORT": self._upstream_port_file.read_text(),
            "RECEIVER_PORT": self._receiver_port_file.read_text(),
            "EDGE_PORT": self._edge_port_file.read_text(),
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


def port_number(text: str) -> int:
    """Reads the port of the API from the command line.

    Raises SystemExit if it is none.
    """
    if text.isdecimal() and 1024 <= int(text) <= 65535:
        return int(text)
    raise SystemExit(f"PORT={text} is no port for the API: give a number from 1024 to 65535, such as PORT=4590.")


def number_in(path: Path) -> int:
    """Returns the number in a file, or 0 if there is none."""
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        return 0


def is_busy(port: int) -> bool:
    """Returns whether `localhost` cannot be listened on at a port, because a program does."""
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with contextlib.suppress(OSError), socket.socket(family) as probe:
            probe.settimeout(1)
            if probe.connect_ex((host, port)) == 0:
                return True
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def user_of(port: int) -> str:
    """Returns who listens on a port of `localhost`, as far as it tells: a stack of another checkout says so."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_local/stack.json", timeout=2) as answer:
            return f"the stack of {json.load(answer)['checkout']} (make down there stops it)"
    except (OSError, ValueError, KeyError, TypeError):
        return "another program"


def free_api_port(after: int) -> int:
    """Returns the next free port after one of the API."""
    following = (port for port in range(after + 1, min(after + 100, 65536)) if not is_busy(port))
    return next(following, None) or free_port(0)


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
