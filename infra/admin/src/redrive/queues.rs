//! The stack's queues, as far as redriving needs them.

use std::collections::HashSet;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName as Attribute;
use serde_json::Value;

use crate::operator::causes;

/// A queue of the stack.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    /// Its name, which begins with the stack's.
    pub(crate) name: String,
    /// URL at which it is called.
    pub(crate) url: String,
    /// ARN by which other queues refer to it.
    pub(crate) arn: String,
    /// Approximate number of waiting messages.
    pub(crate) waiting: u64,
    /// Approximate number of messages that are being read.
    pub(crate) in_flight: u64,
    /// ARN of its dead-letter queue, if it has one.
    pub(crate) redrives_to: Option<String>,
}

/// A queue without a dead-letter queue, and the queues whose dead-letter queue it is. Only an operator moves its messages.
#[derive(Debug)]
pub(crate) struct DeadEnd {
    /// The queue at the end.
    pub(crate) queue: Queue,
    /// The queues whose dead-letter queue it is. Empty if it receives something other than dead letters.
    pub(crate) sources: Vec<Queue>,
}

/// Finds the dead ends of a stack, sorted by name. `own` has the names of its queues; if it is `None`, all queues count
/// whose names begin with the stack's.
pub(crate) async fn dead_ends(
    sqs: &Client,
    stack: &str,
    own: Option<&HashSet<String>>,
) -> Result<Vec<DeadEnd>, String> {
    let mut queues = Vec::new();
    let mut pages = sqs.list_queues().queue_name_prefix(format!("{stack}-")).max_results(1000).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| unanswered("sqs:ListQueues", &error))?;
        for url in page.queue_urls.unwrap_or_default().into_iter().filter(|url| is_own(url, own)) {
            queues.push(read(sqs, url).await?);
        }
    }
    queues.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sorted_out(&queues))
}

/// Returns whether a queue that was found by its prefix is one of the stack's. The queues of a stack `consigne-staging`
/// have the prefix of the stack `consigne` too.
fn is_own(url: &str, own: Option<&HashSet<String>>) -> bool {
    own.is_none_or(|own| own.contains(name_of(url)))
}

/// Returns the name with which a queue's URL ends.
fn name_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

/// Selects the dead ends: the queues without a dead-letter queue.
fn sorted_out(queues: &[Queue]) -> Vec<DeadEnd> {
    let ends = queues.iter().filter(|queue| queue.redrives_to.is_none());
    let end = |queue: &Queue| {
        let sources = queues.iter().filter(|source| source.redrives_to.as_ref() == Some(&queue.arn));
        DeadEnd { queue: queue.clone(), sources: sources.cloned().collect() }
    };
    ends.map(end).collect()
}

async fn read(sqs: &Client, url: String) -> Result<Queue, String> {
    let ask = sqs.get_queue_attributes().queue_url(&url).set_attribute_names(Some(vec![
        Attribute::QueueArn,
        Attribute::RedrivePolicy,
        Attribute::ApproximateNumberOfMessages,
        Attribute::ApproximateNumberOfMessagesNotVisible,
    ]));
    let answer = ask.send().await.map_err(|error| unanswered("sqs:GetQueueAttributes", &error))?;
    let attributes = answer.attributes.unwrap_or_default();
    let count = |name| attributes.get(&name).and_then(|count| count.parse().ok()).unwrap_or(0);
    let policy: Option<Value> =
        attributes.get(&Attribute::RedrivePolicy).and_then(|policy| serde_json::from_str(policy).ok());
    Ok(Queue {
        name: name_of(&url).to_owned(),
        arn: attributes.get(&Attribute::QueueArn).cloned().unwrap_or_default(),
        waiting: count(Attribute::ApproximateNumberOfMessages),
        in_flight: count(Attribute::ApproximateNumberOfMessagesNotVisible),
        redrives_to: policy.and_then(|policy| Some(policy["deadLetterTargetArn"].as_str()?.to_owned())),
        url,
    })
}

/// Returns the error of a failed call, with the permission it needs.
pub(crate) fn unanswered(action: &str, error: &dyn std::error::Error) -> String {
    format!("The call to the queues failed: {}\nMay you call {action} on them?", causes(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_of_another_stack_whose_name_begins_alike_are_left_out() {
        let own = HashSet::from(["consigne-mails".to_owned(), "consigne-mails-dead".to_owned()]);
        for (name, is) in [("consigne-mails-dead", true), ("consigne-staging-mails-dead", false)] {
            let url = format!("https://sqs.eu-west-3.amazonaws.com/1/{name}");
            assert_eq!(is_own(&url, Some(&own)), is, "{name}");
            assert!(is_own(&url, None), "without the stack's resources the prefix counts");
        }
    }

    #[test]
    fn a_queue_without_one_to_go_to_is_an_end_and_knows_who_leads_there() {
        let queue = |name: &str, to: Option<&str>| Queue {
            name: name.to_owned(),
            url: String::new(),
            arn: format!("arn:{name}"),
            waiting: 0,
            in_flight: 0,
            redrives_to: to.map(|to| format!("arn:{to}")),
        };
        let queues = [queue("a", Some("dead")), queue("b", Some("dead")), queue("dead", None), queue("parked", None)];
        let ends: Vec<(String, Vec<String>)> = sorted_out(&queues)
            .into_iter()
            .map(|end| (end.queue.name, end.sources.into_iter().map(|source| source.name).collect()))
            .collect();
        let want = [("dead".to_owned(), vec!["a".to_owned(), "b".to_owned()]), ("parked".to_owned(), vec![])];
        assert_eq!(ends, want);
    }
}
