//! `consigne doctor`: is the stack set up, and does it answer?

use consigne_core::ports::{FindDue, Probe};
use consigne_runtime::{Start, clock};
use consigne_storage::{Bucket, DueWalk, Table};

use crate::stack_env::StackEnv;

const NAMES: [&str; 6] =
    ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "TABLE_NAME", "BUCKET_NAME"];

pub(crate) fn run() -> Result<String, String> {
    let stack = StackEnv::read();
    let start = Start::new(stack.environment(&NAMES)?);
    let (table, bucket) = (start.table(), start.bucket());
    let (table, bucket) = table.and_then(|table| Ok((table, bucket?))).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(examine(&table, &bucket))
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
    // Whatever has been due for this long was missed by several runs of `sweep`.
    let long_ago = clock::now().minus(std::time::Duration::from_mins(15));
    let overdue = table.find_due(long_ago, 1, &mut DueWalk::default()).await.map_err(|fault| fault.chain());
    note(
        "nothing overdue",
        overdue.and_then(|due| {
            if due.is_empty() {
                Ok("yes".to_owned())
            } else {
                Err("`sweep` leaves things lying; read its log".to_owned())
            }
        }),
    );
    let report = lines.join("\n");
    if well { Ok(format!("{report}\nAll is well.")) } else { Err(format!("{report}\nSomething is wrong; see above.")) }
}
