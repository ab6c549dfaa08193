//! Steps about the new stack: it begins by importing table and bucket, and then gets secrets of its own.
//!
//! Source: AWS CloudFormation user guide, "Import AWS resources into a CloudFormation stack with a resource import".

use std::time::Duration;

use consigne_runtime::clock;

use super::slice::{ADOPTED, of_kind, slice};
use super::{Restore, Standing, bucket};
use crate::aws::Refusal;
use crate::aws::xml::first;
use crate::doctor::facts::{Resource, SECRET, StackFacts, VERSION};

/// Time between two looks at a change.
const PAUSE: Duration = Duration::from_secs(1);
/// With what the state of a stack begins whose creation or import was taken back, or that is deleted.
const UNDONE: [&str; 4] = ["ROLLBACK_", "IMPORT_ROLLBACK_", "CREATE_FAILED", "DELETE_"];

/// Reads the new stack. `None` if it does not exist, or only as a change set.
pub(crate) async fn read(restore: &Restore) -> Result<Option<StackFacts>, String> {
    match StackFacts::read(&restore.aws, &restore.stack).await {
        Ok(stack) if stack.status.is_empty() => Err("CloudFormation does not tell the state of the stack.".to_owned()),
        Ok(stack) if stack.status == "REVIEW_IN_PROGRESS" => Ok(None),
        Ok(stack) => Ok(Some(stack)),
        Err(Refusal::Failed(why)) if why.contains("does not exist") => Ok(None),
        Err(refusal) => Err(refusal.into()),
    }
}

/// Returns whether a stack was deployed: whether it has anything but the table, the bucket and secrets. The template of the
/// steps has nothing else, so updating the stack with it would delete the rest.
pub(crate) fn is_deployed(stack: &StackFacts) -> bool {
    let is_of_step = |one: &Resource| ADOPTED.contains(&one.logical.as_str()) || one.kind == SECRET;
    !stack.resources().all(is_of_step)
}

/// Returns whether CloudFormation is changing a stack.
fn is_changing(stack: &StackFacts) -> bool {
    stack.status.ends_with("_IN_PROGRESS")
}

/// Looks whether the new stack has the table and the bucket.
pub(crate) async fn look(restore: &Restore) -> Result<Standing, String> {
    Ok(match read(restore).await? {
        Some(stack) => judge(&stack, &restore.table, &restore.bucket),
        None => Standing::ToDo(format!("create the stack {}, which imports the table and the bucket", restore.stack)),
    })
}

fn judge(stack: &StackFacts, table: &str, bucket: &str) -> Standing {
    let StackFacts { name, status, .. } = stack;
    if is_changing(stack) {
        return Standing::ToDo(format!("wait for the stack {name}, which is in the state {status}"));
    }
    let has_both = stack.physical("Table") == table && stack.physical("Bucket") == bucket;
    if has_both && !UNDONE.iter().any(|state| status.starts_with(state)) {
        return Standing::Done(format!("{name} has the table and the bucket"));
    }
    let cure =
        if is_deployed(stack) { "Choose another name." } else { "Choose another name, or delete what is left of it." };
    let what = if has_both { "that does not work" } else { "with another table or bucket" };
    Standing::Blocked(format!("there is a stack {name} {what}, in the state {status}. {cure}"))
}

/// Looks whether the new stack has its secrets.
pub(crate) async fn look_secrets(restore: &Restore) -> Result<Standing, String> {
    let Some(stack) = read(restore).await? else { return Ok(Standing::Waits("adoption")) };
    Ok(judge_secrets(&stack, names(restore)))
}

fn judge_secrets<'a>(stack: &StackFacts, names: impl Iterator<Item = &'a str>) -> Standing {
    let missing: Vec<&str> = names.filter(|one| stack.physical(one).is_empty()).collect();
    let (name, names) = (&stack.name, missing.join(", "));
    if missing.is_empty() {
        Standing::Done(format!("{name} has secrets of its own"))
    } else if is_changing(stack) {
        Standing::Waits("adoption")
    } else if is_deployed(stack) {
        Standing::Done(format!(
            "{name} was deployed without {names}, which the lost stack had. If it needs that, deploy it with the parameter for it, and \
             store the value as docs/operate/secrets.md says"
        ))
    } else {
        Standing::ToDo(format!("create in {name}: {names}"))
    }
}

/// Returns the secrets that are created before the functions: those of which the lost stack has a value.
fn names(restore: &Restore) -> impl Iterator<Item = &str> {
    restore.secrets.iter().map(|(name, _)| name.as_str())
}

/// Waits while CloudFormation changes the stack. Returns it as it is then.
async fn settled(restore: &Restore) -> Result<Option<StackFacts>, String> {
    loop {
        match read(restore).await? {
            Some(stack) if is_changing(&stack) => tokio::time::sleep(5 * PAUSE).await,
            other => return Ok(other),
        }
    }
}

/// Creates the stack by importing the table and the bucket.
pub(crate) async fn import(restore: &Restore) -> Result<(), String> {
    // An earlier run may have begun it.
    if settled(restore).await?.is_some() {
        return Ok(());
    }
    // The check of the bucket looks at what matters for the doctor, which is less than what the template says. Setting what is
    // right already changes nothing.
    bucket::set(restore).await?;
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
    let Some(stack) = settled(restore).await? else { return Err("the stack is gone".to_owned()) };
    if is_deployed(&stack) {
        return Err(format!("{} was deployed already; secrets alone can no longer be added to it", restore.stack));
    }
    let wanted = wanted(&restore.template, &stack, names(restore));
    let all: Vec<&str> = ADOPTED.into_iter().chain(wanted.iter().map(String::as_str)).collect();
    let template = slice(&restore.template, &all)?;
    change(restore, "UPDATE", &template, Vec::new(), "UPDATE_COMPLETE").await
}

/// Returns the secrets that the stack must have: also those that it has already, because an update without them would
/// delete them.
fn wanted<'a>(template: &str, stack: &StackFacts, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut wanted: Vec<String> = names.map(str::to_owned).collect();
    for name in of_kind(template, SECRET) {
        if !stack.physical(&name).is_empty() && !wanted.contains(&name) {
            wanted.push(name);
        }
    }
    wanted
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

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = include_str!("../../../../template.yaml");
    const TABLE: (&str, &str, &str) = ("Table", "t1", "AWS::DynamoDB::Table");
    const BUCKET: (&str, &str, &str) = ("Bucket", "b1", "AWS::S3::Bucket");
    const PEPPERS: (&str, &str, &str) = ("Peppers", "arn:p", SECRET);
    const FUNCTION: (&str, &str, &str) = ("SweepFunction", "found-sweep", "AWS::Lambda::Function");

    fn stack(status: &str, resources: &[(&str, &str, &str)]) -> StackFacts {
        let resource = |(logical, physical, kind): &(&str, &str, &str)| Resource {
            logical: (*logical).to_owned(),
            physical: (*physical).to_owned(),
            kind: (*kind).to_owned(),
        };
        let described = StackFacts::described("found", &format!("<R><StackStatus>{status}</StackStatus></R>"));
        StackFacts::joined("found", Ok(described), Ok(resources.iter().map(resource).collect())).0
    }

    #[test]
    fn a_stack_that_is_being_changed_is_waited_for_and_never_deleted() {
        for resources in [[].as_slice(), &[TABLE, BUCKET], &[TABLE, BUCKET, FUNCTION]] {
            let standing = judge(&stack("IMPORT_IN_PROGRESS", resources), "t1", "b1");
            assert!(
                matches!(&standing, Standing::ToDo(what) if what.contains("wait for the stack found")),
                "{standing:?}"
            );
        }
        for state in ["IMPORT_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"] {
            assert!(matches!(judge(&stack(state, &[TABLE, BUCKET]), "t1", "b1"), Standing::Done(_)), "{state}");
        }
        for (state, table, deletes) in
            [("IMPORT_ROLLBACK_COMPLETE", "t1", true), ("DELETE_FAILED", "t1", true), ("UPDATE_COMPLETE", "t2", true)]
        {
            let standing = judge(&stack(state, &[TABLE, BUCKET]), table, "b1");
            let Standing::Blocked(why) = standing else { panic!("{state}") };
            assert_eq!(why.contains("delete"), deletes, "{why}");
        }
        let Standing::Blocked(why) = judge(&stack("UPDATE_COMPLETE", &[TABLE, FUNCTION]), "t1", "b1") else { panic!() };
        assert!(!why.contains("delete"), "another installation may work with it: {why}");
    }

    #[test]
    fn no_secret_is_added_to_a_stack_that_has_functions() {
        let names = || ["Peppers", "TextModelKey"].into_iter();
        let bare = stack("IMPORT_COMPLETE", &[TABLE, BUCKET]);
        assert!(!is_deployed(&bare));
        assert_eq!(judge_secrets(&bare, names()), Standing::ToDo("create in found: Peppers, TextModelKey".to_owned()));
        let begun = stack("UPDATE_COMPLETE", &[TABLE, BUCKET, PEPPERS]);
        assert!(!is_deployed(&begun) && matches!(judge_secrets(&begun, names()), Standing::ToDo(_)));
        let deployed = stack("UPDATE_COMPLETE", &[TABLE, BUCKET, PEPPERS, FUNCTION]);
        assert!(is_deployed(&deployed));
        let standing = judge_secrets(&deployed, names());
        assert!(matches!(&standing, Standing::Done(what) if what.contains("without TextModelKey")), "{standing:?}");
    }

    #[test]
    fn an_update_keeps_the_secrets_that_the_stack_has() {
        let cursor = ("CursorSecret", "arn:c", SECRET);
        let begun = stack("UPDATE_COMPLETE", &[TABLE, BUCKET, cursor]);
        assert_eq!(wanted(TEMPLATE, &begun, ["Peppers"].into_iter()), ["Peppers", "CursorSecret"]);
    }
}
