//! What all commands on a stack share: the operator, the clients, and the time limit.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use consigne_aws::budget::InvocationBudget;
use consigne_core::audit::{Actor, AuditAction, AuditEntry, Origin};
use consigne_core::{Fault, OrgId, text};
use consigne_runtime::settings::Setting;
use consigne_runtime::{Start, clock};
use consigne_storage::{Bucket, Presigner, Table};
use serde_json::Value;

use crate::actor;
use crate::aws::Aws;
use crate::secret::StoredSecret;
use crate::stack_env::{StackEnv, Which};

/// Longest time for a command. Each call has a limit of its own; a restore and a download of many files may take many hours.
const BUDGET: Duration = Duration::from_hours(7 * 24);
/// Longest reason, in characters.
const REASON_MAX: usize = 200;

/// An operator at the command line, and the stack on which they act.
#[derive(Debug)]
pub(crate) struct Operator {
    start: Start,
    /// Who acts, for commands that change something.
    origin: Option<Origin>,
    stack: StackEnv,
}

impl Operator {
    /// Creates the clients of a command that only reads. `names` are the settings that the command needs.
    pub(crate) fn of_stack(which: &Which, names: &[&str]) -> Result<Self, String> {
        let stack = StackEnv::of(which)?;
        Ok(Self { start: Start::new(stack.environment(names)?), origin: None, stack })
    }

    /// Creates the clients of a command for a stack that does not exist yet: only the account and the region are known.
    pub(crate) fn of_account(which: &Which) -> Result<Self, String> {
        let stack = StackEnv::account(which)?;
        Ok(Self { start: Start::new(stack.environment(&[])?), origin: None, stack })
    }

    /// Asks the operator whether to change the stack, as [`Self::to_change`] does.
    pub(crate) fn confirm(&self, which: &Which, change: &str) -> Result<(), String> {
        self.stack.confirm(which, change)
    }

    /// Creates the clients of a command that changes the stack. Asks first if the stack is on AWS; `change` says what
    /// would be done, such as `Suspend org_...`.
    ///
    /// # Errors
    /// If there is no name for the audit log, or if the operator does not agree.
    pub(crate) fn to_change(which: &Which, names: &[&str], change: &str) -> Result<Self, String> {
        let operator = Self::named(which, names)?;
        operator.stack.confirm(which, change)?;
        Ok(operator)
    }

    /// Creates the clients of a command that acts under the operator's name, without a question.
    ///
    /// # Errors
    /// If there is no name for the audit log.
    pub(crate) fn named(which: &Which, names: &[&str]) -> Result<Self, String> {
        let name = actor::name(which.operator())?;
        let origin = Origin { actor: Actor::Operator(name), ip: None, user_agent: None, plan: None };
        Ok(Self { origin: Some(origin), ..Self::of_stack(which, names)? })
    }

    /// Returns the value of a setting.
    pub(crate) fn setting(&self, setting: &'static Setting) -> Result<String, String> {
        self.start.environment().get(setting).map_err(|error| error.to_string())
    }

    /// Returns who acts, for the audit log.
    ///
    /// # Errors
    /// If the command was not started as one that changes something.
    pub(crate) fn origin(&self) -> Result<&Origin, String> {
        self.origin.as_ref().ok_or_else(|| "Nothing was changed: nobody is named for the audit log.".to_owned())
    }

    /// Creates the table's adapter.
    pub(crate) fn table(&self) -> Result<Table, String> {
        self.start.table().map_err(|error| error.to_string())
    }

    /// Creates the bucket's adapter.
    pub(crate) fn bucket(&self) -> Result<Bucket, String> {
        self.start.bucket().map_err(|error| error.to_string())
    }

    /// Creates the adapter of the bucket to which S3 replicates, if the stack has one.
    pub(crate) fn replica(&self) -> Result<Option<Bucket>, String> {
        self.start.replica().map_err(|error| error.to_string())
    }

    /// Creates the signer of URLs for the bucket.
    pub(crate) fn presigner(&self) -> Result<Presigner, String> {
        self.start.presigner().map_err(|error| error.to_string())
    }

    /// Returns the secret that a setting names.
    pub(crate) fn secret(&self, arn: &'static Setting) -> Result<StoredSecret, String> {
        let id = self.setting(arn)?;
        Ok(StoredSecret::new(aws_sdk_secretsmanager::Client::new(&self.start.aws().sdk_config()), id))
    }

    /// Creates a client for queues.
    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.start.aws().sdk_config())
    }

    /// Creates the caller of single operations of AWS.
    pub(crate) fn aws(&self) -> Aws {
        Aws::new(self.start.aws().config.clone())
    }

    /// Returns whether another server stands in for AWS, as on a laptop.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.start.aws().config.address.is_some()
    }

    /// Returns one of the stack's names; empty if it has none.
    pub(crate) fn name(&self, name: &str) -> String {
        self.stack.get(name).unwrap_or_default()
    }

    /// Creates an entry for the audit log, as of now. Without an organisation it belongs to the installation's own log.
    ///
    /// # Errors
    /// As [`Self::origin`].
    pub(crate) fn entry(
        &self,
        org: Option<OrgId>,
        action: AuditAction,
        subject: String,
        details: Value,
    ) -> Result<AuditEntry, String> {
        Ok(AuditEntry::new(org, action, subject, self.origin()?, clock::now(), details))
    }
}

/// Runs a command's work within the time limit.
pub(crate) fn work<T, F: Future<Output = Result<T, String>>>(work: F) -> Result<T, String> {
    work_now(work)?
}

/// Runs a part of the work before a command's own work.
pub(crate) fn work_now<F: Future>(work: F) -> Result<F::Output, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("This machine cannot run the command: {error}"))?;
    Ok(runtime.block_on(async { InvocationBudget::new(BUDGET).run(work).await }))
}

/// Parses an organisation's id.
pub(crate) fn org(text: &str) -> Result<OrgId, String> {
    let remedy = "`consigne org list` shows all.";
    OrgId::parse(text).ok_or_else(|| format!("{text} is not an organisation's id: `org_` and 26 characters. {remedy}"))
}

/// Returns the error of an organisation that does not exist.
pub(crate) fn no_such_org(org: OrgId) -> String {
    format!(
        "There is no organisation {org} in this stack. `consigne org list` shows all; check also that this is the stack you \
         mean."
    )
}

/// Checks a reason for the audit log: one line of 1 to 200 characters.
pub(crate) fn reason(text: &str) -> Result<String, String> {
    text::label("--reason", text, REASON_MAX).map_err(|fault| format!("{}.", fault.message))
}

/// Returns the error of a failed call to the table.
pub(crate) fn table_failed(fault: &Fault) -> String {
    format!("The call to the table failed: {}\n`consigne doctor` says what is wrong with it.", fault.chain())
}

/// Returns an error and its chain of causes on one line.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        next = cause.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_of_at_most_200_characters() {
        assert_eq!(reason("  goodwill "), Ok("goodwill".to_owned()));
        for bad in ["", " ", "a\nb", &"x".repeat(201)] {
            assert!(reason(bad).unwrap_err().starts_with("--reason "), "{bad}");
        }
    }

    #[test]
    fn an_organisation_is_named_by_its_id() {
        assert!(org("org_01JD0000000000000000000000").is_ok());
        assert!(org("Acme").unwrap_err().contains("`org_` and 26 characters"));
    }
}
