"""Deploys infra/observe.yaml.

Not through SAM, whose CLI cannot read the `Fn::ForEach` in it (1.170, "'list' object has no attribute 'get'").
"""

import boto3
from botocore.exceptions import ClientError, WaiterError

from samconfig import Config


def deploy(session: boto3.Session, config: Config, template: str) -> None:
    """Creates or updates the stack of alarms, and waits for it.

    Raises SystemExit with CloudFormation's reasons when it fails.
    """
    formation, name = session.client("cloudformation"), f"{config.stack_name}-observe"
    parameters = config.observe | {"CoreStack": config.stack_name}
    request = {
        "StackName": name,
        "TemplateBody": template,
        "Capabilities": ["CAPABILITY_AUTO_EXPAND"],
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    }
    try:
        formation.describe_stacks(StackName=name)
        verb, waiter = formation.update_stack, "stack_update_complete"
    except ClientError:
        verb, waiter = formation.create_stack, "stack_create_complete"
    try:
        verb(**request)
        formation.get_waiter(waiter).wait(StackName=name, WaiterConfig={"Delay": 2, "MaxAttempts": 300})
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise SystemExit(f"The alarms were not deployed: {error}") from error
    except WaiterError as error:
        events = formation.describe_stack_events(StackName=name)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
        reasons = "\n".join(f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason')}" for event in failed)
        raise SystemExit(f"The alarms were not deployed. The core was.\n{reasons}") from error
