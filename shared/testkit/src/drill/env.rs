//! Invokes functions on the world of a drill, with a script of faults for each invocation.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use consigne_core::Timestamp;
use consigne_core::ports::Clock as _;
use futures_util::FutureExt as _;
use serde_json::{Map, Value};

use super::stage::{Script, Stage};
use super::tally::Fault;
use crate::fakes::{SimClock, World};
use crate::functions::{CDN, Environment, Fakes, MAIL_FROM, environment};

/// The timers of waits after a conflict, which are a few milliseconds long and by the machine's clock. One thread
/// drives them; the drills' threads only poll, so that no runtime decides about an order.
static TIMERS: LazyLock<tokio::runtime::Handle> = LazyLock::new(|| {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime starts");
        tell.send(runtime.handle().clone()).expect("somebody waits for it");
        runtime.block_on(std::future::pending::<()>());
    });
    told.recv().expect("the thread has started")
});

/// How long an invocation may wait in simulated time before Lambda ends it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The installation of a drill.
pub struct Env {
    /// The world, as the functions see it.
    world: World,
    stage: Arc<Stage>,
    /// The time of the drill.
    pub clock: SimClock,
    warm: Mutex<BTreeMap<&'static str, Environment>>,
}

/// What came of an invocation.
pub struct Outcome {
    /// What its caller got; `None` if it was killed.
    pub answer: Option<Value>,
    /// The fault that it ended with, as code and chain.
    pub fault: Option<(&'static str, String)>,
    /// The faults that happened, and in which method of a port.
    pub met: Vec<(Fault, &'static str)>,
    /// Number of its effects.
    pub effects: u32,
    /// What the handler added to its log line.
    pub log: Map<String, Value>,
}

impl Outcome {
    /// Returns whether the work was done: a message is acknowledged, a tick is not repeated.
    pub fn is_done(&self) -> bool {
        self.answer.is_some() && self.fault.is_none()
    }
}

impl Env {
    /// Creates the installation on a world.
    pub fn new(world: &World, stage: Arc<Stage>, now: Timestamp) -> Self {
        let world = world.directed(stage.clone());
        Self { world, stage, clock: SimClock::at(now), warm: Mutex::default() }
    }

    /// Returns the time of the drill.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Ends the environments of a function, as Lambda does now and then, so that the next invocation starts cold.
    pub fn chill(&self, name: &'static str) {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    fn environment(&self, name: &'static str) -> Environment {
        if let Some(warm) = self.warm.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return warm.clone();
        }
        let start = Fakes::start_with(&self.world, &self.clock, [MAIL_FROM, CDN[0], CDN[1]]);
        let fresh = environment(&start, name).now_or_never().expect("fakes never wait at their start");
        self.warm.lock().unwrap_or_else(PoisonError::into_inner).insert(name, fresh.clone());
        fresh
    }

    /// Runs a function on an event: an HTTP event, a record or a tick.
    pub fn run(&self, name: &'static str, event: Value, script: Script) -> Outcome {
        let timers = TIMERS.enter();
        // No two invocations have the same time: ids are ordered by it, and their other digits are random.
        self.clock.advance(self.now().plus(Duration::from_millis(1)));
        let environment = self.environment(name);
        self.stage.begin(script);
        let mut handled = pin!(environment.handle(event, self.now()));
        let mut context = Context::from_waker(Waker::noop());
        let until = self.now().plus(PATIENCE);
        let handled = loop {
            if let Poll::Ready(handled) = handled.as_mut().poll(&mut context) {
                break Some(handled);
            }
            match self.clock.awaited() {
                Some(at) if at > until => break None,
                Some(at) => self.clock.advance(at),
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        drop(timers);
        let script = self.stage.end();
        if script.killed {
            self.chill(name);
        }
        let (met, effects) = (script.met, script.reached);
        match handled.filter(|_| !script.killed) {
            Some(handled) => {
                let fault = handled.fault.map(|fault| (fault.code.as_str(), fault.chain()));
                Outcome { answer: Some(handled.answer), fault, met, effects, log: handled.log }
            }
            None => Outcome { answer: None, fault: None, met, effects, log: Map::new() },
        }
    }
}
