"""Checks that S3 accepts the replication of a bucket, and that what is replicated is also removed from the replica."""

from collections.abc import Iterator
from typing import Any

from project import Project
from templates import Json, listed, of_type, switched_on, target


def s3_accepts_the_replication(project: Project) -> Iterator[str]:
    """A bucket that replicates has versions, a role that S3 may take and that may write the copies, and complete rules
    of the second version of the schema.
    Source: Amazon S3 API reference, "PutBucketReplication"; Amazon S3 user guide, "Setting up permissions for live
    replication"."""
    for name, bucket in of_type(project.core, "AWS::S3::Bucket").items():
        replication = switched_on(bucket["Properties"].get("ReplicationConfiguration"))
        if replication is None:
            continue
        if bucket["Properties"].get("VersioningConfiguration", {}).get("Status") != "Enabled":
            yield f"{name}: replicates, so it must have versioning."
        role = target(replication["Role"])
        trusted = str(project.core["Resources"].get(role, {}).get("Properties", {}).get("AssumeRolePolicyDocument"))
        if "s3.amazonaws.com" not in trusted:
            yield f"{name}: S3 cannot take the role {role}; its trust must name s3.amazonaws.com."
        for rule in replication["Rules"]:
            destination = rule["Destination"]["Bucket"]
            if target(destination) == name:
                yield f"{name}: cannot replicate to itself."
            if "Filter" in rule and not {"Priority", "DeleteMarkerReplication"} <= set(rule):
                yield f"{name}: the rule {rule['Id']} has a Filter, so it needs Priority and DeleteMarkerReplication."
            written = f"{target(destination)}}}/{prefix_of(rule)}*"
            if not any(written in str(resource) for resource in replicated_to(project.core, role)):
                yield f"{name}: the role {role} may not write copies to {written}."


def removed_files_leave_the_replica(project: Project) -> Iterator[str]:
    """S3 does not replicate the removal of a version. So events about it go to the queue of erase-replica, of all keys
    that replicate.
    Source: Amazon S3 user guide, "What does Amazon S3 replicate?"."""
    for name, bucket in of_type(project.core, "AWS::S3::Bucket").items():
        replication = switched_on(bucket["Properties"].get("ReplicationConfiguration"))
        for rule in replication["Rules"] if replication else []:
            wanted = {"object": {"key": [{"prefix": prefix_of(rule)}]}, "deletion-type": ["Permanently Deleted"]}
            heard = [
                one["Properties"].get("EventPattern", {}) for one in of_type(project.core, "AWS::Events::Rule").values()
            ]
            details = [one["detail"] for one in heard if one.get("detail-type") == ["Object Deleted"]]
            if not any({key: value for key, value in one.items() if key != "bucket"} == wanted for one in details):
                yield f"{name}: no rule hears of the removal of every version that the rule {rule['Id']} replicates."


def prefix_of(rule: Json) -> str:
    """Returns the beginning of the keys that a rule replicates."""
    return rule.get("Filter", {}).get("Prefix", "")


def replicated_to(core: Json, role: str) -> list[Any]:
    """Returns the resources to which a role may replicate, by its policies and those attached to it."""
    own = core["Resources"].get(role, {}).get("Properties", {}).get("Policies", [])
    beside = [body["Properties"] for body in of_type(core, "AWS::IAM::Policy").values()]
    policies = own + [one for one in beside if role in map(target, one["Roles"])]
    statements = [one for policy in policies for one in listed(policy["PolicyDocument"]["Statement"])]
    allowed = [one for one in statements if "s3:ReplicateObject" in listed(one["Action"])]
    return [resource for one in allowed for resource in listed(one["Resource"])]
