"""Makes the laptop's S3 refuse what AWS refuses of forms (POST). `strict.py` adds these refusals to its own.

MiniStack itself checks the signature, the expiry, every condition of the policy, fields that no condition names, and
the permissions of the signer.
"""

import functools
from typing import Any

from ministack.services import s3

Json = dict[str, Any]

# Bytes of everything before the file. Source: Amazon S3 API reference, "Error responses": the code below.
FIELDS_MAX = 20_480


def apply() -> None:
    """Adds every refusal."""
    ignore_fields_behind_the_file()
    refuse_long_fields()


def ignore_fields_behind_the_file() -> None:
    """The file is the last field of a form. What comes behind it is ignored, so a form whose policy does is refused.

    Source: Amazon S3 API reference, "POST Object": "The file or content must be the last field in the form. Any fields
    below it are ignored."
    """
    parse = s3._parse_multipart_form

    @functools.wraps(parse)
    def wrapper(content_type: str, body: bytes) -> list[tuple]:
        fields = parse(content_type, body)
        names = [name for name, *_ in fields]
        return fields[: names.index("file") + 1] if "file" in names else fields

    s3._parse_multipart_form = wrapper


def refuse_long_fields() -> None:
    """The fields before the file have at most 20 KB together."""
    post = s3._post_object

    @functools.wraps(post)
    def wrapper(bucket: str, body: bytes, headers: Json) -> tuple:
        fields = s3._parse_multipart_form(headers.get("content-type", ""), body)
        size = sum(len(name) + len(value) for name, _, _, value in fields if name != "file")
        if size > FIELDS_MAX:
            return s3._error(
                "MaxPostPreDataLengthExceededError",
                "Your POST request fields preceding the upload file were too large.",
                400,
            )
        return post(bucket, body, headers)

    s3._post_object = wrapper
