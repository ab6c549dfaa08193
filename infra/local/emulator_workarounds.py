"""What the server's CloudFormation leaves out of a stack: said in other words before a deployment, or made through the
services' own APIs after it, such as the routes and CORS of the HTTP API, the table's time to live, the bucket's
lifecycle, the sender of mails, and which functions may call themselves.
"""

import string
from collections.abc import Callable
from typing import Any

from intrinsics import Resolver


def prepare(template: dict[str, Any], parameters: dict[str, str]) -> None:
    """Says in a template what the server would not understand as it stands: which characters secrets do without,
    what mails are sent with, since it knows no such resources, that who may send messages may send them in batches, and
    that a parameter of type Number is one.
    """
    for body in template["Resources"].values():
        properties = body.get("Properties", {})
        scaling = properties.get("ScalingConfig", {})
        if isinstance(scaling.get("MaximumConcurrency"), dict):
            name = scaling["MaximumConcurrency"]["Ref"]
            scaling["MaximumConcurrency"] = int(parameters.get(name, template["Parameters"][name]["Default"]))
        generate = properties.get("GenerateSecretString", {})
        if generate.pop("ExcludePunctuation", False):
            generate["ExcludeCharacters"] = string.punctuation
        for policy in properties.get("Policies", []):
            for statement in policy["Statement"]:
                allow_batches(statement)
                if statement["Action"] == "ses:SendRawEmail":
                    statement["Resource"] = "*"
                    # It knows no such condition, and would refuse every mail.
                    statement.pop("Condition", None)


def allow_batches(statement: dict[str, Any]) -> None:
    """Adds an action that AWS has only as a part of another one."""
    actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
    if "sqs:SendMessage" in actions:
        statement["Action"] = [*actions, "sqs:SendMessageBatch"]


def drop_metric_math(template: dict[str, Any]) -> None:
    """Takes out of a template the alarms that calculate with several metrics, which the server's CloudWatch cannot."""
    resources = template["Resources"]
    for name in [name for name, body in resources.items() if "Metrics" in body_of(body)]:
        del resources[name]


def body_of(resource: Any) -> dict[str, Any]:
    """Gives a resource's properties; none of a `Fn::ForEach`."""
    return resource.get("Properties", {}) if isinstance(resource, dict) else {}


def fill(template: dict[str, Any], stack: str, client: Callable[[str], Any]) -> None:
    """Makes what is missing from a stack that was deployed from a template."""
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
        if "LifecycleConfiguration" in properties:
            rules = resolver.resolve(properties["LifecycleConfiguration"]["Rules"])
            configuration = {"Rules": [lifecycle_rule(rule) for rule in rules]}
            client("s3").put_bucket_lifecycle_configuration(Bucket=physical, LifecycleConfiguration=configuration)


def import_routes(api: Any, api_id: str, document: dict[str, Any], resolver: Resolver) -> None:
    """Makes the routes and CORS of an HTTP API, which SAM writes as OpenAPI and the server ignores there."""
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
            key = "$default" if path == "/$default" else f"{verb} {path}"
            api.create_route(ApiId=api_id, RouteKey=key, Target=f"integrations/{integration['IntegrationId']}")
    if "x-amazon-apigateway-cors" in document:
        cors = resolver.resolve(document["x-amazon-apigateway-cors"])
        api.update_api(ApiId=api_id, CorsConfiguration=cors_configuration(cors))


def verify_sender(ses: Any, sender: str) -> None:
    """Lets mails come from a sender, as the owner of its domain does with an entry in the domain's DNS."""
    domain = sender.rpartition("@")[2].rstrip(">")
    if domain:
        ses.verify_domain_identity(Domain=domain)


def allow_loops(functions: Any, values: dict[str, str], template: dict[str, Any]) -> None:
    """Sets which functions may call themselves through their own queue."""
    for name, body in template["Resources"].items():
        setting = body.get("Properties", {}).get("RecursiveLoop")
        if setting and name in values:
            functions.put_function_recursion_config(FunctionName=values[name], RecursiveLoop=setting)


def set_time_to_live(dynamodb: Any, table: str, specification: dict[str, Any]) -> None:
    """Sets a table's time to live, unless it is set."""
    current = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if current.get("TimeToLiveStatus") != "ENABLED":
        dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=specification)


def cors_configuration(cors: dict[str, Any]) -> dict[str, Any]:
    """Turns the CORS of the OpenAPI extension into the API's own shape."""
    origins = cors.get("allowOrigins", [])
    return {
        "AllowOrigins": origins.split(",") if isinstance(origins, str) else origins,
        "AllowMethods": cors.get("allowMethods", []),
        "AllowHeaders": cors.get("allowHeaders", []),
        "ExposeHeaders": cors.get("exposeHeaders", []),
        "AllowCredentials": cors.get("allowCredentials", False),
        "MaxAge": cors.get("maxAge", 0),
    }


def lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """Turns a lifecycle rule of the template into the API's shape, which differs in small ways."""
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
