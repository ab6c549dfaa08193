"""The laptop's stack is deployed whatever the shell says about AWS."""

import os
import subprocess
import sys
import unittest
from pathlib import Path

LOCAL = Path(__file__).resolve().parents[1]

OWN_ACCOUNT = {
    "AWS_PROFILE": "nowhere",
    "AWS_REGION": "eu-west-3",
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "own",
    "AWS_ENDPOINT_URL_S3": "https://s3.eu-west-3.amazonaws.com",
}


def run(code: str) -> str:
    """Runs Python code beside stack.py, in a shell that has an account of its own. Returns what it prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=LOCAL, env={**os.environ, **OWN_ACCOUNT}, capture_output=True, text=True, check=True
    ).stdout.strip()


class Shell(unittest.TestCase):
    def test_an_account_of_the_shell_has_no_effect(self) -> None:
        code = (
            "from deployment import Deployment\n"
            "deployment = Deployment('http://127.0.0.1:1', 'x')\n"
            "client = deployment.client('s3')\n"
            "print(client.meta.endpoint_url, client.meta.region_name, client._request_signer._credentials.access_key)"
        )
        self.assertEqual(run(code), "http://127.0.0.1:1 us-east-1 test")


if __name__ == "__main__":
    unittest.main()
