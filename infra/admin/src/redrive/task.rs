//! Moves messages with a task of SQS. The task continues if the command ends, and loses nothing.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata as _;
use aws_sdk_sqs::types::ListMessageMoveTasksResultEntry as Entry;

use super::queues::{Queue, unanswered};
use crate::complain;

/// Pause between two looks at a task.
const PAUSE: Duration = Duration::from_secs(2);
/// Error codes of servers that do not know this operation. AWS also returns the second one for a queue from which
/// messages cannot be moved.
const UNKNOWN: [&str; 3] =
    ["InvalidAction", "AWS.SimpleQueueService.UnsupportedOperation", "UnknownOperationException"];
/// Permissions that a task needs.
const ACTIONS: &str = "sqs:StartMessageMoveTask, sqs:ListMessageMoveTasks, sqs:ReceiveMessage and sqs:DeleteMessage on the \
                       dead-letter queue, and sqs:SendMessage";

/// Starts a task that moves the messages of a dead-letter queue, unless one is running. Returns `None` if the server
/// does not know such tasks.
///
/// The destination is given explicitly, because events that EventBridge could not deliver came from no queue.
pub(crate) async fn start(sqs: &Client, dead: &Queue, source: &Queue) -> Result<Option<Task>, String> {
    // A server that cannot list tasks cannot start one either, and will say so next.
    let last = newest(sqs, dead).await.ok().flatten();
    let begun = last.as_ref().map_or(0, Entry::started_timestamp);
    if last.is_some_and(|task| task.status() == Some("RUNNING")) {
        complain("A task is already running; watching it.");
        return Ok(Some(Task { younger_than: begun - 1 }));
    }
    let start = sqs.start_message_move_task().source_arn(&dead.arn).destination_arn(&source.arn);
    match start.send().await {
        Ok(_) => Ok(Some(Task { younger_than: begun })),
        Err(error) if error.code().is_some_and(|code| UNKNOWN.contains(&code)) => Ok(None),
        Err(error) => Err(unanswered(ACTIONS, &error)),
    }
}

/// A task, distinguished from earlier ones by its start time.
#[derive(Debug)]
pub(crate) struct Task {
    younger_than: i64,
}

/// Watches a task to its end. Returns how many messages it has moved.
pub(crate) async fn follow(sqs: &Client, dead: &Queue, task: &Task) -> Result<i64, String> {
    loop {
        let seen = newest(sqs, dead).await?.filter(|seen| seen.started_timestamp() > task.younger_than);
        let moved = seen.as_ref().map_or(0, Entry::approximate_number_of_messages_moved);
        match seen.as_ref().and_then(Entry::status) {
            Some("COMPLETED") => return Ok(moved),
            // The task is running, or is not listed yet.
            None | Some("RUNNING" | "CANCELLING") => complain(&format!("{moved} sent back.")),
            Some(other) => {
                let why = seen.as_ref().and_then(Entry::failure_reason).unwrap_or("no reason was given");
                return Err(format!(
                    "The task ended as {other} after {moved} messages: {why}. The others are still where they were."
                ));
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Returns the newest task of a dead-letter queue.
async fn newest(sqs: &Client, dead: &Queue) -> Result<Option<Entry>, String> {
    let listed = sqs.list_message_move_tasks().source_arn(&dead.arn).max_results(1).send().await;
    let listed = listed.map_err(|error| unanswered(ACTIONS, &error))?;
    Ok(listed.results.unwrap_or_default().into_iter().next())
}
