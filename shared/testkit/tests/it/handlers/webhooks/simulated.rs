//! Deliveries with a simulated clock: many concurrent workers wait for their turns, and days pass at once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use consigne_core::deliveries::{DeliveryMessage, DeliveryStatus, LASTS, Posted, WAITS};
use consigne_core::pacing::Rate;
use consigne_core::ports::{Clock as _, RecordDelivery as _};
use consigne_core::{Fault, Timestamp};
use consigne_runtime::log::RequestLog;
use consigne_runtime::queue::Message;
use consigne_testkit::fakes::{SimClock, World};
use consigne_testkit::{functions, hooks, payload};

use crate::handlers::GRANTED;
use crate::handlers::webhooks::deliveries::{message_of, the_delivery};
use crate::handlers::webhooks::endpoints::{endpoint_in, with_endpoint};

/// Step by which the clock advances while a worker waits.
const TICK: Duration = Duration::from_millis(1);

/// Runs work on fakes to its end, and advances the clock whenever it waits.
pub fn run<T>(clock: &SimClock, mut work: Pin<&mut impl Future<Output = T>>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = work.as_mut().poll(&mut context) {
            return done;
        }
        clock.advance(clock.now().plus(TICK));
    }
}

/// A worker that handles a message.
type Work = Pin<Box<dyn Future<Output = Result<(), Fault>>>>;

/// A queue and its workers. It delivers messages that are due, and advances the clock when all workers wait.
struct SimulatedQueue {
    world: World,
    clock: SimClock,
    /// Messages, with the time from which they can be received.
    queue: Vec<(Timestamp, String)>,
    /// Number of concurrent workers.
    workers: usize,
    /// Delay of messages, by their number.
    late: fn(usize) -> Duration,
    /// Number of messages sent so far.
    received: usize,
}

impl SimulatedQueue {
    /// Adds the messages that were sent to the queue.
    fn collect(&mut self) {
        let (now, mut sent) = (self.clock.now(), Vec::new());
        self.world.change(|state| {
            sent.extend(state.messages.drain(..).map(|body| (now, body)));
            sent.extend(state.later.drain(..).map(|(body, wait)| (now.plus(wait), body)));
        });
        for (at, body) in sent {
            self.queue.push((at.plus((self.late)(self.received)), body));
            self.received += 1;
        }
    }

    /// Works until the queue is empty or the clock has reached a time.
    fn work(&mut self, until: Timestamp) {
        let mut at_work: Vec<Work> = Vec::new();
        loop {
            self.collect();
            while at_work.len() < self.workers {
                let now = self.clock.now();
                let Some(next) = self.queue.iter().position(|(at, _)| *at <= now) else { break };
                let (_, body) = self.queue.remove(next);
                at_work.push(self.begin(body));
            }
            let before = at_work.len();
            at_work.retain_mut(|work| {
                let polled = work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert!(!matches!(polled, Poll::Ready(Err(_))), "no effect fails in this test");
                polled.is_pending()
            });
            if at_work.len() < before {
                continue;
            }
            let next = self.queue.iter().map(|(at, _)| *at).min();
            let now = self.clock.now();
            match next {
                _ if !at_work.is_empty() => self.clock.advance(now.plus(TICK)),
                Some(next) if next <= until => self.clock.advance(next),
                _ => return self.clock.advance(until),
            }
        }
    }

    fn begin(&self, body: String) -> Work {
        let (world, clock) = (self.world.clone(), self.clock.clone());
        let message =
            Message { body, id: "m".to_owned(), receives: 1, now: self.clock.now(), log: RequestLog::default() };
        Box::pin(async move { functions::dispatch(&world, &clock, &message).await })
    }

    /// Runs `sweep`.
    async fn sweep(&self) {
        let mut tick = payload::event("sweep", "tick", "");
        tick["time"] = self.clock.now().to_string().into();
        functions::tick(&self.world, "sweep", tick).await.unwrap();
    }
}

/// Records so many deliveries to the endpoint, all due now, with their messages.
async fn due_at_once(world: &World, many: usize) {
    let endpoint = endpoint_in(world);
    for n in 0..many {
        let delivery = hooks::delivery(&endpoint, GRANTED.minus(Duration::from_secs(n as u64)));
        let delivery = consigne_core::deliveries::Delivery { next_at: Some(GRANTED), ..delivery };
        assert!(world.record_delivery(&delivery).await.unwrap());
        let message = DeliveryMessage::attempt(delivery.org, delivery.id).unwrap();
        world.change(|state| state.messages.push(message));
    }
}

/// Returns when each webhook was sent, from its attempt.
fn sent_at(world: &World) -> Vec<Timestamp> {
    let state = world.state();
    let mut at: Vec<Timestamp> =
        state.hooks.deliveries.values().flat_map(|delivery| &delivery.attempts).map(|attempt| attempt.at).collect();
    at.sort();
    at
}

#[tokio::test]
async fn a_thousand_deliveries_to_one_endpoint_are_sent_at_ten_per_second() {
    const MANY: usize = 1_000;
    let lates: [fn(usize) -> Duration; 2] = [|_| Duration::ZERO, |n| Duration::from_millis((n as u64 * 7_919) % 900)];
    for late in lates {
        let world = with_endpoint(|_| ());
        let clock = SimClock::at(GRANTED);
        due_at_once(&world, MANY).await;
        let mut queue = SimulatedQueue { world, clock, queue: Vec::new(), workers: 40, late, received: 0 };
        queue.work(GRANTED.plus(Duration::from_mins(10)));
        let (state, at) = (queue.world.state(), sent_at(&queue.world));
        assert!(state.hooks.deliveries.values().all(|delivery| delivery.status == DeliveryStatus::Delivered));
        let ids: std::collections::BTreeSet<String> = state
            .hooks
            .posted
            .iter()
            .map(|post| post.headers.iter().find(|(name, _)| *name == "webhook-id").unwrap().1.clone())
            .collect();
        assert_eq!((ids.len(), state.hooks.posted.len(), at.len()), (MANY, MANY, MANY), "each once");
        assert!(
            at.windows(2).all(|pair| pair[1].since(pair[0]) >= Rate::default().interval()),
            "the rate must not be exceeded"
        );
        for (n, from) in at.iter().enumerate() {
            let within = at[n..].iter().take_while(|then| then.since(*from) < Duration::from_secs(1)).count();
            assert!(within <= 10, "{within} within a second");
        }
        let whole = at[MANY - 1].since(at[0]).as_secs();
        assert!((99..160).contains(&whole), "{whole} s: the rate is also used");
    }
}

#[tokio::test]
async fn more_deliveries_than_messages_can_wait_for_are_all_sent() {
    const MANY: usize = 700;
    let world = with_endpoint(|endpoint| endpoint.rate = Rate::new(1).unwrap());
    due_at_once(&world, MANY).await;
    let late = |_| Duration::ZERO;
    let mut queue =
        SimulatedQueue { world, clock: SimClock::at(GRANTED), queue: Vec::new(), workers: 20, late, received: 0 };
    for minutes in 1..=6 {
        queue.work(GRANTED.plus(Duration::from_mins(5 * minutes)));
        queue.sweep().await;
    }
    let at = sent_at(&queue.world);
    assert_eq!((at.len(), queue.world.state().hooks.posted.len()), (MANY, MANY), "each once");
    assert!(
        at.windows(2).all(|pair| pair[1].since(pair[0]) >= Duration::from_secs(1)),
        "the rate must not be exceeded"
    );
}

#[tokio::test]
async fn a_failing_receiver_is_retried_with_backoff_for_three_days() {
    let world = with_endpoint(|_| ());
    world.change(|state| state.hooks.answers.extend((0..100).map(|_| Posted::answered(503, None, b""))));
    world.change(|state| state.messages.push(message_of("key-revoked")));
    let clock = SimClock::at(GRANTED);
    let mut queue =
        SimulatedQueue { world, clock, queue: Vec::new(), workers: 2, late: |_| Duration::ZERO, received: 0 };
    let end = GRANTED.plus(LASTS + Duration::from_hours(12));
    while queue.clock.now() < end {
        let next = queue.clock.now().plus(Duration::from_mins(5));
        queue.work(next);
        queue.sweep().await;
    }
    let delivery = the_delivery(&queue.world);
    assert_eq!((delivery.status, delivery.wake_at), (DeliveryStatus::Failed, None));
    let at = sent_at(&queue.world);
    assert_eq!(at.len(), WAITS.len() + 1);
    let waits: Vec<Duration> = at.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    // A wait that is too long for a message ends at the next `sweep`, up to five minutes late.
    let slack =
        |wait: Duration| if wait > Duration::from_mins(15) { Duration::from_mins(6) } else { Duration::from_secs(1) };
    for (wait, least) in waits.iter().zip(WAITS) {
        assert!(*wait >= least && *wait <= least + least / 32 + slack(least), "{waits:?}");
    }
    assert!(waits.windows(2).all(|pair| pair[0] < pair[1]), "waits must grow: {waits:?}");
    assert!(at[WAITS.len()].since(at[0]) <= LASTS, "three days");
    assert!(endpoint_in(&queue.world).is_active(), "three days of failures must not disable it");
}

#[tokio::test]
async fn a_lost_message_only_delays_its_delivery() {
    let world = with_endpoint(|_| ());
    let clock = SimClock::at(GRANTED);
    let delivery = hooks::delivery(&endpoint_in(&world), GRANTED);
    assert!(world.record_delivery(&delivery).await.unwrap());
    // The message was not sent, or was lost.
    let mut queue =
        SimulatedQueue { world, clock, queue: Vec::new(), workers: 2, late: |_| Duration::ZERO, received: 0 };
    for _ in 0..2 {
        let next = queue.clock.now().plus(Duration::from_mins(5));
        queue.sweep().await;
        queue.work(next);
    }
    queue.sweep().await;
    queue.work(queue.clock.now());
    assert_eq!(the_delivery(&queue.world).status, DeliveryStatus::Delivered);
}
