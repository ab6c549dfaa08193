"""Works around what the server's CloudFormation does not support.

`prepare` rewrites the template before a deployment. `fill` creates what is missing after it, with the services' own
APIs: the routes and CORS of the HTTP API, the table's time to live and backups, the bucket's lifecycle and replication,
the verified sender of mails, and which functions may send messages to themselves.
"""

from collections.abc import Callable
from typing import Any

from intrinsics import Resolver

# Types of infra/observe.yaml that the server lacks, or that need what it lacks.
UNSUPPORTED = (
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Logs::MetricFilter",
    "AWS::Logs::QueryDefinition",
)


def prepare(template: dict[str, Any], parameters: dict[str, str]) -> None:
    """Rewrites what the server does not support in a template, in place.

    The plan of the malware scanner, for which scan_stand_in.py stands in; the SES identity and condition in policies;
    the action for sending messages in batches; and `Ref` to a parameter of type Number.
    """
    resources = template["Resources"]
    for name in [name for name, body in resources.items() if body["Type"] == "AWS::GuardDuty::MalwareProtectionPlan"]:
        del resources[name]
    for body in resources.values():
        properties = body.get("Properties", {})
        scaling = properties.get("ScalingConfig", {})
        if isinstance(scaling.get("MaximumConcurrency"), dict):
            name = scaling["MaximumConcurrency"]["Ref"]
            scaling["MaximumConcurrency"] = int(parameters.get(name, template["Parameters"][name]["Default"]))
        for policy in properties.get("Policies", []):
            for statement in policy.get("Statement", []):
                allow_batches(statement)
                if statement["Action"] == "ses:SendRawEmail":
                    statement["Resource"] = "*"
                    # The server does not support the condition and would refuse every mail.
                    statement.pop("Condition", None)


def allow_batches(statement: dict[str, Any]) -> None:
    """Adds the action `sqs:SendMessageBatch`, which AWS does not have: there `sqs:SendMessage` covers batches."""
    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    if "sqs:SendMessage" in actions:
        statement["Action"] = [*actions, "sqs:SendMessageBatch"]


def drop_unsupported(template: dict[str, Any]) -> None:
    """Removes what the server does not support from a template, in place: alarms on metric math and on other alarms,
    saved log queries, the dashboard, and metrics that are counted from the log."""
    resources = template["Resources"]
    for name in [name for name, resource in resources.items() if any(map(is_unsupported, bodies(resource)))]:
        del resources[name]


def bodies(resource: Any) -> list[dict[str, Any]]:
    """Returns a resource as a list of one, and those that a `Fn::ForEach` makes as it writes them."""
    return list(resource[2].values()) if isinstance(resource, list) else [resource]


def is_unsupported(resource: dict[str, Any]) -> bool:
    """Returns whether the server does not support a resource."""
    return resource["Type"] in UNSUPPORTED or "Metrics" in resource.get("Properties", {})


def fill(template: dict[str, Any], stack: str, client: Callable[[str], Any]) -> None:
    """Creates what is missing in a deployed stack. `client` returns the client of a service by name."""
    cloudformation = client("cloudformation")
    processed = cloudformation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    resolver = Resolver.of_stack(cloudformation, stack, processed.get("Conditions", {}))
    for name, body in processed["Resources"].items():
        if body["Type"] == "AWS::ApiGatewayV2::Api":
            import_routes(client("apigatewayv2"), resolver.values[name], body["Properties"]["Body"], resolver)
    verify_sender(client("ses"), resolver.values["MailFrom"])
    allow_loops(client("lambda"), resolver.values, template)
    for name, body in template["Resources"].items():
        physical, properties = resolver.values.get(name), body.get("Properties", {})
        if "TimeToLiveSpecification" in properties:
            set_time_to_live(client("dynamodb"), physical, properties["TimeToLiveSpecification"])
        if "PointInTimeRecoverySpecification" in properties:
            client("dynamodb").update_continuous_backups(
                TableName=physical, PointInTimeRecoverySpecification=properties["PointInTimeRecoverySpecification"]
            )
        if "LifecycleConfiguration" in properties:
            rules = resolver.resolve(properties["LifecycleConfiguration"]["Rules"])
            configuration = {"Rules": [lifecycle_rule(rule) for rule in rules]}
            client("s3").put_bucket_lifecycle_configuration(Bucket=physical, LifecycleConfiguration=configuration)
        replication = resolver.resolve(properties.get("ReplicationConfiguration", {"Ref": "AWS::NoValue"}))
        if replication:
            client("s3").put_bucket_replication(Bucket=physical, ReplicationConfiguration=replicating(replication))


def import_routes(api: Any, api_id: str, document: dict[str, Any], resolver: Resolver) -> None:
    """Creates an HTTP API's routes and CORS. The server ignores the OpenAPI document in which SAM defines them."""
    for route in api.get_routes(ApiId=api_id, MaxResults="1000")["Items"]:
        api.delete_route(ApiId=api_id, RouteId=route["RouteId"])
    for integration in api.get_integrations(ApiId=api_id, MaxResults="1000")["Items"]:
        api.delete_integration(ApiId=api_id, IntegrationId=integration["IntegrationId"])
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            target = operation["x-amazon-apigateway-integration"]
            integration = api.create_integration(
                ApiId=api_id,
                IntegrationType="AWS_PROXY",
                IntegrationUri=resolver.resolve(target["uri"]),
                PayloadFormatVersion=target["payloadFormatVersion"],
            )
            verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
            # SAM writes the path with a slash or without, by its other settings.
            key = "$default" if path.removeprefix("/") == "$default" else f"{verb} {path}"
            api.create_route(ApiId=api_id, RouteKey=key, Target=f"integrations/{integration['IntegrationId']}")
    if "x-amazon-apigateway-cors" in document:
        cors = resolver.resolve(document["x-amazon-apigateway-cors"])
        api.update_api(ApiId=api_id, CorsConfiguration=cors_configuration(cors))


def verify_sender(ses: Any, sender: str) -> None:
    """Verifies the domain of a sender. On AWS the owner of the domain does that with a DNS record."""
    domain = sender.rpartition("@")[2].rstrip(">")
    if domain:
        ses.verify_domain_identity(Domain=domain)


def allow_loops(functions: Any, values: dict[str, str], template: dict[str, Any]) -> None:
    """Sets `RecursiveLoop` of the functions, as in the template."""
    for name, body in template["Resources"].items():
        setting = body.get("Properties", {}).get("RecursiveLoop")
        if setting and name in values:
            functions.put_function_recursion_config(FunctionName=values[name], RecursiveLoop=setting)


def set_time_to_live(dynamodb: Any, table: str, specification: dict[str, Any]) -> None:
    """Enables a table's time to live, unless it is enabled."""
    current = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if current.get("TimeToLiveStatus") != "ENABLED":
        dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=specification)


def cors_configuration(cors: dict[str, Any]) -> dict[str, Any]:
    """Converts CORS from the OpenAPI extension to API Gateway's API."""
    origins = cors.get("allowOrigins", [])
    return {
        "AllowOrigins": origins.split(",") if isinstance(origins, str) else origins,
        "AllowMethods": cors.get("allowMethods", []),
        "AllowHeaders": cors.get("allowHeaders", []),
        "ExposeHeaders": cors.get("exposeHeaders", []),
        "AllowCredentials": cors.get("allowCredentials", False),
        "MaxAge": cors.get("maxAge", 0),
    }


def replicating(configuration: dict[str, Any]) -> dict[str, Any]:
    """Converts a replication from CloudFormation to S3's API."""
    rules = [
        {"ID": rule["Id"], **{name: rule[name] for name in rule if name != "Id"}} for rule in configuration["Rules"]
    ]
    return {"Role": configuration["Role"], "Rules": rules}


def lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """Converts a lifecycle rule from CloudFormation to S3's API."""
    turned = {"ID": rule["Id"], "Status": rule["Status"], "Filter": {"Prefix": ""}}
    if "AbortIncompleteMultipartUpload" in rule:
        turned["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
    if "NoncurrentVersionExpiration" in rule:
        turned["NoncurrentVersionExpiration"] = rule["NoncurrentVersionExpiration"]
    if "ExpiredObjectDeleteMarker" in rule:
        turned["Expiration"] = {"ExpiredObjectDeleteMarker": rule["ExpiredObjectDeleteMarker"]}
    if "Transitions" in rule:
        turned["Transitions"] = [
            {"StorageClass": item["StorageClass"], "Days": int(item["TransitionInDays"])}
            for item in rule["Transitions"]
        ]
    return turned
