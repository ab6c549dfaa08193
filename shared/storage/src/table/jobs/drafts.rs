//! Drafts of books and articles: an item for the draft and one for each chapter. Their `ttl` deletes them in the end.

use consigne_core::idempotency::CommitOutcome;
use consigne_core::ports::{ForgetDraft, GetDraft, ReadChapters, StoreDraft};
use consigne_core::texts::{Chapter, Draft, Lease, Sort, Tokens};
use consigne_core::{Fault, FileId, JobId, Timestamp, UserId};

use crate::table::Table;
use crate::table::item::{Item, Reader, add, key, malformed, number, text, user_pk};

/// Prefix of the sort keys of drafts and their chapters.
const TEXT: &str = "TEXT#";

fn draft_key(job: &JobId) -> Item {
    key(user_pk(job.owner()), format!("{TEXT}{}", job.tail()))
}

/// Returns the prefix of the sort keys of a draft's chapters.
fn chapters_of(job: &JobId) -> String {
    format!("{TEXT}{}#", job.tail())
}

fn write(draft: &Draft) -> Result<Item, Fault> {
    let mut item = draft_key(&draft.job);
    let mut put = |name: &str, value| item.insert(name.to_owned(), value);
    put("written", number(draft.written));
    put("words", number(draft.words));
    put("before", text(&draft.before));
    put("tries", number(draft.tries));
    put("not_before", number(draft.not_before.as_millis()));
    put("prompt_tokens", number(draft.tokens.prompt));
    put("completion_tokens", number(draft.tokens.completion));
    put("revision", number(draft.revision));
    put("ttl", number(draft.expires.as_secs()));
    let outline = draft.outline.as_ref().map(serde_json::to_string).transpose().map_err(Fault::internal)?;
    add(&mut item, "outline", outline.map(text));
    add(&mut item, "file", draft.file.map(|file| text(file.to_string())));
    add(&mut item, "trouble", draft.trouble.map(|sort| text(sort.name())));
    if let Some(lease) = &draft.lease {
        item.insert("lease_holder".to_owned(), text(&lease.holder));
        item.insert("lease_until".to_owned(), number(lease.until.as_millis()));
    }
    Ok(item)
}

pub(crate) fn read(item: &Item) -> Result<Draft, Fault> {
    let reader = Reader(item);
    let owner = reader.parsed("pk", |pk| UserId::parse(pk.strip_prefix("USER#")?))?;
    let tail = reader.parsed("sk", |sk| FileId::parse(sk.strip_prefix(TEXT)?))?;
    let lease = reader.owned_text("lease_holder").zip(reader.optional_time("lease_until"));
    Ok(Draft {
        job: JobId::of(owner, tail),
        outline: reader.optional_parsed("outline", |outline| serde_json::from_str(outline).ok())?,
        written: reader.number("written")?,
        words: reader.number("words")?,
        before: reader.text("before")?.to_owned(),
        file: reader.optional_parsed("file", FileId::parse)?,
        tries: reader.number("tries")?,
        trouble: reader.optional_parsed("trouble", Sort::from_name)?,
        not_before: reader.time("not_before")?,
        lease: lease.map(|(holder, until)| Lease { holder, until }),
        tokens: Tokens { prompt: reader.number("prompt_tokens")?, completion: reader.number("completion_tokens")? },
        expires: Timestamp::from_secs(reader.number("ttl")?),
        revision: reader.number("revision")?,
    })
}

impl GetDraft for Table {
    async fn get_draft(&self, job: &JobId) -> Result<Option<Draft>, Fault> {
        self.get(draft_key(job)).await?.as_ref().map(read).transpose()
    }
}

impl StoreDraft for Table {
    async fn store_draft(&self, draft: &Draft, chapter: Option<&Chapter>) -> Result<CommitOutcome, Fault> {
        let item = write(draft)?;
        let mut writes = vec![match draft.revision.saturating_sub(1) {
            0 => self.put_new(item)?,
            seen => self.put_seen(item, seen)?,
        }];
        if let Some(chapter) = chapter {
            let place = format!("{}{:03}", chapters_of(&draft.job), chapter.at);
            let mut item = key(user_pk(draft.job.owner()), place);
            item.insert("text".to_owned(), text(&chapter.text));
            item.insert("ttl".to_owned(), number(draft.expires.as_secs()));
            writes.push(self.put(item)?);
        }
        self.commit(writes).await
    }
}

impl ReadChapters for Table {
    async fn read_chapters(&self, job: &JobId) -> Result<Vec<String>, Fault> {
        let mut chapters = Vec::new();
        for item in self.items_of(job, chapters_of(job)).await? {
            chapters.push(item.get("text").and_then(|text| text.as_s().ok()).ok_or_else(|| malformed("text"))?.clone());
        }
        Ok(chapters)
    }
}

impl ForgetDraft for Table {
    async fn forget_draft(&self, job: &JobId) -> Result<(), Fault> {
        let items = self.items_of(job, format!("{TEXT}{}", job.tail())).await?;
        for item in items {
            let place = item.into_iter().filter(|(name, _)| name == "pk" || name == "sk").collect();
            self.delete(place).await?;
        }
        Ok(())
    }
}

impl Table {
    /// Reads the items of a job's draft whose sort keys begin with `beginning`, in order and consistently.
    async fn items_of(&self, job: &JobId, beginning: String) -> Result<Vec<Item>, Fault> {
        let query = self
            .partition(None, user_pk(job.owner()))
            .key_condition_expression("#pk = :pk AND begins_with(sk, :beginning)")
            .expression_attribute_values(":beginning", text(beginning));
        // A book is larger than one page of a query.
        self.all(query).await
    }
}
