"""A CloudFormation stack, as a deployment finds it and leaves it."""

import boto3
from botocore.exceptions import ClientError

# A creation that failed and was taken back. Nothing is left of it but its name, which cannot be updated.
TAKEN_BACK = "ROLLBACK_COMPLETE"
# States that CloudFormation neither updates nor leaves by itself, and what to do about each.
STUCK = {
    "CREATE_FAILED": "Delete it",
    "ROLLBACK_FAILED": "Its events name what could not be deleted. Delete that by hand, then the stack",
    "DELETE_FAILED": "Its events name what could not be deleted. Delete that by hand, then the stack",
    "UPDATE_ROLLBACK_FAILED": "Mend what its events name, then run `aws cloudformation continue-update-rollback`",
}


class Stack:
    """One stack by its name."""

    def __init__(self, session: boto3.Session, name: str):
        self.name = name
        self._formation = session.client("cloudformation")

    def described(self) -> dict | None:
        """Asks for the stack; `None` when there is none, or only a change set that would create it."""
        try:
            stack = self._formation.describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return None if stack["StackStatus"] == "REVIEW_IN_PROGRESS" else stack

    def obstacle(self) -> str | None:
        """Says why the stack cannot be deployed now, and what to do; `None` when it can."""
        status = (self.described() or {}).get("StackStatus", "")
        if status in STUCK:
            return f"The stack {self.name} is in the state {status}. {STUCK[status]}."
        if status.endswith("_IN_PROGRESS"):
            return f"The stack {self.name} is being changed ({status}). Try again when that has ended."
        return None

    def clear(self) -> None:
        """Deletes what a failed creation has left: the name."""
        if (self.described() or {}).get("StackStatus") == TAKEN_BACK:
            print(f"Deleting what is left of a first deployment of {self.name} that failed...")
            self._formation.delete_stack(StackName=self.name)
            self._formation.get_waiter("stack_delete_complete").wait(StackName=self.name, WaiterConfig={"Delay": 2})

    def changed_at(self) -> object:
        """Gives when the stack was created or last updated; `None` when there is none."""
        stack = self.described() or {}
        return stack.get("LastUpdatedTime") or stack.get("CreationTime")

    def waiting_change_sets(self) -> set[str]:
        """Gives the change sets that could be executed and were not."""
        try:
            found = self._formation.list_change_sets(StackName=self.name)["Summaries"]
        except ClientError as error:
            if "does not exist" in str(error):
                return set()
            raise
        return {one["ChangeSetName"] for one in found if one.get("ExecutionStatus") == "AVAILABLE"}

    def parameters(self) -> dict[str, str]:
        """Gives the parameters the stack was deployed with."""
        stack = self.described() or {}
        return {one["ParameterKey"]: one.get("ParameterValue", "") for one in stack.get("Parameters", [])}

    def outputs(self) -> dict[str, str]:
        """Gives the stack's outputs."""
        stack = self.described() or {}
        return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
