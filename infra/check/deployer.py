"""Checks that docs/operate/deployer-policy.json allows everything that a deployment does."""

import fnmatch
import json
import re
from collections.abc import Iterator

import edge

from project import Project
from templates import Json, listed, of_type

# By resource type: the actions that CloudFormation calls with the deployer's permissions to create, read, update and
# delete such a resource, and the ARN of one in a stack called `consigne`.
# Source: the `handlers` in the schema of each type, which `aws cloudformation describe-type` prints.
ANY = "*"
CALLS: dict[str, tuple[str, str]] = {
    "AWS::ApiGatewayV2::Api": ("apigateway:POST GET PATCH PUT DELETE", "arn:aws:apigateway:eu-west-3::/apis/a1b2c3"),
    "AWS::ApiGatewayV2::Stage": (
        "apigateway:POST GET PATCH PUT DELETE logs:CreateLogDelivery GetLogDelivery UpdateLogDelivery DeleteLogDelivery"
        " ListLogDeliveries PutResourcePolicy DescribeResourcePolicies DescribeLogGroups",
        ANY,
    ),
    "AWS::ApiGatewayV2::ApiMapping": ("apigateway:POST GET PATCH DELETE", "arn:aws:apigateway:eu-west-3::/apis/a1b2c3"),
    "AWS::ApiGatewayV2::DomainName": (
        "apigateway:POST GET PATCH DELETE",
        "arn:aws:apigateway:eu-west-3::/domainnames/api.acme.dev",
    ),
    "AWS::CloudFront::CachePolicy": (
        "cloudfront:CreateCachePolicy GetCachePolicy UpdateCachePolicy DeleteCachePolicy",
        ANY,
    ),
    "AWS::CloudFront::Distribution": (
        "cloudfront:CreateDistribution GetDistribution GetDistributionConfig UpdateDistribution DeleteDistribution"
        " CreateInvalidation TagResource UntagResource ListTagsForResource",
        ANY,
    ),
    "AWS::CloudFront::Function": (
        "cloudfront:CreateFunction DescribeFunction GetFunction UpdateFunction PublishFunction DeleteFunction",
        ANY,
    ),
    "AWS::CloudFront::KeyGroup": ("cloudfront:CreateKeyGroup GetKeyGroup UpdateKeyGroup DeleteKeyGroup", ANY),
    "AWS::CloudFront::OriginAccessControl": (
        "cloudfront:CreateOriginAccessControl GetOriginAccessControl UpdateOriginAccessControl"
        " DeleteOriginAccessControl",
        ANY,
    ),
    "AWS::CloudFront::OriginRequestPolicy": (
        "cloudfront:CreateOriginRequestPolicy GetOriginRequestPolicy UpdateOriginRequestPolicy"
        " DeleteOriginRequestPolicy",
        ANY,
    ),
    "AWS::CloudFront::PublicKey": ("cloudfront:CreatePublicKey GetPublicKey UpdatePublicKey DeletePublicKey", ANY),
    "AWS::CloudFront::ResponseHeadersPolicy": (
        "cloudfront:CreateResponseHeadersPolicy GetResponseHeadersPolicy UpdateResponseHeadersPolicy"
        " DeleteResponseHeadersPolicy",
        ANY,
    ),
    "AWS::CloudWatch::Alarm": (
        "cloudwatch:PutMetricAlarm DeleteAlarms ListTagsForResource TagResource UntagResource",
        "arn:aws:cloudwatch:eu-west-3:123456789012:alarm:consigne stream age",
    ),
    "AWS::CloudWatch::CompositeAlarm": (
        "cloudwatch:DeleteAlarms ListTagsForResource TagResource UntagResource",
        "arn:aws:cloudwatch:eu-west-3:123456789012:alarm:consigne service level uploads",
    ),
    "AWS::CloudWatch::Dashboard": (
        "cloudwatch:PutDashboard GetDashboard DeleteDashboards ListDashboards",
        "arn:aws:cloudwatch::123456789012:dashboard/consigne",
    ),
    "AWS::CodeDeploy::Application": (
        "codedeploy:CreateApplication GetApplication UpdateApplication DeleteApplication ListTagsForResource"
        " TagResource UntagResource",
        "arn:aws:codedeploy:eu-west-3:123456789012:application:consigne-ServerlessDeploymentApplication-1A",
    ),
    "AWS::CodeDeploy::DeploymentGroup": (
        "codedeploy:CreateDeploymentGroup GetDeploymentGroup UpdateDeploymentGroup DeleteDeploymentGroup"
        " ListTagsForResource TagResource UntagResource CreateDeployment GetDeployment",
        "arn:aws:codedeploy:eu-west-3:123456789012:deploymentgroup:consigne-ServerlessDeploymentApplication-1A/consigne-G",
    ),
    "AWS::DynamoDB::Table": (
        "dynamodb:CreateTable DescribeTable UpdateTable DeleteTable DescribeContinuousBackups UpdateContinuousBackups"
        " DescribeTimeToLive UpdateTimeToLive TagResource ListTagsOfResource",
        "arn:aws:dynamodb:eu-west-3:123456789012:table/consigne-Table-1A",
    ),
    "AWS::Events::EventBus": (
        "events:CreateEventBus DescribeEventBus UpdateEventBus DeleteEventBus TagResource ListTagsForResource",
        "arn:aws:events:eu-west-3:123456789012:event-bus/consigne",
    ),
    "AWS::Events::Rule": (
        "events:PutRule DescribeRule PutTargets ListTargetsByRule RemoveTargets DeleteRule TagResource",
        "arn:aws:events:eu-west-3:123456789012:rule/consigne/consigne-mails",
    ),
    "AWS::GuardDuty::MalwareProtectionPlan": (
        "guardduty:CreateMalwareProtectionPlan GetMalwareProtectionPlan UpdateMalwareProtectionPlan"
        " DeleteMalwareProtectionPlan TagResource UntagResource",
        ANY,
    ),
    "AWS::IAM::ManagedPolicy": (
        "iam:CreatePolicy GetPolicy GetPolicyVersion ListPolicyVersions CreatePolicyVersion DeletePolicyVersion"
        " DeletePolicy ListEntitiesForPolicy TagPolicy UntagPolicy",
        "arn:aws:iam::123456789012:policy/consigne-GeneratorPolicy-1A",
    ),
    "AWS::IAM::Role": (
        "iam:CreateRole GetRole UpdateAssumeRolePolicy DeleteRole PutRolePolicy GetRolePolicy DeleteRolePolicy"
        " ListRolePolicies AttachRolePolicy DetachRolePolicy ListAttachedRolePolicies TagRole UntagRole"
        " PutRolePermissionsBoundary DeleteRolePermissionsBoundary",
        "arn:aws:iam::123456789012:role/consigne-SweepFunctionRole-1A",
    ),
    "AWS::IAM::Policy": (
        "iam:PutRolePolicy GetRolePolicy DeleteRolePolicy",
        "arn:aws:iam::123456789012:role/consigne-ReplicationRole-1A",
    ),
    # CloudFormation starts a deployment when a version moves.
    "AWS::Lambda::Alias": (
        "lambda:CreateAlias GetAlias UpdateAlias DeleteAlias PutProvisionedConcurrencyConfig"
        " GetProvisionedConcurrencyConfig DeleteProvisionedConcurrencyConfig",
        "arn:aws:lambda:eu-west-3:123456789012:function:consigne-gateway:live",
    ),
    "AWS::Lambda::EventInvokeConfig": (
        "lambda:PutFunctionEventInvokeConfig GetFunctionEventInvokeConfig UpdateFunctionEventInvokeConfig"
        " DeleteFunctionEventInvokeConfig",
        "arn:aws:lambda:eu-west-3:123456789012:function:consigne-sweep",
    ),
    "AWS::Lambda::EventSourceMapping": (
        "lambda:CreateEventSourceMapping GetEventSourceMapping UpdateEventSourceMapping DeleteEventSourceMapping"
        " ListEventSourceMappings",
        ANY,
    ),
    "AWS::Lambda::Function": (
        "lambda:CreateFunction GetFunction GetFunctionConfiguration UpdateFunctionCode UpdateFunctionConfiguration"
        " DeleteFunction PutFunctionRecursionConfig GetFunctionRecursionConfig TagResource ListTags",
        "arn:aws:lambda:eu-west-3:123456789012:function:consigne-sweep",
    ),
    "AWS::Lambda::Permission": (
        "lambda:AddPermission RemovePermission GetPolicy",
        "arn:aws:lambda:eu-west-3:123456789012:function:consigne-sweep",
    ),
    # `make deploy` lists versions and deletes old ones.
    "AWS::Lambda::Version": (
        "lambda:PublishVersion GetFunction GetFunctionConfiguration ListVersionsByFunction DeleteFunction"
        " PutProvisionedConcurrencyConfig GetProvisionedConcurrencyConfig PutRuntimeManagementConfig"
        " GetRuntimeManagementConfig",
        "arn:aws:lambda:eu-west-3:123456789012:function:consigne-gateway:7",
    ),
    "AWS::Logs::LogGroup": (
        "logs:CreateLogGroup PutRetentionPolicy DeleteRetentionPolicy DeleteLogGroup TagResource ListTagsForResource",
        "arn:aws:logs:eu-west-3:123456789012:log-group:/consigne/consigne/files",
    ),
    "AWS::Logs::MetricFilter": (
        "logs:PutMetricFilter DescribeMetricFilters DeleteMetricFilter",
        "arn:aws:logs:eu-west-3:123456789012:log-group:/consigne/consigne/files",
    ),
    "AWS::Logs::QueryDefinition": ("logs:PutQueryDefinition DescribeQueryDefinitions DeleteQueryDefinition", ANY),
    "AWS::S3::Bucket": (
        "s3:CreateBucket DeleteBucket GetBucketAcl PutBucketCORS PutBucketNotification PutBucketVersioning"
        " PutBucketPublicAccessBlock PutEncryptionConfiguration PutLifecycleConfiguration PutBucketOwnershipControls"
        " GetReplicationConfiguration PutReplicationConfiguration",
        "arn:aws:s3:::consigne-bucket-1a",
    ),
    "AWS::S3::BucketPolicy": (
        "s3:PutBucketPolicy GetBucketPolicy DeleteBucketPolicy",
        "arn:aws:s3:::consigne-bucket-1a",
    ),
    "AWS::SES::ConfigurationSet": (
        "ses:CreateConfigurationSet GetConfigurationSet DescribeConfigurationSet DeleteConfigurationSet",
        ANY,
    ),
    "AWS::SES::ConfigurationSetEventDestination": (
        "ses:CreateConfigurationSetEventDestination UpdateConfigurationSetEventDestination"
        " DeleteConfigurationSetEventDestination",
        ANY,
    ),
    "AWS::SNS::Subscription": (
        "sns:Subscribe Unsubscribe GetSubscriptionAttributes SetSubscriptionAttributes",
        "arn:aws:sns:eu-west-3:123456789012:consigne-observe-alarms",
    ),
    "AWS::SNS::Topic": (
        "sns:CreateTopic GetTopicAttributes SetTopicAttributes DeleteTopic ListSubscriptionsByTopic TagResource",
        "arn:aws:sns:eu-west-3:123456789012:consigne-observe-alarms",
    ),
    "AWS::SQS::Queue": (
        "sqs:CreateQueue GetQueueAttributes SetQueueAttributes DeleteQueue TagQueue ListQueueTags",
        "arn:aws:sqs:eu-west-3:123456789012:consigne-mails",
    ),
    "AWS::SQS::QueuePolicy": (
        "sqs:SetQueueAttributes GetQueueAttributes",
        "arn:aws:sqs:eu-west-3:123456789012:consigne-mails",
    ),
    # CloudFormation chooses the names of secrets itself. The stack's name is only in their tags.
    "AWS::SecretsManager::Secret": (
        "secretsmanager:CreateSecret GetRandomPassword DescribeSecret GetSecretValue UpdateSecret DeleteSecret"
        " TagResource",
        ANY,
    ),
}
# What CloudFormation calls to move an alias through CodeDeploy, besides what is named with the deployment group.
# Source: AWS CloudFormation template reference, "UpdatePolicy attribute", CodeDeployLambdaAliasUpdate; AWS CodeDeploy
# user guide, "CodeDeploy permissions reference".
SHIFTING: list[tuple[str, str]] = [
    ("codedeploy:StopDeployment", ANY),
    (
        "codedeploy:GetDeploymentConfig",
        "arn:aws:codedeploy:eu-west-3:123456789012:deploymentconfig:CodeDeployDefault.LambdaCanary10Percent10Minutes",
    ),
    *(
        (f"codedeploy:{action}", "arn:aws:codedeploy:eu-west-3:123456789012:application:consigne-S-1A")
        for action in ("GetApplicationRevision", "RegisterApplicationRevision")
    ),
]
# What AWS allows on no alarm by name, or does for the caller in an account that has not used a service yet.
# Source: Amazon CloudWatch API reference, "PutCompositeAlarm" and "DescribeAlarms"; Amazon API Gateway developer guide,
# "Using service-linked roles for API Gateway", for the first domain of an account.
BESIDES: list[tuple[str, str]] = [
    ("cloudwatch:PutCompositeAlarm", ANY),
    ("cloudwatch:DescribeAlarms", ANY),
    (
        "iam:CreateServiceLinkedRole",
        "arn:aws:iam::123456789012:role/aws-service-role/ops.apigateway.amazonaws.com/AWSServiceRoleForAPIGateway",
    ),
]
# CloudFormation passes a function's role to Lambda.
PASSES = ("iam:PassRole", "arn:aws:iam::123456789012:role/consigne-SweepFunctionRole-1A")
MANAGED_POLICY_MAX = 6144


def the_deployer_may_make_everything(project: Project) -> Iterator[str]:
    """docs/operate/deployer-policy.json allows all actions that the resources of both stacks need, and fits into one
    managed policy.
    Source: AWS IAM user guide, "IAM and AWS STS quotas": 6,144 characters without white space."""
    text = project.pages.get("docs/operate/deployer-policy.json", '{"Statement": []}')
    statements = json.loads(text)["Statement"]
    if not may(statements, *PASSES):
        yield f"The deployer's policy does not allow {PASSES[0]} on {PASSES[1]}."
    for action, arn in (*SHIFTING, *BESIDES):
        if not may(statements, action, arn):
            yield f"The deployer's policy does not allow {action} on {arn}."
    stacks = (project.core, project.observe, edge.load())
    for kind in sorted({body["Type"] for one in stacks for body in one["Resources"].values()}):
        if kind not in CALLS:
            yield f"{kind}: add its actions to CALLS in infra/check/deployer.py."
            continue
        actions, arn = CALLS[kind]
        service = ""
        for word in actions.split():
            service, action = word.split(":") if ":" in word else (service, word)
            if not may(statements, f"{service}:{action}", arn):
                yield f"{kind}: the deployer's policy does not allow {service}:{action} on {arn}."
    attachable = str([one.get("Condition", {}).get("ArnLike", {}).get("iam:PolicyARN") for one in statements])
    for policy in sorted(attached_policies(project.core)):
        if policy.rsplit("/", 1)[-1] not in attachable:
            yield f"The deployer's policy does not allow attaching {policy}."
    if len(re.sub(r"\s", "", text)) > MANAGED_POLICY_MAX:
        yield "The deployer's policy is too large for one managed policy."


def the_deployer_may_pass_every_role(project: Project) -> Iterator[str]:
    """CloudFormation passes each role to the service that takes it, with the deployer's permissions.
    Source: AWS IAM user guide, "Grant a user permissions to pass a role to an AWS service"."""
    text = project.pages.get("docs/operate/deployer-policy.json", '{"Statement": []}')
    passing = [one for one in json.loads(text)["Statement"] if PASSES[0] in listed(one["Action"])]
    allowed = {
        service
        for one in passing
        for service in listed(one.get("Condition", {}).get("StringEquals", {}).get("iam:PassedToService", []))
    }
    for name, role in of_type(project.core, "AWS::IAM::Role").items():
        for statement in listed(role["Properties"]["AssumeRolePolicyDocument"]["Statement"]):
            for service in listed(statement["Principal"].get("Service", [])):
                if service not in allowed:
                    yield f"{name}: the deployer's policy does not allow passing it to {service}."


def may(statements: list[Json], action: str, arn: str) -> bool:
    """Returns whether a statement allows an action on a resource. Conditions count as met."""
    return any(
        any(fnmatch.fnmatchcase(action, pattern) for pattern in listed(one["Action"]))
        and any(fnmatch.fnmatchcase(arn, pattern) for pattern in listed(one["Resource"]))
        for one in statements
    )


def attached_policies(core: Json) -> set[str]:
    """Returns the managed policies of AWS that are attached to roles."""
    roles = of_type(core, "AWS::IAM::Role").values()
    return {str(policy) for role in roles for policy in role["Properties"].get("ManagedPolicyArns", [])}
