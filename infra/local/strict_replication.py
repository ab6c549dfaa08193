"""Makes the laptop's S3 replicate as AWS does, and refuse the replications that AWS refuses. `strict.py` calls it."""

import functools
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring

from ministack.services import s3

Json = dict[str, Any]


def apply() -> None:
    """Adds every refusal."""
    refuse_impossible_replications()
    keep_the_version_of_the_original()


def refuse_impossible_replications() -> None:
    """A bucket replicates to another one that exists, and a rule with a `Filter` has a `Priority` and says what becomes
    of delete markers. MiniStack itself wants versions in both buckets.

    Source: Amazon S3 API reference, "PutBucketReplication" and "ReplicationRule"; Amazon S3 user guide,
    "Troubleshooting replication".
    """
    put = s3._put_bucket_replication

    @functools.wraps(put)
    def wrapper(bucket: str, body: bytes) -> tuple:
        try:
            root = fromstring(body)
        except ParseError:
            return put(bucket, body)
        for rule in (element for element in root if named(element) == "Rule"):
            fields = {named(field): field for field in rule}
            if "Filter" in fields and not {"Priority", "DeleteMarkerReplication"} <= set(fields):
                return refusal("MalformedXML", "The XML you provided was not well-formed or did not validate.")
            places = [field for field in fields["Destination"] if named(field) == "Bucket"]
            destination = (places[0].text or "").rpartition(":")[2] if places else ""
            if destination == bucket:
                return refusal("InvalidRequest", "Destination bucket cannot be the same as the source bucket.")
            if s3._bucket_owner_account(destination) is None:
                return refusal("InvalidRequest", "Destination bucket must exist.")
        return put(bucket, body)

    s3._put_bucket_replication = wrapper


def keep_the_version_of_the_original() -> None:
    """A replica has the version id of its original. MiniStack gives it one of its own.

    Source: Amazon S3 user guide, "Replicating objects within and across Regions": replicas retain version ids.
    """
    record = s3._record_object_version

    @functools.wraps(record)
    def wrapper(bucket: str, key: str, prior: Json | None, stored: Json, data: Any) -> str | None:
        version = record(bucket, key, prior, stored, data)
        if version and stored.get("_replica"):
            destination, own, account = stored["_replica"]
            rename(destination, key, own, version, account)
            stored["_replica"] = (destination, version, account)
        return version

    s3._record_object_version = wrapper


def rename(bucket: str, key: str, old: str, new: str, account: str) -> None:
    """Gives a version another id."""
    with s3._in_account(account):
        for version in s3._object_versions.get((bucket, key), []):
            if version["version_id"] == old:
                version["version_id"] = new
        current = s3._buckets[bucket]["objects"].get(key)
        if current and current.get("version_id") == old:
            current["version_id"] = new


def named(element: Element) -> str:
    """Returns the name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def refusal(code: str, message: str) -> tuple:
    """Returns S3's answer 400."""
    return s3._error(code, message, 400)
