//! What one invocation has left and has spent: its deadline, and the calls to AWS it has made.
//!
//! It travels beside the task rather than through every signature, since adapters below a client need it too.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::Instant;

tokio::task_local! {
    static CURRENT: Arc<InvocationBudget>;
    static TRACE: Option<String>;
}

/// Runs work under the trace of its invocation, which every call it makes then names.
pub async fn traced<F: Future>(trace: Option<String>, work: F) -> F::Output {
    TRACE.scope(trace, work).await
}

/// Gives the trace that the current work is part of.
pub(crate) fn trace() -> Option<String> {
    TRACE.try_with(Clone::clone).ok().flatten()
}

/// One invocation.
#[derive(Debug)]
pub struct InvocationBudget {
    deadline: Instant,
    aws_calls: AtomicU32,
}

impl InvocationBudget {
    /// Makes the account of an invocation that must be answered within `budget`.
    pub fn new(budget: Duration) -> Arc<Self> {
        Arc::new(Self { deadline: Instant::now() + budget, aws_calls: AtomicU32::new(0) })
    }

    /// Runs work on this account.
    pub async fn run<F: Future>(self: &Arc<Self>, work: F) -> F::Output {
        CURRENT.scope(self.clone(), work).await
    }

    /// Gives how many requests were sent to AWS, retries included.
    pub fn aws_calls(&self) -> u32 {
        self.aws_calls.load(Ordering::Relaxed)
    }

    /// Gives when the answer is due.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }
}

/// Time to answer when no invocation is running, as during init and in tests.
const DEFAULT_BUDGET: Duration = Duration::from_secs(10);

/// When the current invocation must have answered.
pub(crate) fn deadline() -> Instant {
    CURRENT.try_with(|call| call.deadline).unwrap_or_else(|_| Instant::now() + DEFAULT_BUDGET)
}

/// The time the current invocation has left.
pub fn remaining() -> Duration {
    deadline().saturating_duration_since(Instant::now())
}

/// Time of an invocation kept for the answer.
const RESERVE: Duration = Duration::from_millis(250);

/// The time the current invocation can spend on calls: what it has left, less what its answer takes.
pub(crate) fn spendable() -> Duration {
    remaining().saturating_sub(RESERVE)
}

/// The end of that time.
#[cfg(not(feature = "sdk-client"))]
pub(crate) fn spendable_until() -> Instant {
    deadline() - RESERVE
}

/// Counts one request to AWS on the current invocation's account.
pub fn count_aws_call() {
    // During init there is no account to write on, and nobody asks.
    let _ = CURRENT.try_with(|call| call.aws_calls.fetch_add(1, Ordering::Relaxed));
}
