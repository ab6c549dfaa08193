//! Ends an execution environment at the one harmless moment: after an answer was sent and before the next event is
//! requested. A timer could fire at any other moment, because Lambda freezes the process between events.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use lambda_runtime::Service;

/// Whether the execution environment is to end.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Makes the execution environment end after the current answer, so that Lambda creates a new one.
pub(crate) fn end_environment() {
    ASKED.store(true, Ordering::Relaxed);
}

/// A layer around the sending of answers. It ends the process after the answer during which that was requested.
#[derive(Clone, Debug)]
pub(crate) struct Ending<S> {
    inner: S,
    asked: &'static AtomicBool,
    end: fn(),
}

impl<S> Ending<S> {
    /// Wraps the whole handling of an event, including the sending of its answer.
    pub(crate) fn after(inner: S) -> Self {
        Self { inner, asked: &ASKED, end: || std::process::exit(0) }
    }
}

impl<S, E> Service<E> for Ending<S>
where
    S: Service<E>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, event: E) -> Self::Future {
        let (sent, asked, end) = (self.inner.call(event), self.asked, self.end);
        Box::pin(async move {
            let outcome = sent.await;
            if asked.load(Ordering::Relaxed) {
                end();
            }
            outcome
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use lambda_runtime::service_fn;

    use super::*;

    static WANTED: AtomicBool = AtomicBool::new(false);
    static SENT: AtomicU32 = AtomicU32::new(0);
    static ENDED_AFTER: AtomicU32 = AtomicU32::new(0);

    #[tokio::test]
    async fn the_process_ends_after_the_answer_during_which_its_end_was_requested() {
        let sending = service_fn(async |ask: bool| {
            if ask {
                WANTED.store(true, Ordering::Relaxed);
            }
            // Sending the answer takes a while, and the process must not end during it.
            tokio::task::yield_now().await;
            assert_eq!(ENDED_AFTER.load(Ordering::Relaxed), 0);
            SENT.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::convert::Infallible>(())
        });
        let end = || ENDED_AFTER.store(SENT.load(Ordering::Relaxed), Ordering::Relaxed);
        let mut service = Ending { inner: sending, asked: &WANTED, end };
        service.call(false).await.unwrap();
        service.call(false).await.unwrap();
        assert_eq!(ENDED_AFTER.load(Ordering::Relaxed), 0);
        service.call(true).await.unwrap();
        assert_eq!(ENDED_AFTER.load(Ordering::Relaxed), 3);
    }
}
