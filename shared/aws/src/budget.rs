//! The budget of one invocation: its deadline, and the calls to AWS it has made.
//!
//! It is a task-local value and not a parameter, because adapters below a client need it too.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::Instant;

tokio::task_local! {
    static CURRENT: Arc<InvocationBudget>;
    static TRACE: Option<String>;
}

/// Runs `work` under the trace id of its invocation. Every call to AWS then carries that id.
pub async fn traced<F: Future>(trace: Option<String>, work: F) -> F::Output {
    TRACE.scope(trace, work).await
}

/// Returns the trace id under which the current work runs, if it has one.
pub(crate) fn trace() -> Option<String> {
    TRACE.try_with(Clone::clone).ok().flatten()
}

/// The deadline of one invocation, and how many requests it has sent to AWS.
#[derive(Debug)]
pub struct InvocationBudget {
    deadline: Instant,
    aws_calls: AtomicU32,
}

impl InvocationBudget {
    /// Creates the budget of an invocation that must be answered within `budget` from now.
    pub fn new(budget: Duration) -> Arc<Self> {
        Arc::new(Self { deadline: Instant::now() + budget, aws_calls: AtomicU32::new(0) })
    }

    /// Runs `work` with this budget: its calls to AWS are counted here and end before this deadline.
    pub async fn run<F: Future>(self: &Arc<Self>, work: F) -> F::Output {
        CURRENT.scope(self.clone(), work).await
    }

    /// Returns how many requests were sent to AWS, retries included.
    pub fn aws_calls(&self) -> u32 {
        self.aws_calls.load(Ordering::Relaxed)
    }

    /// Returns the moment by which the invocation must have answered.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }
}

/// Time to answer when no invocation is running, as during init and in tests.
const DEFAULT_BUDGET: Duration = Duration::from_secs(10);

/// Returns the moment by which the current invocation must have answered.
pub(crate) fn deadline() -> Instant {
    CURRENT.try_with(|call| call.deadline).unwrap_or_else(|_| Instant::now() + DEFAULT_BUDGET)
}

/// Returns the time the current invocation has left.
pub fn remaining() -> Duration {
    deadline().saturating_duration_since(Instant::now())
}

/// Time that calls to AWS leave unused, so that the invocation can still answer.
const RESERVE: Duration = Duration::from_millis(250);

/// Returns the time the current invocation can spend on calls: what it has left, less what is kept for its answer.
pub(crate) fn spendable() -> Duration {
    remaining().saturating_sub(RESERVE)
}

/// Returns the moment by which calls of the current invocation must end.
#[cfg(not(feature = "sdk-client"))]
pub(crate) fn spendable_until() -> Instant {
    deadline() - RESERVE
}

/// Counts one request to AWS in the current invocation's budget.
pub fn count_aws_call() {
    // During init there is no budget, and the count is not needed.
    let _ = CURRENT.try_with(|call| call.aws_calls.fetch_add(1, Ordering::Relaxed));
}
