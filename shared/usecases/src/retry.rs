//! Optimistic concurrency: the retry after a conflict, when another writer was faster.

use consigne_aws::Backoff;
use consigne_core::Fault;

/// Waits between the tries of a read, a decision and a conditional write.
///
/// ```text
/// let mut retry = ConflictRetry::of("the key");
/// loop {
///     // read; decide; write, and return unless the write met a conflict
///     retry.wait().await?;
/// }
/// ```
#[derive(Debug)]
pub struct ConflictRetry {
    what: &'static str,
    backoff: Backoff,
}

impl ConflictRetry {
    /// Starts the tries of a change. `what` is its subject in the error: "the key", "the hold".
    pub fn of(what: &'static str) -> Self {
        Self { what, backoff: Backoff::of_conflicts() }
    }

    /// Waits before the next try.
    ///
    /// # Errors
    /// `UNAVAILABLE` if the invocation has no time for another try.
    pub async fn wait(&mut self) -> Result<(), Fault> {
        if self.backoff.wait().await {
            return Ok(());
        }
        Err(Fault::unavailable(format!("{} kept changing until the invocation's time was up", self.what)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use consigne_aws::budget::InvocationBudget;
    use consigne_core::Code;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tries_continue_until_the_deadline_and_leave_time_for_the_answer() {
        let budget = InvocationBudget::new(Duration::from_secs(10));
        let began = tokio::time::Instant::now();
        let (tries, fault) = budget
            .run(async {
                let mut retry = ConflictRetry::of("the key");
                for tries in 1.. {
                    if let Err(fault) = retry.wait().await {
                        return (tries, fault);
                    }
                }
                unreachable!()
            })
            .await;
        assert_eq!(fault.code, Code::Unavailable);
        assert!(tries > 30, "{tries} tries");
        let spent = began.elapsed();
        assert!((Duration::from_secs(9)..=Duration::from_millis(9_500)).contains(&spent), "{spent:?}");
    }
}
