"""Makes the laptop's S3 refuse what AWS refuses of uploads in parts. `strict.py` adds these refusals to its own."""

import functools
from typing import Any
from xml.etree.ElementTree import ParseError, fromstring

from ministack.services import s3

Json = dict[str, Any]

# Bytes of the smallest part but the last. Source: Amazon S3 user guide, "Amazon S3 multipart upload limits".
PART_MIN = 5 * 1024 * 1024
# Algorithms of which S3 knows a checksum of the parts' checksums only, so that it wants one of every part. Source:
# Amazon S3 user guide, "Checking object integrity in Amazon S3".
COMPOSITE = ("SHA1", "SHA256")
ALGORITHMS = (*COMPOSITE, "CRC32", "CRC32C", "CRC64NVME")


def apply() -> None:
    """Adds every refusal."""
    want_the_checksums_of_the_upload()
    refuse_incomplete_completions()


def want_the_checksums_of_the_upload() -> None:
    """The checksum of a part must be of the algorithm that the upload was opened with, and none if it had none.

    Source: Amazon S3 API reference, "UploadPart", x-amz-sdk-checksum-algorithm: the same for all parts, and that of
    CreateMultipartUpload. A part without one is refused where S3 would have to put it together with the others.
    """
    upload_part = s3._upload_part

    @functools.wraps(upload_part)
    def wrapper(bucket: str, key: str, body: bytes, query: Json, headers: Json) -> tuple:
        upload = s3._multipart_uploads.get(s3._qp(query, "uploadId"))
        if upload is not None:
            expected = upload.get("checksum_algorithm")
            sent = next((name for name in ALGORITHMS if given(headers, name)), None)
            # Without an algorithm S3 takes CRC-64/NVME, of which it needs no part's checksum.
            wanted = expected in COMPOSITE or (sent is not None and (expected or "CRC64NVME") != sent)
            if wanted and sent != expected:
                return refusal(
                    "InvalidRequest",
                    f"Checksum Type mismatch occurred, expected checksum Type: {named(expected)}, "
                    f"actual checksum Type: {named(sent)}",
                )
        return upload_part(bucket, key, body, query, headers)

    s3._upload_part = wrapper


def given(headers: Json, algorithm: str) -> bool:
    """Returns whether a request has a checksum of an algorithm."""
    return f"x-amz-checksum-{algorithm.lower()}" in headers


def named(algorithm: str | None) -> str:
    """Returns how S3's messages name an algorithm."""
    return algorithm.lower() if algorithm else "null"


def refuse_incomplete_completions() -> None:
    """A completion lists its parts in order, none but the last below 5 MiB, with the checksum of each; and only once.

    Source: Amazon S3 API reference, "CompleteMultipartUpload": EntityTooSmall, InvalidPartOrder, and NoSuchUpload for
    an upload that was completed before. S3 may repeat its answer for a while; nothing says for how long.
    """
    complete = s3._complete_multipart_upload

    @functools.wraps(complete)
    def wrapper(bucket: str, key: str, body: bytes, query: Json, headers: Json | None = None) -> tuple:
        number = s3._qp(query, "uploadId")
        s3._completed_multipart_uploads.pop(number, None)
        upload = s3._multipart_uploads.get(number)
        if upload is not None:
            parts = listed_parts(body)
            if not parts:
                return refusal("MalformedXML", "The XML you provided was not well-formed or did not validate.")
            numbers = [int(part.get("PartNumber", 0)) for part in parts]
            if numbers != sorted(set(numbers)):
                return refusal("InvalidPartOrder", "The list of parts was not in ascending order.")
            algorithm = upload.get("checksum_algorithm")
            missing = [part for part in parts if algorithm in COMPOSITE and f"Checksum{algorithm}" not in part]
            if missing:
                return refusal(
                    "InvalidRequest",
                    f"The upload was created using a {named(algorithm)} checksum. The complete request must include "
                    "the checksum for each part.",
                )
            sizes = [upload["parts"][number]["size"] for number in numbers if number in upload["parts"]]
            if any(size < PART_MIN for size in sizes[:-1]):
                return refusal("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
        return complete(bucket, key, body, query, headers)

    s3._complete_multipart_upload = wrapper


def listed_parts(body: bytes) -> list[dict[str, str]]:
    """Returns the parts that the body of a completion lists, each with its fields."""
    try:
        root = fromstring(body)
    except ParseError:
        return []
    plain = [element for element in root.iter() if element.tag.rpartition("}")[2] == "Part"]
    return [{field.tag.rpartition("}")[2]: field.text or "" for field in element} for element in plain]


def refusal(code: str, message: str) -> tuple:
    """Returns S3's answer 400."""
    return s3._error(code, message, 400)
