//! Maintains an organisation's keys and wallets: removes the counters of past periods, and expires credit lots.
//!
//! The next charge of a key does the same for that key and its wallet, so this is for those that nobody uses. Processing
//! a message twice changes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use consigne_core::credits::WalletId;
use consigne_core::maintenance::{Maintenance, past_periods};
use consigne_core::ports::{ExpireLots, ForgetPeriods, PageAsk, SendMessage, WalkKeys};
use consigne_core::{Fault, UserId};
use consigne_runtime::queue::Message;
use consigne_runtime::{Adapters, BatchFunction, function, remaining, settings};

/// Keys read in one query.
const PAGE: u32 = 100;
/// Time that must be left to start another page.
const RESERVE: Duration = Duration::from_secs(20);

function! {
    /// Keys and wallets.
    accounts: A::Table = table(),
    /// Takes messages that continue with an organisation too large for one invocation.
    queue: A::Queue = queue(&settings::QUOTA_QUEUE_URL),
}

impl<A: Adapters<Table: WalkKeys + ForgetPeriods + ExpireLots, Queue: SendMessage>> BatchFunction for Function<A> {
    type Record = Message;

    async fn handle(&self, message: &Message) -> Result<(), Fault> {
        let Maintenance { org, at, after } = Maintenance::parse(&message.body)?;
        message.log.field("org.id", org);
        // A message dated in the future must not expire anything early.
        let now = at.min(message.now);
        let (mut expired, mut forgotten) = (0, 0);
        if after.is_none() {
            expired += u32::from(self.accounts.expire_lots(&WalletId::Organisation(org), now).await?);
        }
        let mut ask = PageAsk { limit: PAGE, after };
        loop {
            let page = self.accounts.walk_keys(org, &ask).await?;
            for key in &page.items {
                let past = past_periods(key, now);
                if !past.is_empty() {
                    self.accounts.forget_periods(org, key.id, &past).await?;
                    forgotten += past.len();
                }
            }
            let testers: BTreeSet<UserId> = page.items.into_iter().filter_map(|key| key.spender).collect();
            for tester in testers {
                expired += u32::from(self.accounts.expire_lots(&WalletId::Test(tester), now).await?);
            }
            ask.after = page.next;
            if ask.after.is_none() || remaining() < RESERVE {
                break;
            }
        }
        message.log.field("quota.wallets_expired", expired);
        message.log.field("quota.counters_forgotten", forgotten);
        match ask.after {
            Some(after) => self.queue.send_message(&Maintenance { org, at, after: Some(after) }.message()?).await,
            None => Ok(()),
        }
    }
}
