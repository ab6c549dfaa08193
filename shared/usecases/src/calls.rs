//! Going over the receipts.

use consigne_core::ports::{PageAsk, ReadCalls};
use consigne_core::stats::{CountedCall, DaySpan};
use consigne_core::{Fault, OrgId};

/// Receipts read at once; what is counted of them is a quarter of a megabyte.
const PAGE: u32 = 1_000;

/// Reads an organisation's receipts of some days, oldest first, page by page as long as `has_time` says so, though at least
/// one. Gives where to go on, if there is more.
pub async fn read_calls<F: ReadCalls>(
    calls: &F,
    org: OrgId,
    span: DaySpan,
    after: Option<String>,
    mut count: impl FnMut(&CountedCall),
    has_time: impl Fn() -> bool,
) -> Result<Option<String>, Fault> {
    let mut ask = PageAsk { limit: PAGE, after };
    loop {
        let page = calls.read_calls(org, span, &ask).await?;
        page.items.iter().for_each(&mut count);
        ask.after = page.next;
        if ask.after.is_none() || !has_time() {
            return Ok(ask.after);
        }
    }
}
