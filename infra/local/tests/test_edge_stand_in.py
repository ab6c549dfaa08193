"""Signed URLs: the functions' test vectors are botocore's, and the stand-in takes them and no others."""

import base64
import datetime
import http.client
import json
import os
import sys
import tempfile
import unittest
import urllib.parse
from pathlib import Path

from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

ROOT = Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "infra/local"))

import edge
import edge_stand_in
import front

from deployment import Deployment
from server import Server, free_api_port

VECTORS = json.loads((ROOT / "shared/storage/vectors/cdn.json").read_text())
KEY = serialization.load_der_private_key(base64.b64decode(VECTORS["private_der"]), password=None)
KEYS = {
    VECTORS["id"]: KEY.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
}


def refusal(url: str, now: float, keys: dict[str, str] = KEYS) -> str | None:
    """Returns why the stand-in refuses a URL, or `None` if it takes it."""
    base = "/".join(url.split("/")[:3])
    try:
        edge_stand_in.check(base, url.removeprefix(base), keys, now)
    except edge_stand_in.Refused as why:
        return str(why)
    return None


class SignedUrls(unittest.TestCase):
    def test_the_vectors_are_what_botocore_signs(self) -> None:
        signer = CloudFrontSigner(VECTORS["id"], lambda text: KEY.sign(text, padding.PKCS1v15(), hashes.SHA256()))
        for vector in VECTORS["urls"]:
            end = datetime.datetime.fromtimestamp(vector["expires"], datetime.timezone.utc)
            signed = signer.generate_presigned_url(vector["url"], date_less_than=end)
            self.assertEqual(signed + "&Hash-Algorithm=SHA256", vector["signed"])

    def test_a_signed_url_is_taken_until_it_expires(self) -> None:
        for vector in VECTORS["urls"]:
            self.assertIsNone(refusal(vector["signed"], vector["expires"] - 1))
            self.assertEqual(refusal(vector["signed"], vector["expires"]), "AccessDenied")

    def test_whatever_is_altered_is_refused(self) -> None:
        vector = VECTORS["urls"][0]
        now, signed = vector["expires"] - 1, vector["signed"]
        for old, new, why in (
            ("photo.png", "other.png", "AccessDenied"),
            ("versionId=v1", "versionId=v2", "AccessDenied"),
            (f"Expires={vector['expires']}", f"Expires={vector['expires'] + 1}", "AccessDenied"),
            ("user_ann1", "user_bob1", "AccessDenied"),
            ("&Hash-Algorithm=SHA256", "", "AccessDenied"),
            (VECTORS["id"], "KOTHER", "UnknownKey"),
            (f"&Key-Pair-Id={VECTORS['id']}", "", "MissingKey"),
            ("Expires=", "Expired=", "MalformedPolicy"),
            ("Signature=", "Signature=A", "AccessDenied"),
        ):
            self.assertIn(old, signed)
            self.assertEqual(refusal(signed.replace(old, new), now), why, new)
        self.assertEqual(refusal(vector["url"], now), "MissingKey")
        other = {VECTORS["id"]: edge.public_of(edge.new_key())}
        self.assertEqual(refusal(signed, now, other), "AccessDenied")


class Served(unittest.TestCase):
    """The stand-in before a bucket, and an API that is not deployed."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.server = Server(Path(cls.folder.name))
        cls.server.start(free_api_port(25_000 + os.getpid() % 5_000))
        cls.deployment = Deployment(cls.server.address, "edge")
        cls.url = cls.server.edge + "/_local/stacks/edge"
        cls.edge = edge.set_up(cls.deployment, Path(cls.folder.name), cls.url)
        facts = {"api": "none", "bucket": "photos", "edge": cls.edge.facts}
        front.write_facts(cls.server.stacks, "edge", facts)
        s3 = cls.deployment.s3
        s3.create_bucket(Bucket="photos")
        s3.put_bucket_versioning(Bucket="photos", VersioningConfiguration={"Status": "Enabled"})
        cls.version = s3.put_object(Bucket="photos", Key="user_a/images/a.png", Body=b"0123456789")["VersionId"]

    @classmethod
    def tearDownClass(cls) -> None:
        cls.server.stop()
        cls.folder.cleanup()

    def get(self, url: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=10)
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def signed(self, query: str) -> str:
        stored = self.deployment.client("secretsmanager").get_secret_value(SecretId=self.edge.parameters["CdnKeysArn"])
        keys = json.loads(stored["SecretString"])
        key = serialization.load_pem_private_key(keys["a"]["private"].encode(), password=None)
        signer = CloudFrontSigner(keys["a"]["id"], lambda text: key.sign(text, padding.PKCS1v15(), hashes.SHA256()))
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=5)
        url = f"{self.url}/user_a/images/a.png?{query}"
        return signer.generate_presigned_url(url, date_less_than=end) + "&Hash-Algorithm=SHA256"

    def test_a_signed_url_reads_its_version_with_its_headers(self) -> None:
        url = self.signed(f"response-content-type=image%2Fpng&versionId={self.version}")
        status, headers, body = self.get(url)
        self.assertEqual((status, headers["content-type"], body), (200, "image/png", b"0123456789"))
        self.assertEqual(self.get(url, Range="bytes=2-3")[::2], (206, b"23"))
        status, headers, body = self.get(url, "HEAD")
        self.assertEqual((status, headers["content-length"], body), (200, "10", b""))
        self.assertEqual(self.get(url.replace(self.version, "other"))[0], 403)
        self.assertEqual(self.get(f"{self.url}/user_a/images/a.png")[0], 403)

    def test_nothing_else_of_the_bucket_can_be_read(self) -> None:
        self.deployment.s3.put_object(Bucket="photos", Key="private/watermark.png", Body=b"secret")
        status, _, body = self.get(f"{self.url}/private/watermark.png")
        self.assertEqual(status, 404)
        self.assertNotIn(b"secret", body)

    def test_setting_up_again_changes_nothing_and_a_stack_without_a_cdn_says_so(self) -> None:
        again = edge.set_up(self.deployment, Path(self.folder.name), self.url)
        self.assertEqual(again, self.edge)
        status, _, body = self.get(f"{self.server.edge}/user_a/images/a.png")
        self.assertEqual(status, 503)
        self.assertIn(b"make up EDGE=1", body)


if __name__ == "__main__":
    unittest.main()
