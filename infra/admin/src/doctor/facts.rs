//! The stack that is examined: its state, its parameters and its resources, as CloudFormation knows them.

use std::collections::{HashMap, HashSet};

use crate::aws::xml::{first, rows, value};
use crate::aws::{Aws, Refusal};

/// Version of CloudFormation's API.
pub(crate) const VERSION: (&str, &str) = ("Version", "2010-05-15");

/// The type of secrets.
pub(crate) const SECRET: &str = "AWS::SecretsManager::Secret";

/// A stack, as CloudFormation describes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct StackFacts {
    /// Its name.
    pub(crate) name: String,
    /// Its state, such as `UPDATE_COMPLETE`; empty if CloudFormation did not describe the stack.
    pub(crate) status: String,
    /// `None` if CloudFormation did not describe the stack.
    parameters: Option<HashMap<String, String>>,
    /// `None` if CloudFormation did not list them.
    resources: Option<Vec<Resource>>,
}

/// A resource of the stack.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resource {
    /// Its name in the template.
    pub(crate) logical: String,
    /// Its name in the account.
    pub(crate) physical: String,
    /// Its type, such as `AWS::SQS::Queue`.
    pub(crate) kind: String,
}

impl StackFacts {
    /// Asks CloudFormation.
    ///
    /// # Errors
    /// If it does not describe the stack, or does not list its resources.
    pub(crate) async fn read(aws: &Aws, stack: &str) -> Result<Self, Refusal> {
        let mut facts = Self::describe(aws, stack).await?;
        facts.resources = Some(list(aws, stack).await?);
        Ok(facts)
    }

    /// Asks CloudFormation, and keeps what it answers. Returns also why it did not describe the stack, and why it did not
    /// list the resources.
    pub(crate) async fn read_in_part(aws: &Aws, stack: &str) -> (Self, [Option<Refusal>; 2]) {
        let (described, listed) = tokio::join!(Self::describe(aws, stack), list(aws, stack));
        Self::joined(stack, described, listed)
    }

    /// Joins two answers: what was told, and why the rest was not.
    pub(crate) fn joined(
        stack: &str,
        described: Result<Self, Refusal>,
        listed: Result<Vec<Resource>, Refusal>,
    ) -> (Self, [Option<Refusal>; 2]) {
        let refusals = [described.as_ref().err().cloned(), listed.as_ref().err().cloned()];
        let known = described.unwrap_or_else(|_| Self { name: stack.to_owned(), ..Self::default() });
        (Self { resources: listed.ok(), ..known }, refusals)
    }

    async fn describe(aws: &Aws, stack: &str) -> Result<Self, Refusal> {
        let ask = [("Action", "DescribeStacks"), VERSION, ("StackName", stack)];
        let answer = aws.query("cloudformation", "cloudformation:DescribeStacks", &ask).await?;
        Ok(Self::described(stack, &answer.body))
    }

    /// Reads an answer of `DescribeStacks`.
    pub(crate) fn described(stack: &str, text: &str) -> Self {
        let pairs = rows(text, "member", &["ParameterKey", "ParameterValue"]);
        let pairs = pairs.iter().filter(|row| row.contains_key("ParameterKey"));
        Self {
            name: stack.to_owned(),
            status: first(text, "StackStatus").unwrap_or_default(),
            parameters: Some(
                pairs
                    .map(|row| (value(row, "ParameterKey").to_owned(), value(row, "ParameterValue").to_owned()))
                    .collect(),
            ),
            resources: None,
        }
    }

    /// Returns the value of a parameter; empty if the stack has none of that name, or if it is not known.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.known_parameter(name).unwrap_or_default()
    }

    /// Returns the value of a parameter, empty if the stack has none of that name. `None` if it is not known.
    pub(crate) fn known_parameter(&self, name: &str) -> Option<&str> {
        self.parameters.as_ref().map(|all| all.get(name).map_or("", String::as_str))
    }

    /// Returns whether CloudFormation has described the stack: its state and its parameters.
    pub(crate) fn is_described(&self) -> bool {
        self.parameters.is_some()
    }

    /// Returns whether CloudFormation has listed the resources.
    pub(crate) fn is_listed(&self) -> bool {
        self.resources.is_some()
    }

    /// Returns the name of a resource in the account; empty if the stack has none.
    pub(crate) fn physical(&self, logical: &str) -> &str {
        let found = self.resources().find(|one| one.logical == logical);
        found.map_or("", |one| one.physical.as_str())
    }

    /// Returns the resources of a type.
    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Resource> {
        self.resources().filter(move |one| one.kind == kind)
    }

    /// Returns its resources; none if they are not known.
    pub(crate) fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.resources.iter().flatten()
    }

    /// Returns the names of the stack's queues. `None` if its resources are not known.
    pub(crate) fn queues(&self) -> Option<HashSet<String>> {
        self.resources.as_deref().map(queues)
    }
}

/// Lists the resources of a stack.
///
/// # Errors
/// If CloudFormation refuses one of the pages.
pub(crate) async fn list(aws: &Aws, stack: &str) -> Result<Vec<Resource>, Refusal> {
    let ask = [("Action", "ListStackResources"), VERSION, ("StackName", stack)];
    let pages = pages(async |token| {
        let ask = with_token(&ask, &token);
        Ok(aws.query("cloudformation", "cloudformation:ListStackResources", &ask).await?.body)
    });
    Ok(pages.await?.iter().flat_map(|page| listed(page)).collect())
}

/// Returns the names of the queues among these resources. CloudFormation knows a queue by its URL, which ends with it.
pub(crate) fn queues(resources: &[Resource]) -> HashSet<String> {
    let queues = resources.iter().filter(|one| one.kind == "AWS::SQS::Queue");
    queues.filter_map(|one| one.physical.rsplit('/').next()).map(str::to_owned).collect()
}

/// Reads all pages of an answer of CloudFormation. `ask` gets the token of a page, which is empty for the first.
///
/// # Errors
/// If one of the pages is refused.
pub(crate) async fn pages(mut ask: impl AsyncFnMut(String) -> Result<String, Refusal>) -> Result<Vec<String>, Refusal> {
    let (mut pages, mut token) = (Vec::new(), String::new());
    loop {
        let page = ask(token).await?;
        token = first(&page, "NextToken").unwrap_or_default();
        pages.push(page);
        if token.is_empty() {
            return Ok(pages);
        }
    }
}

/// Returns the form of a request for the page with this token.
pub(crate) fn with_token<'a>(form: &[(&'a str, &'a str)], token: &'a str) -> Vec<(&'a str, &'a str)> {
    let token = Some(("NextToken", token)).filter(|(_, token)| !token.is_empty());
    form.iter().copied().chain(token).collect()
}

fn listed(text: &str) -> impl Iterator<Item = Resource> {
    let rows = rows(text, "member", &["LogicalResourceId", "PhysicalResourceId", "ResourceType"]);
    rows.into_iter().map(|row| Resource {
        logical: value(&row, "LogicalResourceId").to_owned(),
        physical: value(&row, "PhysicalResourceId").to_owned(),
        kind: value(&row, "ResourceType").to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_parameters_and_resources_are_read_from_recorded_answers() {
        let facts = StackFacts::described(
            "consigne",
            "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeStacksResult><Stacks>\
             <member><Parameters><member><ParameterKey>MailFrom</ParameterKey><ParameterValue>A &lt;a@b.c&gt;</ParameterValue>\
             </member><member><ParameterValue/><ParameterKey>TextModel</ParameterKey></member></Parameters>\
             <StackId>arn:aws:cloudformation:eu-west-3:1:stack/consigne/x</StackId><StackName>consigne</StackName>\
             <StackStatus>UPDATE_COMPLETE</StackStatus></member></Stacks></DescribeStacksResult></DescribeStacksResponse>",
        );
        assert_eq!((facts.status.as_str(), facts.parameter("MailFrom")), ("UPDATE_COMPLETE", "A <a@b.c>"));
        assert_eq!((facts.parameter("TextModel"), facts.parameter("Nothing")), ("", ""));
        let found: Vec<Resource> = listed(
            "<R><ListStackResourcesResult><StackResourceSummaries><member><ResourceType>AWS::SQS::Queue</ResourceType>\
             <PhysicalResourceId>https://q</PhysicalResourceId><LogicalResourceId>MailQueue</LogicalResourceId></member>\
             </StackResourceSummaries></ListStackResourcesResult></R>",
        )
        .collect();
        assert_eq!((found[0].logical.as_str(), found[0].kind.as_str()), ("MailQueue", "AWS::SQS::Queue"));
    }

    #[test]
    fn what_one_answer_says_is_kept_if_the_other_is_refused() {
        let described = || {
            let text = "<R><StackStatus>UPDATE_COMPLETE</StackStatus><member><ParameterKey>MailFrom</ParameterKey>\
                        <ParameterValue>a@b.c</ParameterValue></member></R>";
            Ok(StackFacts::described("s", text))
        };
        let denied = Refusal::Denied("cloudformation:ListStackResources");
        let (facts, refusals) = StackFacts::joined("s", described(), Err(denied.clone()));
        assert_eq!((facts.status.as_str(), facts.parameter("MailFrom")), ("UPDATE_COMPLETE", "a@b.c"));
        assert!(facts.is_described() && !facts.is_listed() && facts.queues().is_none());
        assert_eq!(refusals, [None, Some(denied)]);

        let queue = Resource {
            physical: "https://sqs/1/s-mails".into(),
            kind: "AWS::SQS::Queue".into(),
            ..Resource::default()
        };
        let why = Refusal::Failed("503".to_owned());
        let (facts, refusals) = StackFacts::joined("s", Err(why.clone()), Ok(vec![queue]));
        assert_eq!((facts.name.as_str(), facts.known_parameter("MailFrom")), ("s", None));
        assert_eq!(facts.queues(), Some(HashSet::from(["s-mails".to_owned()])));
        assert_eq!(refusals, [Some(why), None]);
    }

    #[tokio::test]
    async fn all_pages_are_read() {
        let read = pages(async |token| {
            assert!(with_token(&[VERSION], &token).len() == 1 || token == "2");
            Ok(if token.is_empty() { "<R><NextToken>2</NextToken></R>" } else { "<R/>" }.to_owned())
        });
        assert_eq!(read.await.unwrap(), ["<R><NextToken>2</NextToken></R>", "<R/>"]);
    }
}
