//! The end of an environment, at the one moment when nobody is harmed by it: after an answer has been sent and before the
//! next event is asked for. A timer would do it at any other: Lambda stops the clock between two events.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use lambda_runtime::Service;

/// Whether the environment is to end.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Asks for the environment to end after the answer that is being made, so that Lambda makes a fresh one.
pub(crate) fn end_environment() {
    ASKED.store(true, Ordering::Relaxed);
}

/// A layer around the sending of answers that ends the process behind the one during which that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Ending<S> {
    inner: S,
    asked: &'static AtomicBool,
    end: fn(),
}

impl<S> Ending<S> {
    /// Wraps the whole path of an event, the sending of its answer included.
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
    async fn the_process_ends_behind_the_answer_during_which_that_was_asked_for() {
        let sending = service_fn(async |ask: bool| {
            if ask {
                WANTED.store(true, Ordering::Relaxed);
            }
            // The answer takes a while to be sent, during which nothing may end.
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
