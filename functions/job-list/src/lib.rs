//! Lists the caller's jobs, and their finished books and articles, newest first.

use consigne_auth::{SessionVerifier, User};
use consigne_core::Fault;
use consigne_core::files::Kind;
use consigne_core::jobs::{FinishedTextView, JobStatus, JobView};
use consigne_core::ports::{ListJobs, ListTexts};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Paging, Request, function, needs};
use schemars::JsonSchema;
use serde::Serialize;

/// A page of finished books.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BookList {
    /// Books of this page, newest first.
    pub books: Vec<FinishedTextView>,
    /// Cursor of the next page; null on the last page.
    pub next_cursor: Option<String>,
}

/// A page of finished articles.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArticleList {
    /// Articles of this page, newest first.
    pub articles: Vec<FinishedTextView>,
    /// Cursor of the next page; null on the last page.
    pub next_cursor: Option<String>,
}

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<Table: ListJobs + ListTexts>
}

function! {
    users: SessionVerifier = session_verifier(),
    jobs: A::Table = table(),
    paging: Paging = paging().await,
}

impl<A: Needs> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        match request.route() {
            "GET /api/books" => {
                let (books, next_cursor) = self.texts(&user, Kind::Book, request).await?;
                Ok(Answer::plain(200, &BookList { books, next_cursor }))
            }
            "GET /api/blog" => {
                let (articles, next_cursor) = self.texts(&user, Kind::Blog, request).await?;
                Ok(Answer::plain(200, &ArticleList { articles, next_cursor }))
            }
            _ => self.jobs(&user, request).await,
        }
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<Vec<JobView>>("GET /api/secure/jobs", "List the caller's jobs");
        let (status, statuses) = ("Only jobs with this status", JobStatus::ALL.map(JobStatus::name));
        let cursor = "`nextCursor` of the previous page";
        vec![
            operation.in_envelope().parameter("status", status, false).one_of(&statuses).paged(),
            Operation::new::<BookList>("GET /api/books", "List the caller's finished books").by_cursor(cursor),
            Operation::new::<ArticleList>("GET /api/blog", "List the caller's finished articles").by_cursor(cursor),
        ]
    }
}

impl<A: Needs> Function<A> {
    /// Lists the jobs of one status or of all.
    async fn jobs(&self, user: &User, request: &Request) -> Result<Answer, Fault> {
        let status = request.query("status")?.map(|name| status(&name)).transpose()?;
        let context = [Self::NAME, user.id.as_str(), status.map_or("", JobStatus::name)];
        let page = self.paging.ask(request, &context)?;
        let listed = self.jobs.list_jobs(&user.id, status, &page).await?;
        Ok(self.paging.answer("Jobs listed", &listed, JobView::of, request, &context))
    }

    /// Returns a page of finished texts of a kind, and the cursor of the next page.
    async fn texts(
        &self,
        user: &User,
        kind: Kind,
        request: &Request,
    ) -> Result<(Vec<FinishedTextView>, Option<String>), Fault> {
        let context = ["texts", user.id.as_str(), kind.name()];
        let page = self.paging.ask(request, &context)?;
        let listed = self.jobs.list_texts(&user.id, kind, &page).await?;
        request.log.field("list.entries", listed.items.len());
        let texts = listed.items.iter().map(FinishedTextView::of).collect::<Result<_, _>>()?;
        Ok((texts, self.paging.cursor(listed.next.as_deref(), &context)))
    }
}

fn status(name: &str) -> Result<JobStatus, Fault> {
    let names = JobStatus::ALL.map(JobStatus::name);
    JobStatus::from_name(name)
        .ok_or_else(|| Fault::field("status", format!("status must be one of {}", names.join(", "))))
}
