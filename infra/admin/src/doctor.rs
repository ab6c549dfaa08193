//! `consigne doctor`: checks that the stack is set up and answers.

use consigne_core::ports::{FindClosings, FindDue, Probe};
use consigne_runtime::clock;
use consigne_storage::{Bucket, DueWalk, Table};

use crate::operator::{Operator, work};
use crate::stack_env::Which;

pub(crate) fn run(which: &Which) -> Result<String, String> {
    let operator = Operator::of_stack(which, &["TABLE_NAME", "BUCKET_NAME"])?;
    let (table, bucket) = (operator.table()?, operator.bucket()?);
    work(examine(&table, &bucket))
}

async fn examine(table: &Table, bucket: &Bucket) -> Result<String, String> {
    let mut lines = Vec::new();
    let mut well = true;
    let mut note = |name: &str, outcome: Result<String, String>| {
        well &= outcome.is_ok();
        let text = outcome.unwrap_or_else(|problem| format!("PROBLEM: {problem}"));
        lines.push(format!("{name:<22} {text}"));
    };
    note("table", table.probe().await.map(|()| "answers".to_owned()).map_err(|fault| fault.chain()));
    note("bucket", bucket.probe().await.map(|()| "answers".to_owned()).map_err(|fault| fault.chain()));
    // Several runs of `sweep` or `account-close` have missed whatever has been due for this long.
    let long_ago = clock::now().minus(std::time::Duration::from_mins(15));
    let overdue = table.find_due(long_ago, 1, &mut DueWalk::default()).await.map_err(|fault| fault.chain());
    note(
        "nothing overdue",
        overdue.and_then(|due| {
            if due.is_empty() {
                Ok("yes".to_owned())
            } else {
                Err("`sweep` has not finished what is overdue; read its log".to_owned())
            }
        }),
    );
    let closings = table.find_closings(long_ago).await.map_err(|fault| fault.chain());
    note(
        "accounts are closed",
        closings.and_then(|due| {
            if due.closings.is_empty() && due.unreadable.is_empty() {
                Ok("yes".to_owned())
            } else {
                Err("`account-close` has not finished what is overdue; read its log".to_owned())
            }
        }),
    );
    let report = lines.join("\n");
    if well { Ok(format!("{report}\nAll is well.")) } else { Err(format!("{report}\nSomething is wrong; see above.")) }
}
