//! The stack that is examined: its state, its parameters and its resources, as CloudFormation knows them.

use std::collections::HashMap;

use crate::aws::xml::{first, rows, value};
use crate::aws::{Aws, Refusal};

/// Version of CloudFormation's API.
const VERSION: (&str, &str) = ("Version", "2010-05-15");

/// A stack, as CloudFormation describes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct StackFacts {
    /// Its name.
    pub(crate) name: String,
    /// Its state, such as `UPDATE_COMPLETE`.
    pub(crate) status: String,
    parameters: HashMap<String, String>,
    /// Its resources.
    pub(crate) resources: Vec<Resource>,
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
    pub(crate) async fn read(aws: &Aws, stack: &str) -> Result<Self, Refusal> {
        let ask = [("Action", "DescribeStacks"), VERSION, ("StackName", stack)];
        let answer = aws.query("cloudformation", "cloudformation:DescribeStacks", &ask).await?;
        let mut facts = Self::described(stack, &answer.body);
        let mut token = String::new();
        loop {
            let mut ask = vec![("Action", "ListStackResources"), VERSION, ("StackName", stack)];
            if !token.is_empty() {
                ask.push(("NextToken", &token));
            }
            let page = aws.query("cloudformation", "cloudformation:ListStackResources", &ask).await?.body;
            facts.resources.extend(listed(&page));
            token = first(&page, "NextToken").unwrap_or_default();
            if token.is_empty() {
                return Ok(facts);
            }
        }
    }

    /// Reads an answer of `DescribeStacks`.
    fn described(stack: &str, text: &str) -> Self {
        let pairs = rows(text, "member", &["ParameterKey", "ParameterValue"]);
        let pairs = pairs.iter().filter(|row| row.contains_key("ParameterKey"));
        Self {
            name: stack.to_owned(),
            status: first(text, "StackStatus").unwrap_or_default(),
            parameters: pairs
                .map(|row| (value(row, "ParameterKey").to_owned(), value(row, "ParameterValue").to_owned()))
                .collect(),
            resources: Vec::new(),
        }
    }

    /// Returns the value of a parameter; empty if the stack has none of that name.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// Returns the name of a resource in the account; empty if the stack has none.
    pub(crate) fn physical(&self, logical: &str) -> &str {
        self.resources.iter().find(|one| one.logical == logical).map_or("", |one| one.physical.as_str())
    }

    /// Returns the resources of a type.
    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Resource> {
        self.resources.iter().filter(move |one| one.kind == kind)
    }

    /// Creates one of which only the name is known.
    pub(crate) fn unknown(name: String) -> Self {
        Self { name, ..Self::default() }
    }
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
}
