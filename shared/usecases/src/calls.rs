//! Reads receipts page by page.

use consigne_core::ports::{PageAsk, ReadCalls};
use consigne_core::stats::{CountedCall, DaySpan};
use consigne_core::{Fault, OrgId};

/// Receipts in one page. The fields that are read of them have a quarter of a megabyte.
const PAGE: u32 = 1_000;

/// Passes an organisation's receipts of some days to `count`, oldest first. Reads at least one page, and further pages
/// while `has_time` returns true. Returns the position from which to continue, if there are more.
///
/// # Errors
/// `UNAVAILABLE` if the table does not answer.
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
