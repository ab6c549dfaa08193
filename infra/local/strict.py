"""Makes the laptop's server refuse what AWS refuses.

MiniStack accepts some requests that fail on AWS, so a mistake would pass every test and fail in the first deployment.
Each function below adds one refusal and names the page that documents it. `infra/local/tests` tests each of them, and
also what MiniStack refuses by itself: items above 400 KB, transactions of more than 100 items, parameters that break a
Rule.
"""

import contextvars
import functools
import json
import logging
import re
import time
from collections.abc import Callable
from typing import Any

import strict_forms
import strict_parts
import strict_replication
from ministack.core.responses import error_response_json
from ministack.services import apigateway, cloudformation, cloudwatch, dynamodb, eventbridge, lambda_svc, sqs
from ministack.services.cloudformation import handlers as cloudformation_handlers
from ministack.services.cloudformation import provisioners
from ministack.services.cloudformation import stacks as cloudformation_stacks

Json = dict[str, Any]

# Bytes of all names and values together. Source: AWS Lambda developer guide, "Lambda quotas".
ENVIRONMENT_MAX_BYTES = 4096
# Bytes of all entries of one request; 256 KB until January 2026. Source: Amazon EventBridge user guide, "Amazon
# EventBridge quotas".
EVENTS_MAX_BYTES = 1024 * 1024
# Invocations of a function that run in one chain; the next one is dropped. Source: AWS Lambda developer guide, "Use
# Lambda recursive loop detection to prevent infinite loops".
HOPS_MAX = 16

logger = logging.getLogger("strict")


def apply() -> None:
    """Adds every refusal. Called once, before the server starts."""
    refuse_policies_of_several_queues()
    hand_preflights_to_catch_all_routes()
    stop_recursive_loops()
    refuse_large_environments()
    refuse_foreign_start_keys()
    refuse_large_and_malformed_events()
    keep_protected_tables()
    keep_exports_in_use()
    strict_parts.apply()
    strict_replication.apply()
    strict_forms.apply()


# ------------------------------------------------------------------------------------------------ queue policies


def refuse_policies_of_several_queues() -> None:
    """A queue's policy may name that queue only.

    SQS answers "Invalid value for the parameter Policy" when the `Resource` of a statement names another queue, for
    example when one policy is attached to a queue and to its dead-letter queue. Source: Amazon SQS developer guide,
    "Custom policies": the resource of a queue policy is the queue it is attached to.
    """
    set_attributes = sqs._act_set_queue_attributes

    @functools.wraps(set_attributes)
    def set_queue_attributes(data: Json, url: str) -> Json:
        policy = (data.get("Attributes") or {}).get("Policy")
        if policy:
            refuse_other_queues(json.loads(policy), data.get("QueueUrl", url))
        return set_attributes(data, url)

    sqs._act_set_queue_attributes = set_queue_attributes
    sqs._HANDLERS["SetQueueAttributes"] = set_queue_attributes

    def checked(write: Callable[..., Any], properties_at: int) -> Callable[..., Any]:
        @functools.wraps(write)
        def wrapper(*args: Any) -> Any:
            properties = args[properties_at]
            for url in properties.get("Queues", []):
                refuse_other_queues(properties.get("PolicyDocument", {}), url)
            return write(*args)

        return wrapper

    handlers = provisioners._RESOURCE_HANDLERS["AWS::SQS::QueuePolicy"]
    handlers["create"] = checked(handlers["create"], 1)
    handlers["update"] = checked(handlers["update"], 2)


def refuse_other_queues(policy: Json, url: str) -> None:
    """Raises SQS's error if a statement names anything other than the queue at `url`."""
    queue = url.rstrip("/").rpartition("/")[2]
    for statement in listed(policy.get("Statement")):
        resources = listed(statement.get("Resource", []))
        if len(resources) > 1 or any(item != "*" and item.rpartition(":")[2] != queue for item in resources):
            raise sqs._Err("InvalidAttributeValue", "Invalid value for the parameter Policy.")


# ---------------------------------------------------------------------------------------------------- preflights


def hand_preflights_to_catch_all_routes() -> None:
    """A route that matches `OPTIONS` receives the preflight, even if the API has a CORS configuration.

    API Gateway answers a preflight itself only if no route matches it. `$default` and `ANY` routes match every method,
    so their functions have to answer. API Gateway then adds the CORS headers to the answer and replaces those that the
    function set. Source: API Gateway developer guide, "Configure CORS for HTTP APIs in API Gateway".
    """
    execute = apigateway._handle_execute_in_scope

    @functools.wraps(execute)
    async def handle(
        api_id: str, stage: str, path: str, method: str, headers: Json, body: bytes, query: Json, *rest: Any
    ) -> tuple:
        route = apigateway._match_route(api_id, method, "/" + path.lstrip("/")) if method == "OPTIONS" else None
        if route is None:
            return await execute(api_id, stage, path, method, headers, body, query, *rest)
        account, region, raw_query = (*rest, None)[:3]
        pattern = route["routeKey"].partition(" ")[2]
        status, answered, text = await apigateway._invoke_lambda_proxy(
            apigateway._integrations[api_id][route["target"].rpartition("/")[2]],
            api_id,
            stage,
            path,
            method,
            {name.lower(): value for name, value in headers.items()},
            body,
            query,
            route["routeKey"],
            (apigateway._extract_path_params(pattern, path) if pattern else None) or None,
            owner_account_id=account,
            owner_region=region,
            raw_query_string=raw_query,
        )
        return status, with_cors(answered, api_id, headers.get("origin", "")), text

    apigateway._handle_execute_in_scope = handle


def with_cors(headers: Json, api_id: str, origin: str) -> Json:
    """Replaces the CORS headers of a function's answer with those of the API."""
    cors = apigateway._apis[api_id].get("corsConfiguration")
    if not cors:
        return headers
    kept = {name: value for name, value in headers.items() if not name.lower().startswith("access-control-")}
    status, added, _ = apigateway._cors_preflight_response(cors, origin)
    return kept | {name: value for name, value in added.items() if status == 204 and name != "Content-Length"}


# ----------------------------------------------------------------------------------------------- recursive loops

# How often each function has run in the chain that led to the current message.
_lineage: contextvars.ContextVar[dict[str, int] | None] = contextvars.ContextVar("lineage", default=None)
# The trace header of the current request to SQS.
_sent_with: contextvars.ContextVar[str] = contextvars.ContextVar("sent_with", default="")


def stop_recursive_loops() -> None:
    """The 17th invocation of a function in one chain is dropped, unless the function has `RecursiveLoop: Allow`.

    Lambda counts a chain by the trace header. Functions send it to SQS whether they are traced or not, and SQS passes
    it on with the message. MiniStack counts direct invocations only. AWS documents what happens to the dropped message
    for asynchronous calls only. Here it counts as failed, so it ends on the dead-letter queue. Source: AWS Lambda
    developer guide, "Use Lambda recursive loop detection to prevent infinite loops".
    """
    make_trace, run_batch = lambda_svc._xray_trace_id_for_invocation, lambda_svc._run_sqs_batch

    @functools.wraps(make_trace)
    def trace_id(config: Json, inbound: str | None = None) -> str:
        name, lineage = config.get("FunctionName", ""), _lineage.get() or {}
        trace = make_trace({**config, "TracingConfig": {"Mode": "Active"}}, inbound)
        grown = lineage | {name: lineage.get(name, 0) + 1}
        return f"{trace};Lineage=" + ",".join(f"{function}:{count}" for function, count in sorted(grown.items()))

    @functools.wraps(run_batch)
    def run(esm: Json, function: Json, event: Json, batch: list[Json], url: str, queue: str) -> None:
        lineage: dict[str, int] = {}
        for message in batch:
            for name, count in lineage_of((message.get("sys") or {}).get("AWSTraceHeader", "")).items():
                lineage[name] = max(count, lineage.get(name, 0))
        name = (function.get("config") or function).get("FunctionName", "")
        allowed = function.get("recursive_loop") == "Allow"
        if lineage.get(name, 0) >= HOPS_MAX and not allowed:
            drop(name, batch, url)
            return
        token = _lineage.set(lineage)
        try:
            run_batch(esm, function, event, batch, url, queue)
        finally:
            _lineage.reset(token)

    lambda_svc._xray_trace_id_for_invocation, lambda_svc._run_sqs_batch = trace_id, run
    keep_trace_headers()


def lineage_of(trace: str) -> dict[str, int]:
    """Reads from a trace header how often each function has run in the chain."""
    found = re.search(r"Lineage=([^;]+)", trace)
    pairs = (item.rpartition(":") for item in found.group(1).split(",")) if found else ()
    return {name: int(count) for name, _, count in pairs}


def drop(name: str, batch: list[Json], url: str) -> None:
    """Removes the messages of a dropped invocation from their queue, and moves them to its dead-letter queue if any."""
    logger.warning("Dropped an invocation of %s: it would be number %d in its chain.", name, HOPS_MAX + 1)
    cloudwatch.record_metric("AWS/Lambda", "RecursiveInvocationsDropped", 1, "Count", {"FunctionName": name})
    queue = sqs._queues.get(url) or {"messages": [], "attributes": {}}
    target = json.loads(queue["attributes"].get("RedrivePolicy") or "{}").get("deadLetterTargetArn")
    dead = sqs._queue_by_arn(target) if target else None
    for message in [message for message in batch if message in queue["messages"]]:
        queue["messages"].remove(message)
        if dead is not None:
            dead["messages"].append(message | {"visible_at": time.time(), "receipt_handle": None, "receive_count": 0})


def keep_trace_headers() -> None:
    """SQS stores the trace header of a request as the message's `AWSTraceHeader`.

    Source: Amazon SQS developer guide, "Amazon SQS and AWS X-Ray".
    """
    handle, send, send_batch = sqs.handle_request, sqs._act_send_message, sqs._act_send_message_batch

    @functools.wraps(handle)
    async def handle_request(method: str, path: str, headers: Json, body: bytes, query: Json) -> tuple:
        token = _sent_with.set(headers.get("x-amzn-trace-id", ""))
        try:
            return await handle(method, path, headers, body, query)
        finally:
            _sent_with.reset(token)

    def with_trace(message: Json) -> Json:
        trace, given = _sent_with.get(), message.get("MessageSystemAttributes") or {}
        if not trace or "AWSTraceHeader" in given:
            return message
        return message | {
            "MessageSystemAttributes": given | {"AWSTraceHeader": {"DataType": "String", "StringValue": trace}}
        }

    @functools.wraps(send)
    def send_message(data: Json, url: str) -> Json:
        return send(with_trace(data), url)

    @functools.wraps(send_batch)
    def send_message_batch(data: Json, url: str) -> Json:
        return send_batch(data | {"Entries": [with_trace(entry) for entry in data.get("Entries") or []]}, url)

    sqs.handle_request = handle_request
    sqs._HANDLERS |= {"SendMessage": send_message, "SendMessageBatch": send_message_batch}


# -------------------------------------------------------------------------------------------------------- limits


def refuse_large_environments() -> None:
    """The environment variables of a function may have 4 KB together."""

    def checked(write: Callable[..., Any], properties_at: int) -> Callable[..., Any]:
        @functools.wraps(write)
        def wrapper(*args: Any) -> Any:
            variables = (args[properties_at].get("Environment") or {}).get("Variables") or {}
            size = sum(len(f"{name}{value}".encode()) for name, value in variables.items())
            if size > ENVIRONMENT_MAX_BYTES:
                raise ValueError(
                    "Lambda was unable to configure your environment variables because the environment variables you "
                    f"have provided exceeded the 4KB limit. String measured: {size}"
                )
            return write(*args)

        return wrapper

    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    handlers["create"] = checked(handlers["create"], 1)
    handlers["update"] = checked(handlers["update"], 2)


def refuse_foreign_start_keys() -> None:
    """`ExclusiveStartKey` must have exactly the key attributes of the table and the index, with the right types.

    Source: Amazon DynamoDB API reference, "Query", ExclusiveStartKey.
    """

    def checked(read: Callable[[Json], tuple]) -> Callable[[Json], tuple]:
        @functools.wraps(read)
        def wrapper(data: Json) -> tuple:
            start, table = data.get("ExclusiveStartKey"), dynamodb._tables.get(data.get("TableName"))
            if start and table and not is_key(start, table, data.get("IndexName")):
                message = "The provided starting key is invalid: The provided key element does not match the schema"
                return error_response_json("ValidationException", message, 400)
            return read(data)

        return wrapper

    dynamodb._query, dynamodb._scan = checked(dynamodb._query), checked(dynamodb._scan)


def is_key(start: Json, table: Json, index: str | None) -> bool:
    """Returns whether a start key has exactly the key attributes of a table, and of `index` if given, by type."""
    names = {table["pk_name"], table.get("sk_name")} - {None}
    for one in table.get("GlobalSecondaryIndexes", []) + table.get("LocalSecondaryIndexes", []):
        if one["IndexName"] == index:
            names |= {element["AttributeName"] for element in one["KeySchema"]}
    types = {item["AttributeName"]: item["AttributeType"] for item in table["AttributeDefinitions"]}
    return set(start) == names and all(list(value) == [types[name]] for name, value in start.items())


def keep_protected_tables() -> None:
    """CloudFormation cannot delete a protected table. A rollback that has to delete one ends in ROLLBACK_FAILED.

    Source: Amazon DynamoDB developer guide, "Using deletion protection to protect your table".
    """
    table = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]
    delete = table["delete"]

    @functools.wraps(delete)
    def wrapper(physical_id: str, properties: Json, *more: Any, **named: Any) -> Any:
        if dynamodb._tables.get(physical_id, {}).get("DeletionProtectionEnabled") in (True, "true"):
            raise ValueError(f"Resource cannot be deleted as it is currently protected against deletion: {physical_id}")
        return delete(physical_id, properties, *more, **named)

    table["delete"] = wrapper


def keep_exports_in_use() -> None:
    """A stack cannot change or remove an exported value that another stack imports.

    Source: AWS CloudFormation user guide, "Get exported outputs from a deployed CloudFormation stack".
    """
    resolve = cloudformation_stacks._resolve_stack_outputs

    @functools.wraps(resolve)
    def wrapper(*arguments: Any) -> tuple[list[Json], Json]:
        outputs, exports = resolve(*arguments)
        stack = arguments[-1]
        for name, export in cloudformation._exports.items():
            if export["StackId"] != stack or exports.get(name, {}).get("Value") == export["Value"]:
                continue
            for other, body in cloudformation._stacks.items():
                stands = body["StackStatus"].endswith("_COMPLETE") and body["StackStatus"] != "DELETE_COMPLETE"
                if body["StackId"] == stack or not stands:
                    continue
                if name in cloudformation_handlers._imported_export_names(body, other):
                    raise ValueError(f"Export {name} cannot be updated as it is in use by {other}")
        return outputs, exports

    cloudformation_stacks._resolve_stack_outputs = wrapper


def refuse_large_and_malformed_events() -> None:
    """The `Detail` of an event must be a JSON object, and the entries of one request may have 1 MB together.

    Source: Amazon EventBridge API reference, "PutEvents".
    """
    put = eventbridge._put_events

    @functools.wraps(put)
    def put_events(data: Json, *args: Any, **kwargs: Any) -> tuple:
        entries = data.get("Entries", [])
        if sum(entry_size(entry) for entry in entries) > EVENTS_MAX_BYTES:
            message = f"Total size of the entries in the request is over the limit of {EVENTS_MAX_BYTES} bytes"
            return error_response_json("ValidationException", message, 400)
        well = [entry for entry in entries if is_object(entry.get("Detail", "{}"))]
        status, headers, body = put(data | {"Entries": well}, *args, **kwargs)
        if status != 200 or len(well) == len(entries):
            return status, headers, body
        answer = json.loads(body)
        taken = iter(answer["Entries"])
        malformed = {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        answer["Entries"] = [next(taken) if entry in well else malformed for entry in entries]
        answer["FailedEntryCount"] += len(entries) - len(well)
        return status, headers, json.dumps(answer).encode()

    eventbridge._put_events = put_events


def entry_size(entry: Json) -> int:
    """Returns the size of an entry in bytes, as EventBridge counts it: 14 for a time, plus the length of all texts."""
    texts = [entry.get("Source", ""), entry.get("DetailType", ""), entry.get("Detail", ""), *entry.get("Resources", [])]
    return (14 if "Time" in entry else 0) + sum(len(text.encode()) for text in texts)


def is_object(text: str) -> bool:
    """Returns whether a text is a JSON object."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def listed(value: Any) -> list[Any]:
    """Returns a list as it is, and any other value as a list of one."""
    return value if isinstance(value, list) else [value]
