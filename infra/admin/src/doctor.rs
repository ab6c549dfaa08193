//! `consigne doctor`: checks that the stack is set up and answers.

use std::time::Duration;

use consigne_core::ports::{FindClosings, FindDue, Probe};
use consigne_runtime::clock;
use consigne_storage::{Bucket, DueWalk, Table};
use serde_json::{Value, json};

use crate::grid::facts;
use crate::operator::{Operator, work};
use crate::redrive::queues::{DeadEnd, dead_ends};
use crate::redrive::{HAND, STACK, short};
use crate::report::{Outcome, Report};
use crate::stack_env::Which;

/// Shown by `consigne doctor --help`.
pub(crate) const EXAMPLES: &str = "\
Examples:
  consigne doctor
  consigne --stack consigne --region eu-west-3 doctor --json

It exits with 1 if it finds a problem: what does not answer, what is overdue, and messages in dead-letter queues.";

pub(crate) fn run(which: &Which) -> Outcome {
    let operator = Operator::of_stack(which, &["TABLE_NAME", "BUCKET_NAME", STACK])?;
    let (table, bucket) = (operator.table()?, operator.bucket()?);
    let (sqs, stack) = (operator.sqs(), operator.name(STACK));
    work(async {
        let mut checks = examine(&table, &bucket).await;
        let queues = dead_ends(&sqs, &stack).await.and_then(|ends| dead_letters(&ends, &stack));
        checks.push(Check { name: "dead-letter queues", found: queues });
        Ok(report(&stack, &checks))
    })
}

/// One thing that was checked.
#[derive(Debug)]
struct Check {
    name: &'static str,
    /// What was found, or what is wrong and how to mend it.
    found: Result<String, String>,
}

async fn examine(table: &Table, bucket: &Bucket) -> Vec<Check> {
    // Several runs of `sweep` or `account-close` have missed whatever has been due for this long.
    let long_ago = clock::now().minus(Duration::from_mins(15));
    let answers =
        |probed: Result<(), consigne_core::Fault>| probed.map(|()| "answers".to_owned()).map_err(|fault| fault.chain());
    let none_left = |nothing: bool, function: &str| {
        if nothing {
            Ok("yes".to_owned())
        } else {
            Err(format!("`{function}` has not finished what is overdue; read its log"))
        }
    };
    let overdue = table.find_due(long_ago, 1, &mut DueWalk::default()).await.map_err(|fault| fault.chain());
    let closings = table.find_closings(long_ago).await.map_err(|fault| fault.chain());
    let closed = closings.map(|due| due.closings.is_empty() && due.deletions.is_empty() && due.unreadable.is_empty());
    vec![
        Check { name: "table", found: answers(table.probe().await) },
        Check { name: "bucket", found: answers(bucket.probe().await) },
        Check { name: "nothing overdue", found: overdue.and_then(|due| none_left(due.is_empty(), "sweep")) },
        Check { name: "accounts are closed", found: closed.and_then(|closed| none_left(closed, "account-close")) },
    ]
}

/// Checks that no message is in a dead-letter queue.
fn dead_letters(ends: &[DeadEnd], stack: &str) -> Result<String, String> {
    if ends.is_empty() {
        return Err(format!("the stack {stack} has none; is it the stack you mean?"));
    }
    let holding: Vec<String> = ends.iter().filter_map(|end| cure(end, stack)).collect();
    if holding.is_empty() { Ok(format!("{} are empty", ends.len())) } else { Err(holding.join("; ")) }
}

/// Returns how many messages are in a dead-letter queue and what to do; `None` for an empty queue.
fn cure(DeadEnd { queue, sources }: &DeadEnd, stack: &str) -> Option<String> {
    let count = queue.waiting + queue.in_flight;
    let messages = if count == 1 { "1 message".to_owned() } else { format!("{count} messages") };
    let cure = match sources.first() {
        Some(source) => format!("mend the cause ({HAND}), then `consigne redrive {}`", short(source, stack)),
        None => HAND.to_owned(),
    };
    (count > 0).then(|| format!("{messages} in {}: {cure}", short(queue, stack)))
}

fn report(stack: &str, checks: &[Check]) -> Report {
    let well = checks.iter().all(|check| check.found.is_ok());
    let line = |check: &Check| match &check.found {
        Ok(text) => text.clone(),
        Err(problem) => format!("PROBLEM: {problem}"),
    };
    let text = facts(checks.iter().map(|check| (check.name, line(check))));
    let document = |check: &Check| {
        let (Ok(text) | Err(text)) = &check.found;
        json!({ "name": check.name, "ok": check.found.is_ok(), "text": text })
    };
    let checks: Vec<Value> = checks.iter().map(document).collect();
    let json = json!({ "stack": stack, "ok": well, "checks": checks });
    if well {
        Report::new(format!("{text}\nAll is well."), json)
    } else {
        Report::new(format!("{text}\nSomething is wrong; see above."), json).failed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redrive::queues::Queue;

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
    fn messages_in_dead_letter_queues_are_a_problem_with_its_count_and_cure() {
        let empty = end("mails-dead", Some("mails"), 0, 0);
        assert_eq!(dead_letters(&[empty], "s"), Ok("1 are empty".to_owned()));
        let ends = [end("object-events-dead", Some("object-events"), 48, 2), end("parked-events", None, 1, 0)];
        let problem = dead_letters(&ends, "s").unwrap_err();
        let want = format!(
            "50 messages in object-events-dead: mend the cause ({HAND}), then `consigne redrive object-events`; 1 message in \
             parked-events: {HAND}"
        );
        assert_eq!(problem, want);
        assert!(dead_letters(&[], "s").unwrap_err().contains("is it the stack you mean?"));
    }

    #[test]
    fn one_problem_makes_the_whole_report_fail() {
        let checks = |found| [Check { name: "table", found: Ok("answers".to_owned()) }, Check { name: "x", found }];
        let well = report("s", &checks(Ok("yes".to_owned())));
        assert!(well.exit() == 0 && well.render(false).ends_with("\nAll is well."));
        let ill = report("s", &checks(Err("broken".to_owned())));
        assert_eq!(ill.exit(), 1);
        assert_eq!(ill.render(false), "table  answers\nx      PROBLEM: broken\nSomething is wrong; see above.");
        let json: Value = serde_json::from_str(&ill.render(true)).unwrap();
        assert_eq!((&json["ok"], &json["checks"][1]["ok"]), (&json!(false), &json!(false)));
    }
}
