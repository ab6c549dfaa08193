//! Moves messages one by one, where the service cannot. Each is deleted only once it is on the other queue. If the
//! command is killed in between, a message may be there twice, which readers must tolerate anyway; none is lost.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use std::collections::HashMap;

use consigne_core::Timestamp;

use super::queues::{Queue, unanswered};

/// Most messages in one receive, as SQS limits it.
const BATCH: i32 = 10;
/// Seconds for which received messages are invisible to others: more than enough to send and delete a batch.
const OURS: i32 = 60;
/// Seconds to wait for messages. With a wait, SQS asks all its servers.
const WAIT: i32 = 1;

/// A message on its way back.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    /// Its body, unchanged.
    body: String,
    /// Attributes that its sender added to the body.
    attributes: HashMap<String, MessageAttributeValue>,
    /// Receipt handle, with which it is deleted.
    receipt: String,
    /// When it was first sent.
    sent: Timestamp,
}

/// The operations on the two queues.
pub(crate) trait Queues {
    /// Receives some dead letters; none if there are none.
    async fn take(&self) -> Result<Vec<Letter>, String>;
    /// Sends a message to its original queue.
    async fn send(&self, letter: &Letter) -> Result<(), String>;
    /// Deletes a message from the dead-letter queue.
    async fn strike_off(&self, letter: &Letter) -> Result<(), String>;
}

/// Sends back all messages that were on the dead-letter queue when this began. Returns their number.
///
/// Messages sent since then have already failed again. They stay, because otherwise this might never end.
pub(crate) async fn send_back(queues: &impl Queues, began: Timestamp, tell: impl Fn(&str)) -> Result<i64, String> {
    let mut moved = 0;
    loop {
        let letters: Vec<Letter> =
            queues.take().await?.into_iter().filter(|letter| letter.sent.as_millis() < began.as_millis()).collect();
        if letters.is_empty() {
            return Ok(moved);
        }
        for letter in &letters {
            queues.send(letter).await?;
            queues.strike_off(letter).await?;
            moved += 1;
        }
        tell(&format!("{moved} sent back."));
    }
}

/// The two queues on SQS.
#[derive(Debug)]
pub(crate) struct OnSqs<'a> {
    sqs: &'a Client,
    dead: &'a Queue,
    source: &'a Queue,
}

impl<'a> OnSqs<'a> {
    /// Creates it for a dead-letter queue and the queue that leads to it.
    pub(crate) fn new(sqs: &'a Client, dead: &'a Queue, source: &'a Queue) -> Self {
        Self { sqs, dead, source }
    }
}

impl Queues for OnSqs<'_> {
    async fn take(&self) -> Result<Vec<Letter>, String> {
        let receive = self
            .sqs
            .receive_message()
            .queue_url(&self.dead.url)
            .max_number_of_messages(BATCH)
            .visibility_timeout(OURS)
            .wait_time_seconds(WAIT)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_attribute_names("All");
        let received = receive.send().await.map_err(|error| unanswered("sqs:ReceiveMessage", &error))?;
        received.messages.unwrap_or_default().into_iter().map(letter).collect()
    }

    async fn send(&self, letter: &Letter) -> Result<(), String> {
        let send = self.sqs.send_message().queue_url(&self.source.url).message_body(&letter.body);
        let send = send.set_message_attributes(Some(letter.attributes.clone())).send().await;
        send.map(drop).map_err(|error| unanswered("sqs:SendMessage", &error))
    }

    async fn strike_off(&self, letter: &Letter) -> Result<(), String> {
        let delete = self.sqs.delete_message().queue_url(&self.dead.url).receipt_handle(&letter.receipt).send().await;
        delete.map(drop).map_err(|error| unanswered("sqs:DeleteMessage", &error))
    }
}

fn letter(message: Message) -> Result<Letter, String> {
    let sent = message.attributes.as_ref().and_then(|known| known.get(&MessageSystemAttributeName::SentTimestamp));
    let sent = sent.and_then(|sent| sent.parse().ok()).ok_or("A message does not say when it was sent.")?;
    Ok(Letter {
        body: message.body.unwrap_or_default(),
        attributes: message.message_attributes.unwrap_or_default(),
        receipt: message.receipt_handle.unwrap_or_default(),
        sent: Timestamp::from_millis(sent),
    })
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    const BEGAN: Timestamp = Timestamp::from_secs(1_000);

    /// Two queues in memory. A chosen operation fails, before or after its effect.
    #[derive(Default)]
    struct InMemory {
        dead: RefCell<Vec<Letter>>,
        source: RefCell<Vec<String>>,
        fails: Cell<Option<(u32, bool)>>,
    }

    impl InMemory {
        fn ledger_state(count: u32) -> Self {
            let queues = Self::default();
            queues.dead.borrow_mut().extend((0..count).map(|n| letter(n, 900)));
            queues
        }

        fn effect<T>(&self, effect: impl FnOnce() -> T) -> Result<T, String> {
            match self.fails.get() {
                Some((0, before)) => {
                    self.fails.set(None);
                    if !before {
                        effect();
                    }
                    Err("killed".to_owned())
                }
                left => {
                    self.fails.set(left.map(|(left, before)| (left - 1, before)));
                    Ok(effect())
                }
            }
        }
    }

    impl Queues for InMemory {
        async fn take(&self) -> Result<Vec<Letter>, String> {
            self.effect(|| self.dead.borrow().iter().take(10).cloned().collect())
        }

        async fn send(&self, letter: &Letter) -> Result<(), String> {
            self.effect(|| self.source.borrow_mut().push(letter.body.clone()))
        }

        async fn strike_off(&self, letter: &Letter) -> Result<(), String> {
            self.effect(|| self.dead.borrow_mut().retain(|known| known.receipt != letter.receipt))
        }
    }

    fn letter(n: u32, sent: i64) -> Letter {
        let (body, receipt) = (format!("letter {n}"), n.to_string());
        Letter { body, attributes: HashMap::new(), receipt, sent: Timestamp::from_secs(sent) }
    }

    fn send_all(queues: &InMemory) -> Result<i64, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(send_back(queues, BEGAN, |_| ()))
    }

    #[test]
    fn everything_is_sent_back_once() {
        let queues = InMemory::ledger_state(25);
        assert_eq!(send_all(&queues), Ok(25));
        assert!(queues.dead.borrow().is_empty());
        let want: Vec<String> = (0..25).map(|n| format!("letter {n}")).collect();
        assert_eq!(*queues.source.borrow(), want);
    }

    #[test]
    fn what_fails_again_meanwhile_stays() {
        let queues = InMemory::ledger_state(2);
        queues.dead.borrow_mut().push(letter(9, 1_001));
        assert_eq!(send_all(&queues), Ok(2));
        assert_eq!(queues.dead.borrow().len(), 1);
    }

    #[test]
    fn killed_at_any_point_and_run_again_nothing_is_lost() {
        for before in [true, false] {
            for point in 0.. {
                let queues = InMemory::ledger_state(12);
                queues.fails.set(Some((point, before)));
                let killed = send_all(&queues);
                if queues.fails.take().is_some() {
                    assert!(killed.is_ok() && point > 24, "no crash point was reached");
                    break;
                }
                assert!(killed.is_err() && send_all(&queues).is_ok());
                assert!(queues.dead.borrow().is_empty());
                let mut arrived = queues.source.borrow().clone();
                assert!(arrived.len() <= 13, "more than one came twice");
                arrived.sort();
                arrived.dedup();
                assert_eq!(arrived.len(), 12, "killed at effect {point}");
            }
        }
    }
}
