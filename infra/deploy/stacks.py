"""The state of a CloudFormation stack before and after a deployment."""

import boto3
from botocore.exceptions import ClientError

# A creation failed and was rolled back. Only the stack's name is left, and it cannot be updated.
ROLLED_BACK = "ROLLBACK_COMPLETE"
# States in which CloudFormation neither updates a stack nor continues by itself, with the remedy.
STUCK = {
    "CREATE_FAILED": "Delete it",
    "ROLLBACK_FAILED": "Its events name what could not be deleted. Delete that by hand, then the stack",
    "DELETE_FAILED": "Its events name what could not be deleted. Delete that by hand, then the stack",
    "UPDATE_ROLLBACK_FAILED": "Fix what its events name, then run `aws cloudformation continue-update-rollback`",
}


class Stack:
    """One stack, by its name."""

    def __init__(self, session: boto3.Session, name: str):
        self.name = name
        self._formation = session.client("cloudformation")

    def described(self) -> dict | None:
        """Returns the stack's description. `None` if it does not exist, or exists only as a change set."""
        try:
            stack = self._formation.describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return None if stack["StackStatus"] == "REVIEW_IN_PROGRESS" else stack

    def obstacle(self) -> str | None:
        """Returns why the stack cannot be deployed now, with the remedy. `None` if it can."""
        status = (self.described() or {}).get("StackStatus", "")
        if status in STUCK:
            return f"The stack {self.name} is in the state {status}. {STUCK[status]}."
        if status.endswith("_IN_PROGRESS"):
            return f"The stack {self.name} is being changed ({status}). Try again when that has ended."
        return None

    def clear(self) -> None:
        """Deletes the stack if its creation failed and was rolled back. Otherwise does nothing."""
        if (self.described() or {}).get("StackStatus") == ROLLED_BACK:
            print(f"Deleting the rest of a failed first deployment of {self.name}...")
            self._formation.delete_stack(StackName=self.name)
            self._formation.get_waiter("stack_delete_complete").wait(StackName=self.name, WaiterConfig={"Delay": 2})

    def changed_at(self) -> object:
        """Returns when the stack was last updated or created. `None` if it does not exist."""
        stack = self.described() or {}
        return stack.get("LastUpdatedTime") or stack.get("CreationTime")

    def waiting_change_sets(self) -> set[str]:
        """Returns the names of the change sets that can still be executed."""
        try:
            found = self._formation.list_change_sets(StackName=self.name)["Summaries"]
        except ClientError as error:
            if "does not exist" in str(error):
                return set()
            raise
        return {one["ChangeSetName"] for one in found if one.get("ExecutionStatus") == "AVAILABLE"}

    def parameters(self) -> dict[str, str]:
        """Returns the parameters of the deployed stack. Empty if it does not exist."""
        stack = self.described() or {}
        return {one["ParameterKey"]: one.get("ParameterValue", "") for one in stack.get("Parameters", [])}

    def outputs(self) -> dict[str, str]:
        """Returns the stack's outputs. Empty if it does not exist."""
        stack = self.described() or {}
        return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
