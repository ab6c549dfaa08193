"""Measures an upload in parts on the laptop's stack, which must be up: `python infra/bench/parts.py [MEGABYTES]`.

Four parts are on their way at a time, as in a browser. Half of them are sent first; then what has arrived is listed and
the rest is signed again, as after a reload of the page.
"""

import json
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
AT_A_TIME = 4
# The start of an MPEG-4 video. Zeros follow.
START = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"


class Upload:
    """One person's upload."""

    def __init__(self, size: int) -> None:
        env = dict(line.split("=", 1) for line in (ROOT / "target/local/stack.env").read_text().splitlines())
        self.url, self.size = env["CONSIGNE_URL"], size
        made = subprocess.run(["make", "--silent", "token"], cwd=ROOT, check=True, capture_output=True, text=True)
        self.token = made.stdout.strip()
        self.film = memoryview(START + bytes(16 * 1024 * 1024))

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Calls the API. Returns its answer."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers, method=method)) as answer:
            return json.load(answer)

    def put(self, part: dict[str, Any]) -> dict[str, Any]:
        """Sends a part. Returns its number and its entity tag."""
        start = 0 if part["partNumber"] == 1 else len(START)
        bytes_of_part = self.film[start : start + part["size"]]
        request = urllib.request.Request(
            part["url"], bytes_of_part, part["headers"] | {"Content-Type": ""}, method="PUT"
        )
        with urllib.request.urlopen(request) as answer:
            return {"partNumber": part["partNumber"], "etag": answer.headers["ETag"]}

    def send(self, path: str, numbers: list[int]) -> None:
        """Has parts signed, a hundred at a time, and sends them."""
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            for at in range(0, len(numbers), 100):
                signed = self.api("POST", f"{path}/parts", {"partNumbers": numbers[at : at + 100]})
                list(pool.map(self.put, signed["parts"]))


def main() -> None:
    """Uploads a film of so many megabytes, and deletes it again."""
    size = int(sys.argv[1] if len(sys.argv) > 1 else 1024) * 1024 * 1024
    upload, began = Upload(size), time.monotonic()
    grant = upload.api("POST", "/api/files/uploads", {"filename": "film.mp4", "contentType": "video/mp4", "size": size})
    path, count = f"/api/files/uploads/{grant['fileId']}", grant["partCount"]
    upload.send(path, list(range(1, count // 2 + 1)))
    print(f"{count // 2} of {count} parts sent after {time.monotonic() - began:.1f} s", flush=True)
    upload.send(path, upload.api("GET", f"{path}/parts")["missing"])
    sent = time.monotonic() - began
    print(f"{count} parts sent after {sent:.1f} s, {size / sent / 1e6:.0f} MB a second", flush=True)
    listed = upload.api("GET", f"{path}/parts")["parts"]
    parts = [{"partNumber": part["partNumber"], "etag": part["etag"]} for part in listed]
    done = upload.api("POST", f"{path}/complete", {"parts": parts})
    while upload.api("GET", f"/api/files/metadata?s3Key={done['s3Key']}")["status"] != "ready":
        time.sleep(0.1)
    print(f"completed and ready after {time.monotonic() - began:.1f} s")
    upload.api("DELETE", "/api/files/delete", {"s3Key": done["s3Key"]})


if __name__ == "__main__":
    main()
