//! `consigne redrive`: sends the messages of a dead-letter queue back to their queue.

mod by_hand;
mod queues;
mod task;

use clap::Args;
use consigne_runtime::clock;

use crate::operator::{Operator, work};
use crate::say;
use crate::stack_env::Which;
use by_hand::{OnSqs, send_back};
use queues::{DeadEnd, Queue};

/// Name of the stack in its settings.
const STACK: &str = "STACK_NAME";

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The queue to send messages back to, such as `object-events`. Without it, the dead-letter queues are listed.
    queue: Option<String>,
}

pub(crate) fn run(which: &Which, options: &Options) -> Result<String, String> {
    let operator = Operator::of_stack(which, &[STACK])?;
    let (sqs, stack) = (operator.sqs(), operator.name(STACK));
    work(async {
        let dead_ends = queues::dead_ends(&sqs, &stack).await?;
        let Some(wanted) = &options.queue else { return Ok(list(&dead_ends, &stack)) };
        let (dead, source) = find(&dead_ends, &stack, wanted)?;
        if dead.waiting == 0 {
            return Ok(format!("{} is empty; there is nothing to send back.", dead.name));
        }
        say(&format!("Sending the messages of {} back to {}: about {}.", dead.name, source.name, dead.waiting));
        let moved = match task::start(&sqs, dead, source).await? {
            Some(task) => task::follow(&sqs, dead, &task).await?,
            // The laptop's server, for example, has no such tasks.
            None => send_back(&OnSqs::new(&sqs, dead, source), clock::now(), say).await?,
        };
        Ok(format!(
            "Sent {moved} back to {}. Messages that fail again return to {}; `consigne redrive` shows them.",
            source.name, dead.name
        ))
    })
}

/// Returns a line for each queue from which messages go nowhere by themselves.
fn list(dead_ends: &[DeadEnd], stack: &str) -> String {
    let short = |queue: &Queue| queue.name.strip_prefix(&format!("{stack}-")).unwrap_or(&queue.name).to_owned();
    let line = |end: &DeadEnd| {
        let whence = match end.sources.as_slice() {
            [] => "no queue leads here; see infra/README.md".to_owned(),
            [source] => format!("consigne redrive {}", short(source)),
            several => format!("of {}", several.iter().map(short).collect::<Vec<_>>().join(", ")),
        };
        format!("{:<28} {:>7} {:>7}   {whence}", short(&end.queue), end.queue.waiting, end.queue.in_flight)
    };
    if dead_ends.is_empty() {
        return format!("The stack {stack} has no dead-letter queue; is it the stack you mean?");
    }
    let lines: Vec<String> = dead_ends.iter().map(line).collect();
    format!("{:<28} {:>7} {:>7}   to send back\n{}", "dead-letter queue", "waiting", "read", lines.join("\n"))
}

/// Finds a dead-letter queue and the queue that leads to it, by the name of either, with or without the stack's prefix.
fn find<'a>(dead_ends: &'a [DeadEnd], stack: &str, wanted: &str) -> Result<(&'a Queue, &'a Queue), String> {
    let full = format!("{stack}-{wanted}");
    let is = |queue: &Queue| queue.name == wanted || queue.name == full;
    let found = dead_ends.iter().find(|end| is(&end.queue) || end.sources.iter().any(is));
    let end = found.ok_or_else(|| {
        format!("{wanted} is not a dead-letter queue of the stack {stack}. `consigne redrive` lists them.")
    })?;
    match end.sources.iter().find(|source| is(source)).or(end.sources.first()) {
        Some(source) if is(source) || end.sources.len() == 1 => Ok((&end.queue, source)),
        Some(_) => Err(format!("Several queues lead to {wanted}; name the one to send back to.")),
        None => Err(format!(
            "No queue leads to {wanted}, so its messages cannot be sent back. infra/README.md says what to do."
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(name: &str) -> Queue {
        let (url, arn) = (format!("http://q/{name}"), format!("arn:aws:sqs:r:a:{name}"));
        Queue { name: name.to_owned(), url, arn, waiting: 2, in_flight: 1, redrives_to: None }
    }

    fn dead_ends() -> Vec<DeadEnd> {
        vec![
            DeadEnd { queue: queue("s-mail-dead"), sources: vec![queue("s-mail"), queue("s-bounces")] },
            DeadEnd { queue: queue("s-object-events-dead"), sources: vec![queue("s-object-events")] },
            DeadEnd { queue: queue("s-parked-events"), sources: vec![] },
        ]
    }

    #[test]
    fn a_queue_is_found_by_its_own_name_or_its_dead_letter_queues() {
        let ends = dead_ends();
        for name in ["object-events", "object-events-dead", "s-object-events", "s-object-events-dead"] {
            let (dead, source) = find(&ends, "s", name).unwrap();
            assert_eq!(
                (dead.name.as_str(), source.name.as_str()),
                ("s-object-events-dead", "s-object-events"),
                "{name}"
            );
        }
        let (dead, source) = find(&ends, "s", "bounces").unwrap();
        assert_eq!((dead.name.as_str(), source.name.as_str()), ("s-mail-dead", "s-bounces"));
    }

    #[test]
    fn what_cannot_be_sent_back_is_said() {
        let ends = dead_ends();
        for (name, why) in [
            ("mail-dead", "Several queues"),
            ("parked-events", "No queue leads"),
            ("other", "is not a dead-letter queue"),
        ] {
            let problem = find(&ends, "s", name).unwrap_err();
            assert!(problem.contains(why), "{problem}");
        }
    }

    #[test]
    fn the_list_names_the_command() {
        let listed = list(&dead_ends(), "s");
        assert!(
            listed.contains("object-events-dead                 2       1   consigne redrive object-events\n"),
            "{listed}"
        );
        assert!(listed.contains("of mail, bounces") && listed.contains("no queue leads here"), "{listed}");
    }
}
