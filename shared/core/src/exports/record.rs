//! What is in an export: the records of a person, and how each is shown.
//!
//! It leaves out secrets and hashes, how often something was counted, and what belongs to an organisation.

use serde_json::{Value, json};

use crate::credits::Wallet;
use crate::files::{File, Usage};
use crate::jobs::{Job, JobView};
use crate::mail::Topic;
use crate::orgs::{Member, Organisation};
use crate::profiles::{Contact, Profile};
use crate::texts::Draft;
use crate::{EndpointId, JobId, OrgId, Timestamp};

/// A record that belongs to a person.
#[derive(Clone, Debug, PartialEq)]
pub enum PersonRecord {
    /// A file, also one that was deleted and whose record is kept for a while.
    File(Box<File>),
    /// A job.
    Job(Box<Job>),
    /// A draft of a text.
    Draft(Box<Draft>),
    /// A chapter of a draft: its job, its place from 0, and its text.
    Chapter(JobId, usize, String),
    /// An endpoint that the person has registered. The record has its id only.
    Endpoint(OrgId, EndpointId),
    /// Contact details.
    Profile(Box<Profile>),
    /// What is stored.
    Storage(Box<Usage>),
    /// Test credits.
    TestCredits(Box<Wallet>),
    /// Mails that the person no longer wants, and since when.
    Unsubscribed(Topic, Timestamp),
    /// A record that cannot be read: its name in the table.
    Unreadable(String),
}

impl PersonRecord {
    /// Shows the record. Of an endpoint it shows the ids: what it is now is the organisation's, which the person may have left.
    pub fn show(&self) -> Value {
        match self {
            Self::File(file) => show_file(file),
            Self::Job(job) => show_job(job),
            Self::Draft(draft) => json!({
                "type": "draft",
                "job_id": draft.job,
                "outline": draft.outline,
                "chapters": draft.written,
                "words": draft.words,
                "expires_at": draft.expires,
            }),
            Self::Chapter(job, at, text) => json!({ "type": "chapter", "job_id": job, "place": at + 1, "text": text }),
            Self::Endpoint(org, id) => json!({ "type": "endpoint", "id": id, "org_id": org }),
            Self::Profile(profile) => json!({
                "type": "profile",
                "from_sign_in": profile.from_token.as_ref().map(show_contact),
                "from_clerk": profile.from_webhook.as_ref().map(show_contact),
            }),
            Self::Storage(usage) => json!({
                "type": "storage",
                "files": usage.files(None),
                "bytes": usage.bytes(),
                "reserved_bytes": usage.reserved,
            }),
            Self::TestCredits(wallet) => json!({
                "type": "test_credits",
                "balance": wallet.balance,
                "used": wallet.used,
                "granted": wallet.granted,
                "since": wallet.anchor,
            }),
            Self::Unsubscribed(topic, since) => {
                json!({ "type": "mail_preference", "unsubscribed": topic.name(), "since": since })
            }
            Self::Unreadable(name) => json!({ "type": "unreadable", "name": name }),
        }
    }
}

fn show_file(file: &File) -> Value {
    json!({
        "type": "file",
        "id": file.id(),
        "s3_key": file.key,
        "filename": file.name.as_str(),
        "kind": file.kind().name(),
        "content_type": file.media.name,
        "size": file.size,
        "sha256": file.sha256,
        "status": file.status.name(),
        "rejected_reason": file.rejected_reason,
        "metadata": file.shown_metadata(),
        "width": file.dimensions.map(|sides| sides.width),
        "height": file.dimensions.map(|sides| sides.height),
        "is_public": file.published.is_some(),
        "uploaded_at": file.granted_at,
        "changed_at": file.changed_at,
    })
}

fn show_job(job: &Job) -> Value {
    let JobView { job_id, kind, status, title, created_at, updated_at, error, .. } = JobView::of(job);
    let files: Vec<Value> = job.delivered().map(|output| json!(output.key)).collect();
    json!({
        "type": "job",
        "id": job_id,
        "kind": kind,
        "status": status,
        "title": title,
        "asked_for": job.ask.facts(),
        "files": files,
        "error": error.map(|error| error.message),
        "created_at": created_at,
        "updated_at": updated_at,
    })
}

fn show_contact(contact: &Contact) -> Value {
    json!({
        "email": contact.email,
        "is_verified": contact.verified,
        "name": contact.name,
        "language": contact.language.name(),
        "at": contact.at,
    })
}

/// Shows a membership.
pub fn show_membership(org: &Organisation, member: &Member) -> Value {
    json!({
        "type": "membership",
        "org_id": org.id,
        "org_name": org.name,
        "role": member.role.name(),
        "joined_at": member.joined_at,
    })
}
