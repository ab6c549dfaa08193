//! Checks of queues and dead-letter queues.

use futures_util::future::join_all;

use super::Patient;
use super::finding::Finding;
use super::metrics::{Metric, over};
use crate::aws::Refusal;
use crate::redrive::queues::{DeadEnd, Queue, dead_ends};
use crate::redrive::{HAND, short};

/// A message that waits for longer shows a queue that is read too slowly, in seconds.
const LATE_SECONDS: f64 = 900.0;
/// Name of the check of all dead-letter queues.
pub(crate) const DEAD: &str = "dead-letter queues";

/// Checks that no message is in a dead-letter queue and that queues are read in time.
pub(crate) async fn all(patient: &Patient) -> Vec<Finding> {
    let stack = &patient.facts.name;
    let ends = match dead_ends(&patient.sqs, stack, patient.facts.queues().as_ref()).await {
        Ok(ends) => ends,
        Err(why) => return vec![unread(why, patient.laptop)],
    };
    let mut found = dead_letters(&ends, stack);
    let holding: Vec<&Queue> = ends.iter().filter(|end| count(&end.queue) > 0).map(|end| &end.queue).collect();
    let sources = ends.iter().flat_map(|end| &end.sources).filter(|queue| queue.waiting > 0);
    let waiting: Vec<&Queue> = sources.collect();
    if patient.laptop {
        found.push(Finding::not_on_laptop("age of messages", "the laptop's server does not measure it"));
        return found;
    }
    let ages = join_all(holding.iter().chain(&waiting).map(|queue| age(patient, queue))).await;
    found.extend(ages.into_iter().zip(holding.iter().map(|_| true).chain(waiting.iter().map(|_| false))).filter_map(
        |((queue, age), dead)| Some(aged(&short(queue, stack), age.as_ref().ok().copied().flatten()?, dead)),
    ));
    found
}

/// Judges why the queues could not be read, by the words of the error.
fn unread(why: String, laptop: bool) -> Finding {
    if why.contains("AccessDenied") {
        Finding::refused(DEAD, &Refusal::Denied("sqs:GetQueueAttributes"), laptop)
    } else if why.contains("Throttl") {
        Finding::refused(DEAD, &Refusal::Throttled("SQS".to_owned()), laptop)
    } else {
        Finding::failed(DEAD, why, "docs/operate/doctor.md")
    }
}

async fn age<'a>(patient: &Patient, queue: &'a Queue) -> (&'a Queue, Result<Option<f64>, Refusal>) {
    let metric = Metric {
        namespace: "AWS/SQS",
        name: "ApproximateAgeOfOldestMessage",
        dimension: Some(("QueueName", &queue.name)),
        statistic: "Maximum",
        minutes: 15,
    };
    (queue, over(&patient.aws, &metric).await)
}

/// Judges the age of a queue's oldest message, in seconds.
fn aged(queue: &str, seconds: f64, dead: bool) -> Finding {
    let name = format!("age of messages in {queue}");
    let text = format!("the oldest is {seconds:.0} s old");
    if dead || seconds <= LATE_SECONDS {
        Finding::ok(name, text)
    } else {
        let cure = "docs/operate/monitor.md names the function that reads it; `consigne logs --function` shows it";
        Finding::warning(name, text, cure)
    }
}

/// Judges the dead-letter queues. Each that has messages is a check with a name of its own, so that `--watch` notices
/// when a second one fills.
fn dead_letters(ends: &[DeadEnd], stack: &str) -> Vec<Finding> {
    if ends.is_empty() {
        let cure = "give the right --stack and --region, or deploy it: `make deploy`";
        return vec![Finding::failed(DEAD, format!("the stack {stack} has none; is it the stack you mean?"), cure)];
    }
    let holding: Vec<&DeadEnd> = ends.iter().filter(|end| count(&end.queue) > 0).collect();
    if holding.is_empty() {
        return vec![Finding::ok(DEAD, format!("{} are empty", ends.len()))];
    }
    holding.into_iter().map(|end| dead(end, stack)).collect()
}

fn dead(DeadEnd { queue, sources }: &DeadEnd, stack: &str) -> Finding {
    let held = count(queue);
    let messages = if held == 1 { "1 message".to_owned() } else { format!("{held} messages") };
    let cure = match sources.first() {
        Some(source) => format!("mend the cause ({HAND}), then `consigne redrive {}`", short(source, stack)),
        None => HAND.to_owned(),
    };
    let name = short(queue, stack);
    Finding::failed(format!("dead letters in {name}"), format!("{messages} in {name}"), cure)
}

fn count(queue: &Queue) -> u64 {
    queue.waiting + queue.in_flight
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State;

    fn end(name: &str, source: Option<&str>, waiting: u64, in_flight: u64) -> DeadEnd {
        let queue = |name: &str, waiting, in_flight| Queue {
            name: format!("s-{name}"),
            url: String::new(),
            arn: String::new(),
            waiting,
            in_flight,
            redrives_to: None,
        };
        let sources = source.map(|source| queue(source, 9, 9)).into_iter().collect();
        DeadEnd { queue: queue(name, waiting, in_flight), sources }
    }

    #[test]
    fn messages_in_dead_letter_queues_are_a_failure_with_its_count_and_cure() {
        let empty = end("mails-dead", Some("mails"), 0, 0);
        assert_eq!(dead_letters(&[empty], "s"), [Finding::ok(DEAD, "1 are empty")]);
        let ends = [end("object-events-dead", Some("object-events"), 48, 2), end("parked-events", None, 1, 0)];
        let cure = format!("mend the cause ({HAND}), then `consigne redrive object-events`");
        let want = [
            Finding::failed("dead letters in object-events-dead", "50 messages in object-events-dead", cure),
            Finding::failed("dead letters in parked-events", "1 message in parked-events", HAND),
        ];
        assert_eq!(dead_letters(&ends, "s"), want);
        assert!(dead_letters(&[], "s")[0].text.contains("is it the stack you mean?"));
    }

    #[test]
    fn queues_that_could_not_be_read_are_a_warning_if_a_right_is_missing_or_sqs_is_asked_too_often() {
        for (why, want) in [
            ("AccessDenied: no", State::Warning),
            ("service error: RequestThrottled", State::Warning),
            ("dispatch failure", State::Failed),
        ] {
            assert_eq!(unread(why.to_owned(), false).state, want, "{why}");
        }
    }

    #[test]
    fn a_message_that_waits_for_long_is_a_warning_except_in_a_dead_letter_queue() {
        assert_eq!(aged("mails", 30.0, false).state, State::Ok);
        assert_eq!(aged("mails", 3_600.0, false).state, State::Warning);
        assert_eq!(aged("mails-dead", 86_400.0, true).state, State::Ok);
    }
}
