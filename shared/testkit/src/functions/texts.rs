//! Runs `generate-worker` with its queue, on simulated time.

use std::time::Duration;

use consigne_core::{Fault, Timestamp};
use consigne_runtime::log::RequestLog;
use consigne_runtime::queue::Message;
use consigne_runtime::{BatchFunction as _, Wire as _};

use super::{Fakes, wired};
use crate::fakes::World;

/// Visibility timeout of the queue, as in the template: how long a failed message waits for its next delivery.
const HIDDEN: Duration = Duration::from_mins(12);
/// Deliveries of one message before it goes to the dead-letter queue.
const RECEIVES: u32 = 5;

/// Delivers one message at a given time.
pub async fn text_message(world: &World, body: &str, id: &str, now: Timestamp) -> Result<(), Fault> {
    let message = Message { body: body.to_owned(), id: id.to_owned(), receives: 1, now, log: RequestLog::default() };
    wired(&Fakes::start(world), generate_worker::Function::wire).await.handle(&message).await
}

/// The outcome of delivering a queue until it is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Time of the last delivery.
    pub at: Timestamp,
    /// Number of deliveries.
    pub deliveries: u32,
    /// Number of messages on the dead-letter queue.
    pub dead: u32,
}

impl Delivered {
    /// Delivers a message and all that follow from it, each at its time and `copies` times. Messages that fail are
    /// delivered again, as SQS does.
    pub async fn from(world: &World, body: &str, began: Timestamp, copies: u32) -> Self {
        let mut minted = 0;
        let mut queue: Vec<(Timestamp, String, String, u32)> = Vec::new();
        let mut send = |queue: &mut Vec<_>, at: Timestamp, body: &str| {
            minted += 1;
            queue.extend((0..copies).map(|copy| (at, format!("message-{minted}-{copy}"), body.to_owned(), 1)));
        };
        send(&mut queue, began, body);
        let mut done = Self { at: began, deliveries: 0, dead: 0 };
        while !queue.is_empty() {
            queue.sort();
            let (at, id, body, receives) = queue.remove(0);
            (done.at, done.deliveries) = (at, done.deliveries + 1);
            let failed = text_message(world, &body, &id, at).await.is_err();
            for (body, wait) in world.state().later {
                send(&mut queue, at.plus(wait), &body);
            }
            world.change(|state| state.later.clear());
            if failed && receives < RECEIVES {
                queue.push((at.plus(HIDDEN), id, body, receives + 1));
            } else if failed {
                done.dead += 1;
            }
            assert!(done.deliveries < 1_000, "the messages do not come to an end");
        }
        done
    }
}
