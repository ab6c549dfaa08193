//! `consigne redrive`: sends the messages of a dead-letter queue back to their queue.

mod by_hand;
pub(crate) mod queues;
mod task;

use clap::Args;
use consigne_runtime::clock;
use serde_json::{Value, json};

use crate::complain;
use crate::doctor::facts;
use crate::grid::Grid;
use crate::operator::{Operator, work};
use crate::report::{Outcome, Report};
use crate::stack_env::Which;
use by_hand::{OnSqs, send_back};
use queues::{DeadEnd, Queue};

/// Where it says what to do with messages that cannot be sent back.
pub(crate) const HAND: &str = "see docs/operate/dead-letters.md";
/// Name of the stack in its settings.
pub(crate) const STACK: &str = "STACK_NAME";

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consigne redrive
  consigne redrive object-events
  consigne --stack consigne --region eu-west-3 redrive mails --yes")]
pub(crate) struct Options {
    /// The queue to send messages back to, such as `object-events`. Without it, the dead-letter queues are listed.
    queue: Option<String>,
}

pub(crate) fn run(which: &Which, options: &Options) -> Outcome {
    let operator = match &options.queue {
        None => Operator::of_stack(which, &[STACK])?,
        Some(queue) => Operator::to_change(which, &[STACK], &format!("Send the dead letters of {queue} back"))?,
    };
    let (sqs, stack, aws) = (operator.sqs(), operator.name(STACK), operator.aws());
    work(async {
        // Without the right to list the stack's resources its queues are found by their prefix.
        let own = facts::list(&aws, &stack).await.ok().map(|resources| facts::queues(&resources));
        let dead_ends = queues::dead_ends(&sqs, &stack, own.as_ref()).await?;
        if dead_ends.is_empty() {
            return Err(format!(
                "There is no stack {stack}, or it has no dead-letter queue; is it the stack you mean?"
            ));
        }
        let Some(wanted) = &options.queue else {
            return Ok(Report::new(list(&dead_ends, &stack), document(&dead_ends, &stack)));
        };
        let (dead, source) = find(&dead_ends, &stack, wanted)?;
        if dead.waiting == 0 && dead.in_flight > 0 {
            return Err(being_read(dead));
        }
        if dead.waiting == 0 {
            let text = format!("{} is empty; there is nothing to send back.", dead.name);
            return Ok(Report::done(text, json!({ "queue": source.name, "dead_letter_queue": dead.name, "moved": 0 })));
        }
        complain(&format!("Sending the messages of {} back to {}: about {}.", dead.name, source.name, dead.waiting));
        let moved = match task::start(&sqs, dead, source).await? {
            Some(task) => task::follow(&sqs, dead, &task).await?,
            // The laptop's server, for example, has no such tasks.
            None => send_back(&OnSqs::new(&sqs, dead, source), clock::now(), complain).await?,
        };
        let text = format!(
            "Sent {moved} back to {}. Messages that fail again return to {}; `consigne redrive` shows them.",
            source.name, dead.name
        );
        Ok(Report::done(text, json!({ "queue": source.name, "dead_letter_queue": dead.name, "moved": moved })))
    })
}

/// Returns a queue's name without the stack's.
pub(crate) fn short(queue: &Queue, stack: &str) -> String {
    queue.name.strip_prefix(&format!("{stack}-")).unwrap_or(&queue.name).to_owned()
}

/// Says that messages cannot be sent back yet, because somebody has received them and not yet deleted them.
fn being_read(dead: &Queue) -> String {
    format!(
        "Somebody is reading the messages of {}: about {}. Run this again once their visibility timeout has passed.",
        dead.name, dead.in_flight
    )
}

/// Returns a line for each queue from which messages go nowhere by themselves.
fn list(dead_ends: &[DeadEnd], stack: &str) -> String {
    let mut grid = Grid::new(&["dead-letter queue", ">waiting", ">being read", "to send back"]);
    for end in dead_ends {
        let DeadEnd { queue, sources } = end;
        let how = match sources.as_slice() {
            [] => format!("cannot be sent back; {HAND}"),
            [source] => format!("consigne redrive {}", short(source, stack)),
            several => {
                let names: Vec<String> = several.iter().map(|source| short(source, stack)).collect();
                format!("consigne redrive with one of {}", names.join(", "))
            }
        };
        grid.row([short(queue, stack), queue.waiting.to_string(), queue.in_flight.to_string(), how]);
    }
    grid.render()
}

/// Returns the same list for programs.
fn document(dead_ends: &[DeadEnd], stack: &str) -> Value {
    let queue = |DeadEnd { queue, sources }: &DeadEnd| {
        let sources: Vec<String> = sources.iter().map(|source| short(source, stack)).collect();
        let (waiting, in_flight) = (queue.waiting, queue.in_flight);
        json!({ "name": short(queue, stack), "waiting": waiting, "in_flight": in_flight, "sources": sources })
    };
    json!({ "stack": stack, "dead_letter_queues": dead_ends.iter().map(queue).collect::<Vec<_>>() })
}

/// Finds a dead-letter queue and the queue that leads to it, by the name of either, with or without the stack's prefix.
/// A dead-letter queue to which no queue leads is also found without `-dead`, to say that.
fn find<'a>(dead_ends: &'a [DeadEnd], stack: &str, wanted: &str) -> Result<(&'a Queue, &'a Queue), String> {
    let full = format!("{stack}-{wanted}");
    let is = |queue: &Queue| queue.name == wanted || queue.name == full;
    let is_dead = |queue: &Queue| is(queue) || queue.name == format!("{full}-dead");
    let found = dead_ends.iter().find(|end| is_dead(&end.queue) || end.sources.iter().any(is));
    let end = found.ok_or_else(|| {
        format!("{wanted} is not a dead-letter queue of the stack {stack}. `consigne redrive` lists them.")
    })?;
    match end.sources.iter().find(|source| is(source)).or(end.sources.first()) {
        Some(source) if is(source) || end.sources.len() == 1 => Ok((&end.queue, source)),
        Some(_) => Err(format!("Several queues lead to {wanted}; name the one to send back to.")),
        None => {
            let name = short(&end.queue, stack);
            Err(format!("No queue leads to {name}, so its messages cannot be sent back; {HAND}."))
        }
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
            DeadEnd { queue: queue("s-schedules-dead"), sources: vec![] },
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
            ("parked-events", "No queue leads to parked-events,"),
            ("schedules", "No queue leads to schedules-dead,"),
            ("other", "is not a dead-letter queue"),
        ] {
            let problem = find(&ends, "s", name).unwrap_err();
            assert!(problem.contains(why), "{problem}");
        }
        assert!(
            being_read(&queue("s-mail-dead")).starts_with("Somebody is reading the messages of s-mail-dead: about 1.")
        );
    }

    #[test]
    fn the_list_names_the_command() {
        let listed = list(&dead_ends(), "s");
        let lines: Vec<&str> = listed.lines().collect();
        let words: Vec<&str> = lines[2].split_whitespace().collect();
        assert_eq!(words, ["object-events-dead", "2", "1", "consigne", "redrive", "object-events"], "{listed}");
        assert!(lines[1].ends_with("one of mail, bounces") && lines[3].contains("cannot be sent back"), "{listed}");
        let listed = document(&dead_ends(), "s");
        let want = json!({ "name": "object-events-dead", "waiting": 2, "in_flight": 1, "sources": ["object-events"] });
        assert_eq!(listed["dead_letter_queues"][1], want);
    }
}
