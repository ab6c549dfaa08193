//! Sharing out a night's work: messages for every organisation, so that no invocation has to do with all of them.

use std::time::Duration;

use consigne_core::ports::{SendMessages, WalkOrgs};
use consigne_core::{Fault, OrgId};

use crate::remaining;

/// Organisations asked for at once.
const PAGE: u32 = 200;
/// Time without which no further page is begun. A page takes some hundredths of a second, so five minutes are enough for
/// hundreds of thousands of organisations.
const RESERVE: Duration = Duration::from_secs(2);

/// Sends each organisation's messages; gives how many organisations there are.
///
/// # Errors
/// When the table or the queue does not answer, or time runs short. The invocation is then tried again from the beginning,
/// so whoever receives the messages must take each twice.
pub async fn for_every_org<F: WalkOrgs, Q: SendMessages>(
    orgs: &F,
    queue: &Q,
    messages: impl Fn(OrgId) -> Result<Vec<String>, Fault>,
) -> Result<u64, Fault> {
    let (mut walk, mut count) = (F::Walk::default(), 0);
    loop {
        let page = orgs.walk_orgs(PAGE, &mut walk).await?;
        if page.is_empty() {
            return Ok(count);
        }
        if remaining() < RESERVE {
            return Err(Fault::unavailable(format!("time ran out after {count} organisations")));
        }
        count += page.len() as u64;
        let bodies = page.into_iter().map(&messages).collect::<Result<Vec<_>, _>>()?.concat();
        queue.send_messages(&bodies).await?;
    }
}
