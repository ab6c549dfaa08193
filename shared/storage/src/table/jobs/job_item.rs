//! Converts a job to and from its item.

use consigne_core::files::{Dimensions, FileName, Kind, MediaType, ObjectKey};
use consigne_core::jobs::{Ask, Failure, Job, JobId, JobStatus, Output, TextFacts};
use consigne_core::{Fault, FileId, Plan, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::table::due;
use crate::table::item::{Item, Reader, add, key, malformed, number, text, user_pk};

/// Prefix of the sort keys of jobs.
pub(crate) const JOB: &str = "JOB#";

/// An output, as the item stores it in JSON.
#[derive(Serialize, Deserialize)]
struct StoredOutput {
    key: String,
    name: String,
    media: String,
    size: u64,
    width: Option<u32>,
    height: Option<u32>,
    version: Option<String>,
    claimed: bool,
    seconds: Option<u32>,
    /// Reported width and height.
    #[serde(default)]
    reported: Option<(u32, u32)>,
}

pub(crate) fn job_key(id: &JobId) -> Item {
    key(user_pk(id.owner()), format!("{JOB}{}", id.tail()))
}

/// Returns the index partition with a person's jobs of one status.
pub(crate) fn by_status(owner: &UserId, status: JobStatus) -> String {
    format!("USER#{owner}#JOBS#{}", status.name())
}

/// Builds the whole item of a job.
pub(crate) fn write(job: &Job) -> Item {
    let mut item = job_key(&job.id);
    let outputs: Vec<StoredOutput> = job.outputs.iter().map(store).collect();
    let mut put = |name: &str, value| item.insert(name.to_owned(), value);
    put("kind", text(job.kind.name()));
    put("ask", text(Value::Object(job.ask.facts()).to_string()));
    put("plan", text(job.plan.name()));
    put("status", text(job.status.name()));
    put("progress", number(job.progress));
    put("created_at", number(job.created_at.as_millis()));
    put("updated_at", number(job.updated_at.as_millis()));
    put("deadline", number(job.deadline.as_millis()));
    put("outputs", text(json!(outputs).to_string()));
    put("revision", number(job.revision));
    put("gsi1pk", text(by_status(job.owner(), job.status)));
    put("gsi1sk", text(job.id.tail().to_string()));
    add(&mut item, "claimed_at", job.claimed_at.map(|at| number(at.as_millis())));
    if let Some(facts) = &job.text {
        let (title, chapters, words, tokens) = (&facts.title, facts.chapters, facts.words, facts.tokens);
        let facts = json!({ "title": title, "chapters": chapters, "words": words, "tokens": tokens });
        item.insert("text".to_owned(), text(facts.to_string()));
    }
    if let Some(failure) = &job.failure {
        item.insert("failure_code".to_owned(), text(&failure.code));
        item.insert("failure_message".to_owned(), text(&failure.message));
    }
    add(&mut item, "spent", job.spent.then(|| number(1)));
    if let Some(at) = job.due_at() {
        item.insert(due::SHARD.to_owned(), text(due::shard(&job.id.tail().to_string())));
        item.insert(due::AT.to_owned(), number(at.as_millis()));
    }
    add(&mut item, "ttl", job.forget_at().map(|at| number(at.as_secs())));
    item
}

/// Reads a job from its item.
pub(crate) fn read(item: &Item) -> Result<Job, Fault> {
    let reader = Reader(item);
    let owner = reader.parsed("pk", |pk| UserId::parse(pk.strip_prefix("USER#")?))?;
    let tail = reader.parsed("sk", |sk| FileId::parse(sk.strip_prefix(JOB)?))?;
    let kind = reader.parsed("kind", Kind::from_name)?;
    let outputs: Vec<StoredOutput> = reader.parsed("outputs", |outputs| serde_json::from_str(outputs).ok())?;
    let failure = reader.owned_text("failure_code").zip(reader.owned_text("failure_message"));
    Ok(Job {
        id: JobId::of(owner, tail),
        kind,
        ask: reader.parsed("ask", |ask| Ask::stored(kind, &serde_json::from_str(ask).ok()?))?,
        plan: Plan::from_name(reader.text("plan")?),
        status: reader.parsed("status", JobStatus::from_name)?,
        progress: reader.number("progress")?,
        created_at: reader.time("created_at")?,
        updated_at: reader.time("updated_at")?,
        deadline: reader.time("deadline")?,
        outputs: outputs.into_iter().map(restore).collect::<Option<_>>().ok_or_else(|| malformed("outputs"))?,
        claimed_at: reader.optional_time("claimed_at"),
        text: reader.optional_parsed("text", text_facts)?,
        failure: failure.map(|(code, message)| Failure { code, message }),
        spent: item.contains_key("spent"),
        revision: reader.number("revision")?,
    })
}

fn store(output: &Output) -> StoredOutput {
    StoredOutput {
        key: output.key.to_string(),
        name: output.name.as_str().to_owned(),
        media: output.media.name.to_owned(),
        size: output.size,
        width: output.dimensions.map(|dimensions| dimensions.width),
        height: output.dimensions.map(|dimensions| dimensions.height),
        version: output.version.clone(),
        claimed: output.claimed,
        seconds: output.duration_seconds,
        reported: output.reported.map(|reported| (reported.width, reported.height)),
    }
}

fn restore(stored: StoredOutput) -> Option<Output> {
    Some(Output {
        key: ObjectKey::parse(&stored.key)?,
        name: FileName::stored(stored.name),
        media: MediaType::from_name(&stored.media)?,
        size: stored.size,
        dimensions: stored.width.zip(stored.height).map(|(width, height)| Dimensions { width, height }),
        version: stored.version,
        claimed: stored.claimed,
        duration_seconds: stored.seconds,
        reported: stored.reported.map(|(width, height)| Dimensions { width, height }),
    })
}

fn text_facts(json: &str) -> Option<TextFacts> {
    let facts: Value = serde_json::from_str(json).ok()?;
    Some(TextFacts {
        title: facts["title"].as_str().map(str::to_owned),
        chapters: facts["chapters"].as_u64().and_then(|chapters| u32::try_from(chapters).ok()),
        words: facts["words"].as_u64(),
        tokens: Deserialize::deserialize(&facts["tokens"]).ok().flatten(),
    })
}

#[cfg(test)]
mod tests {
    use consigne_core::Timestamp;

    use super::*;

    #[test]
    fn an_open_job_is_due_and_an_ended_one_has_a_ttl() {
        let (owner, now) = (UserId::parse("user_ann1").unwrap(), Timestamp::from_secs(1_795_257_000));
        let job = Job::accept(&owner, Plan::Pro, Kind::Image, Ask::images("a cat", None, None).unwrap(), now);
        let has = |job: &Job| {
            let item = write(job);
            [due::SHARD, due::AT, "ttl"].map(|name| item.contains_key(name))
        };
        assert_eq!(has(&job), [true, true, false]);
        let failed = job.failed("SAFETY", "No", now).unwrap().job;
        assert_eq!(has(&failed), [false, false, true]);
        let days = Reader(&write(&failed)).number::<i64>("ttl").unwrap() - now.as_secs();
        assert_eq!(days / (24 * 60 * 60), 400);
    }
}
