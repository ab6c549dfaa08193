"""Signed URLs: the functions' test vectors are botocore's, and the stand-in takes them and no others."""

import base64
import datetime
import json
import sys
import unittest
from pathlib import Path

from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

ROOT = Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "infra/local"))

import edge
import edge_stand_in

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


if __name__ == "__main__":
    unittest.main()
