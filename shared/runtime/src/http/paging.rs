//! Pages of lists: reads limit and cursor, answers with cursor and total.

use consigne_auth::CursorSeal;
use consigne_core::Fault;
use consigne_core::ports::{Listed, PageAsk};
use serde::Serialize;

use super::{Answer, Request};

/// Most entries on a page.
pub const LIMIT_MAX: u32 = 1000;
/// Entries on a page when the request does not say how many.
pub(super) const LIMIT_DEFAULT: u32 = 100;

/// Pages through lists. A cursor is sealed: it works only for one caller and one filter, and can be neither read nor
/// altered.
#[derive(Debug)]
pub struct Paging(CursorSeal);

/// The `metadata` of a list in an envelope.
#[derive(Debug, Serialize)]
struct Metadata {
    next_cursor: Option<String>,
    total: Option<u64>,
}

impl Paging {
    /// Creates a pager that seals cursors with `seal`.
    pub fn new(seal: CursorSeal) -> Self {
        Self(seal)
    }

    /// Reads `limit` and `cursor` of a request. `context` identifies the list: its owner and its filter.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming `limit`, `INVALID_CURSOR`.
    pub fn ask(&self, request: &Request, context: &[&str]) -> Result<PageAsk, Fault> {
        self.ask_or(LIMIT_DEFAULT, request, context)
    }

    /// Like [`Self::ask`], with `default` entries on a page when the request does not say how many.
    ///
    /// # Errors
    /// Those of [`Self::ask`].
    pub fn ask_or(&self, default: u32, request: &Request, context: &[&str]) -> Result<PageAsk, Fault> {
        let limit = limit(request)?.unwrap_or(default);
        let Some(cursor) = request.query("cursor")? else { return Ok(PageAsk { limit, after: None }) };
        let after = self.0.open(context, &cursor);
        Ok(PageAsk { limit, after: Some(after.ok_or_else(Fault::invalid_cursor)?) })
    }

    /// Returns the cursor of the next page, which starts after the position `next`; `None` on the last page.
    pub fn cursor(&self, next: Option<&str>, context: &[&str]) -> Option<String> {
        next.map(|next| self.0.seal(context, next))
    }

    /// Answers with a page in an envelope. `show` converts each entry.
    pub fn answer<T, V: Serialize>(
        &self,
        message: &str,
        listed: &Listed<T>,
        show: impl Fn(&T) -> V,
        request: &Request,
        context: &[&str],
    ) -> Answer {
        request.log.field("list.entries", listed.items.len());
        let data: Vec<V> = listed.items.iter().map(show).collect();
        let next_cursor = self.cursor(listed.next.as_deref(), context);
        Answer::envelope(200, message, &data, request.now).with_metadata(&Metadata { next_cursor, total: listed.total })
    }
}

/// Reads `limit`: 1 to 1000, or `None` if there is none.
fn limit(request: &Request) -> Result<Option<u32>, Fault> {
    let Some(text) = request.query("limit")? else { return Ok(None) };
    match text.parse() {
        Ok(limit @ 1..=LIMIT_MAX) => Ok(Some(limit)),
        _ => Err(Fault::field("limit", format!("limit must be 1 to {LIMIT_MAX}"))),
    }
}
