//! Distributes nightly work: sends messages for every organisation, so that no invocation handles all of them.

use std::time::Duration;

use consigne_core::ports::{SendMessages, WalkOrgs};
use consigne_core::{Fault, OrgId};

use crate::remaining;

/// Organisations read at once.
const PAGE: u32 = 200;
/// Time needed to start another page. A page takes some hundredths of a second, so five minutes are enough for hundreds
/// of thousands of organisations.
const RESERVE: Duration = Duration::from_secs(2);

/// Sends the messages of every organisation. Returns the number of organisations.
///
/// # Errors
/// `UNAVAILABLE` if the table or the queue does not answer, or if time runs short. The invocation is then retried from
/// the start, so receivers must tolerate each message twice.
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
