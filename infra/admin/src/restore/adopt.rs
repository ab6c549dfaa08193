//! Steps about the new stack: it begins by importing table and bucket, and then gets secrets of its own.
//!
//! Source: AWS CloudFormation user guide, "Import AWS resources into a CloudFormation stack with a resource import".

use std::time::Duration;

use consigne_runtime::clock;

use super::slice::{ADOPTED, slice};
use super::{Restore, Standing};
use crate::aws::Refusal;
use crate::aws::xml::first;
use crate::doctor::facts::StackFacts;

/// Version of CloudFormation's API.
const VERSION: (&str, &str) = ("Version", "2010-05-15");
/// Time between two looks at a change.
const PAUSE: Duration = Duration::from_secs(1);

/// Reads the new stack. `None` if it does not exist, or only as a change set.
pub(crate) async fn facts(restore: &Restore) -> Result<Option<StackFacts>, String> {
    match StackFacts::read(&restore.aws, &restore.stack).await {
        Ok(facts) if facts.status == "REVIEW_IN_PROGRESS" => Ok(None),
        Ok(facts) => Ok(Some(facts)),
        Err(Refusal::Failed(why)) if why.contains("does not exist") => Ok(None),
        Err(refusal) => Err(refusal.into()),
    }
}

/// Looks whether the new stack has the table and the bucket.
pub(crate) async fn look(restore: &Restore) -> Result<Standing, String> {
    let stack = &restore.stack;
    let Some(facts) = facts(restore).await? else {
        return Ok(Standing::ToDo(format!("create the stack {stack}, which imports the table and the bucket")));
    };
    let wanted = [("Table", &restore.table), ("Bucket", &restore.bucket)];
    if wanted.iter().all(|(name, physical)| facts.physical(name) == **physical) {
        return Ok(Standing::Done(format!("{stack} has the table and the bucket")));
    }
    let why = format!(
        "there is a stack {stack} with another table or bucket, in the state {}. Choose another name, or delete what is left of it.",
        facts.status
    );
    Ok(Standing::Blocked(why))
}

/// Looks whether the new stack has its secrets.
pub(crate) async fn look_secrets(restore: &Restore) -> Result<Standing, String> {
    let Some(facts) = facts(restore).await? else { return Ok(Standing::Waits("adoption")) };
    let missing: Vec<&str> = names(restore).filter(|name| facts.physical(name).is_empty()).collect();
    Ok(if missing.is_empty() {
        Standing::Done(format!("{} has secrets of its own", restore.stack))
    } else {
        Standing::ToDo(format!("create in {}: {}", restore.stack, missing.join(", ")))
    })
}

/// Returns the secrets that are created before the functions: those of which the lost stack has a value.
fn names(restore: &Restore) -> impl Iterator<Item = &str> {
    restore.secrets.iter().map(|(name, _)| name.as_str())
}

/// Creates the stack by importing the table and the bucket.
pub(crate) async fn import(restore: &Restore) -> Result<(), String> {
    let template = slice(&restore.template, &ADOPTED)?;
    let resources = [
        ("Table", "AWS::DynamoDB::Table", "TableName", restore.table.as_str()),
        ("Bucket", "AWS::S3::Bucket", "BucketName", restore.bucket.as_str()),
    ];
    let mut form = Vec::new();
    for (at, (name, kind, key, physical)) in (1..).zip(resources) {
        let to = format!("ResourcesToImport.member.{at}");
        form.extend([
            (format!("{to}.LogicalResourceId"), name.to_owned()),
            (format!("{to}.ResourceType"), kind.to_owned()),
            (format!("{to}.ResourceIdentifier.entry.1.key"), key.to_owned()),
            (format!("{to}.ResourceIdentifier.entry.1.value"), physical.to_owned()),
        ]);
    }
    change(restore, "IMPORT", &template, form, "IMPORT_COMPLETE").await
}

/// Adds secrets to the stack, before there is a function that could read their random values.
pub(crate) async fn add_secrets(restore: &Restore) -> Result<(), String> {
    let all: Vec<&str> = ADOPTED.into_iter().chain(names(restore)).collect();
    let template = slice(&restore.template, &all)?;
    change(restore, "UPDATE", &template, Vec::new(), "UPDATE_COMPLETE").await
}

/// Makes a change set, executes it and waits for the end.
async fn change(
    restore: &Restore,
    kind: &str,
    template: &str,
    more: Vec<(String, String)>,
    done: &str,
) -> Result<(), String> {
    let name = format!("restore-{}", clock::now().as_millis());
    let parameters = [
        ("ArchiveAfterDays", restore.archive_after.to_string()),
        ("AuthorizedParties", restore.origins.join(",")),
        ("DeletionProtection", restore.protected.to_string()),
    ];
    let mut form: Vec<(String, String)> = [
        ("Action", "CreateChangeSet"),
        VERSION,
        ("StackName", &restore.stack),
        ("ChangeSetName", &name),
        ("ChangeSetType", kind),
        ("TemplateBody", template),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    for (at, (name, value)) in (1..).zip(parameters) {
        form.push((format!("Parameters.member.{at}.ParameterKey"), name.to_owned()));
        form.push((format!("Parameters.member.{at}.ParameterValue"), value));
    }
    form.extend(more);
    let pairs: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    restore.aws.query("cloudformation", "cloudformation:CreateChangeSet", &pairs).await?;

    let of_set = [VERSION, ("StackName", restore.stack.as_str()), ("ChangeSetName", name.as_str())];
    loop {
        let ask = [&[("Action", "DescribeChangeSet")], of_set.as_slice()].concat();
        let answer = restore.aws.query("cloudformation", "cloudformation:DescribeChangeSet", &ask).await?.body;
        match first(&answer, "Status").as_deref() {
            Some("CREATE_COMPLETE") => break,
            Some("FAILED") => {
                let why = first(&answer, "StatusReason").unwrap_or_default();
                return Err(format!("CloudFormation refuses the change: {why}"));
            }
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
    let ask = [&[("Action", "ExecuteChangeSet")], of_set.as_slice()].concat();
    restore.aws.query("cloudformation", "cloudformation:ExecuteChangeSet", &ask).await?;
    loop {
        tokio::time::sleep(PAUSE).await;
        let ask = [("Action", "DescribeStacks"), VERSION, ("StackName", restore.stack.as_str())];
        let answer = restore.aws.query("cloudformation", "cloudformation:DescribeStacks", &ask).await?.body;
        let status = first(&answer, "StackStatus").unwrap_or_default();
        if status == done {
            return Ok(());
        }
        if !status.ends_with("_IN_PROGRESS") {
            let why = first(&answer, "StackStatusReason").unwrap_or_default();
            return Err(format!(
                "the stack {} is in the state {status}: {why} Its events in CloudFormation say more.",
                restore.stack
            ));
        }
    }
}
