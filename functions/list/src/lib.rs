//! Lists a user's files in pages, newest first. Without `limit` a page has all files, up to 1,000 or 1 MB of records.

use consigne_auth::{SessionVerifier, User};
use consigne_core::files::{FileView, Kind, PublicAddresses, SecureFileView, Status};
use consigne_core::ports::{Filter, GetUsage, ListFiles, Position};
use consigne_core::{Fault, FileId, Timestamp};
use consigne_runtime::http::LIMIT_MAX;
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Paging, Request, function};
use schemars::JsonSchema;
use serde::Serialize;

/// A page of files.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileList {
    /// Files of this page, newest first.
    pub files: Vec<FileView>,
    /// Number of files that match the filter, on all pages together.
    pub total: u64,
    /// Id of the files' owner.
    pub user_id: String,
    /// Cursor of the next page; null on the last page.
    pub next_cursor: Option<String>,
}

/// `metadata` of the answer's envelope.
#[derive(Debug, Serialize)]
struct Metadata {
    next_cursor: Option<String>,
    total: u64,
}

function! {
    users: SessionVerifier = file_users(),
    files: A::Table = table(),
    paging: Paging = paging().await,
    addresses: PublicAddresses = public_addresses(),
}

impl<A: Adapters<Table: ListFiles + GetUsage>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        let secure = request.route().contains("/secure/");
        let filter = filter(request, if secure { "content_type" } else { "contentType" })?;
        let context = context(&user, filter);
        let page = self.paging.ask_or(LIMIT_MAX, request, &context)?;
        let (limit, after) = (page.limit, page.after.as_deref().map(position).transpose()?);

        let (page, counted) = tokio::try_join!(
            self.files.list_files(&user.id, filter, limit, after.as_ref()),
            self.counted(&user, filter)
        )?;
        let total = match (&after, &page.next) {
            // The page is the whole list.
            (None, None) => page.files.len() as u64,
            _ => counted.saturating_sub(self.still_counted(&user, filter).await?),
        };
        request.log.field("files.listed", page.files.len());
        let next = page.next.map(|next| format!("{}#{}", next.changed_at.as_millis(), next.file));
        let next_cursor = self.paging.cursor(next.as_deref(), &context);
        if secure {
            let files: Vec<SecureFileView> = page.files.iter().map(SecureFileView::from).collect();
            let answer = Answer::envelope(200, "Files listed", &files, request.now);
            return Ok(answer.with_metadata(&Metadata { next_cursor, total }));
        }
        let files = page.files.iter().map(|file| FileView::with_address(file, &self.addresses)).collect();
        Ok(Answer::plain(200, &FileList { files, total, user_id: user.id.to_string(), next_cursor }))
    }

    fn operations() -> Vec<Operation> {
        let paged = |operation: Operation, kind| {
            operation
                .parameter(kind, "Only files of this kind", false)
                .one_of(&Kind::ALL.map(Kind::name))
                .parameter("status", "Only files with this status; ready when absent", false)
                .one_of(&Status::ALL.into_iter().filter(|it| it.is_visible()).map(Status::name).collect::<Vec<_>>())
                .by_cursor_or(LIMIT_MAX, "`nextCursor` (or `next_cursor`) of the previous page")
        };
        let plain = Operation::new::<FileList>("GET /api/files/list", "List files, newest first");
        let secure = Operation::new::<Vec<SecureFileView>>("GET /api/secure/files/list", "List files, newest first");
        vec![paged(plain, "contentType"), paged(secure.in_envelope().listed(), "content_type")]
    }
}

impl<A: Adapters<Table: ListFiles + GetUsage>> Function<A> {
    /// Counts the files that match the filter. The ledger holds the number of READY files; the others are few enough to
    /// count.
    async fn counted(&self, user: &User, filter: Filter) -> Result<u64, Fault> {
        if filter.status == Status::Ready {
            return Ok(self.files.get_usage(&user.id).await?.files(filter.kind));
        }
        self.files.count_files(&user.id, filter).await
    }

    /// Counts the files that the ledger counts and the list does not show: those whose bytes are being removed.
    async fn still_counted(&self, user: &User, filter: Filter) -> Result<u64, Fault> {
        if filter.status == Status::Ready {
            return self.files.count_deleting(&user.id, filter.kind).await;
        }
        Ok(0)
    }
}

/// Parses the position in a cursor.
fn position(text: &str) -> Result<Position, Fault> {
    let invalid = Fault::invalid_cursor;
    let (millis, file) = text.split_once('#').ok_or_else(invalid)?;
    let changed_at = Timestamp::from_millis(millis.parse().map_err(|_| invalid())?);
    Ok(Position { changed_at, file: FileId::parse(file).ok_or_else(invalid)? })
}

/// Returns what a cursor is bound to: this function, the user and the filter.
fn context(user: &User, filter: Filter) -> [&str; 4] {
    ["list", user.id.as_str(), filter.status.name(), filter.kind.map_or("", Kind::name)]
}

fn filter(request: &Request, kind_parameter: &str) -> Result<Filter, Fault> {
    let kind = match request.query(kind_parameter)? {
        None => None,
        Some(name) => Some(Kind::from_name(&name).ok_or_else(|| {
            let kinds = Kind::ALL.map(Kind::name).join(", ");
            Fault::field(kind_parameter, format!("{kind_parameter} must be one of {kinds}"))
        })?),
    };
    let status = match request.query("status")? {
        None => Status::Ready,
        Some(name) => Status::from_name(&name)
            .filter(|status| status.is_visible())
            .ok_or_else(|| Fault::field("status", "status must be pending, processing, ready, rejected or infected"))?,
    };
    Ok(Filter { status, kind })
}
