//! What HTTP requests, queue messages, stream records and scheduled ticks have in common: a deadline, a guard against
//! panics, and a log line.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use consigne_aws::budget::InvocationBudget;
use consigne_core::{Fault, Timestamp};
use futures_util::FutureExt as _;
use serde_json::{Map, Value};

use crate::log::{self, Level, RequestLog};

/// Time of an invocation kept to build and send the answer.
const RESERVE: Duration = Duration::from_millis(150);

/// One unit of work, which ends with a log line.
#[derive(Debug)]
pub struct Invocation<'a> {
    function: &'a str,
    began: Instant,
    budget: Arc<InvocationBudget>,
}

impl<'a> Invocation<'a> {
    /// Starts work that must be done by the deadline that Lambda has set.
    pub fn begin(function: &'a str, deadline: SystemTime, now: Timestamp) -> Self {
        let deadline = deadline.duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(0));
        Self { function, began: Instant::now(), budget: InvocationBudget::new(deadline.saturating_sub(now)) }
    }

    /// Runs the work. It is pinned, because several layers take it by value, and a function's work may be kilobytes.
    ///
    /// # Errors
    /// Those of the work; `INTERNAL` if it panics; `UNAVAILABLE` if it misses the deadline.
    pub async fn run<T>(&self, work: Pin<&mut impl Future<Output = Result<T, Fault>>>) -> Result<T, Fault> {
        let guarded = self.budget.run(AssertUnwindSafe(work).catch_unwind());
        let limit = self.budget.deadline().checked_sub(RESERVE).unwrap_or_else(|| self.budget.deadline());
        match tokio::time::timeout_at(limit, guarded).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => Err(Fault::internal(format!("panic: {}", panic_message(panic.as_ref())))),
            Err(late) => Err(Fault::unavailable(late)),
        }
    }

    /// Writes the log line.
    pub fn finish(
        &self,
        message: &str,
        fault: Option<&Fault>,
        fields: Map<String, Value>,
        log: &RequestLog,
        now: Timestamp,
    ) {
        log::write(&self.line(message, fault, fields, log, now));
    }

    /// Builds the log line.
    pub fn line(
        &self,
        message: &str,
        fault: Option<&Fault>,
        fields: Map<String, Value>,
        log: &RequestLog,
        now: Timestamp,
    ) -> String {
        let mut all = fields;
        // A duration in milliseconds, with three decimals.
        #[allow(clippy::cast_precision_loss)]
        let millis = self.began.elapsed().as_micros() as f64 / 1000.0;
        all.insert("duration_ms".to_owned(), millis.into());
        all.insert("aws.calls".to_owned(), self.budget.aws_calls().into());
        all.extend(log.take(self.function, now));
        let level = match fault {
            None => Level::Info,
            Some(fault) if fault.code.status() < 500 => {
                all.insert("error.code".to_owned(), fault.code.as_str().into());
                Level::Info
            }
            Some(fault) => {
                all.insert("error.code".to_owned(), fault.code.as_str().into());
                all.insert("error.chain".to_owned(), fault.chain().into());
                Level::Error
            }
        };
        log::line(level, self.function, message, now, all)
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
