//! Converts a file to and from its item.

use std::time::Duration;

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use consigne_core::files::{
    Dimensions, File, FileName, LedgerState, MediaType, Metadata, ObjectKey, OpenUpload, PartSession, Pinned, Status,
};
use consigne_core::ports::{Filter, Position};
use consigne_core::{Fault, FileId, JobId, PublicId, Timestamp, UserId};

use crate::table::due;
use crate::table::files::published::PUBLIC_ID;
use crate::table::files::{derived, scan_item};
use crate::table::item::{self, Item, Reader, number, sortable, text, user_pk};

/// Attributes with the dimensions that a file's generator reported.
const REPORTED_WIDTH: &str = "reported_width";
const REPORTED_HEIGHT: &str = "reported_height";

/// Attributes with the session of an upload in parts.
const PART_SIZE: &str = "part_size";
const PART_COUNT: &str = "part_count";
const UPLOAD_ID: &str = "upload_id";
const CHECKED: &str = "parts_checked";
const COMPLETING: &str = "completing_at";

pub(crate) fn file_sk(file: FileId) -> String {
    format!("FILE#{file}")
}

/// Returns the index and the partition of a list. Ready files of one kind have an index of their own.
pub(crate) fn list_partition(owner: &UserId, filter: Filter) -> (&'static str, String) {
    match filter {
        Filter { status: Status::Ready, kind: Some(kind) } => ("gsi2", format!("USER#{owner}#{}", kind.name())),
        Filter { status, .. } => ("gsi1", format!("USER#{owner}#{}", status.name())),
    }
}

/// Returns a file's sort key in its lists: by time of change, then by id.
pub(crate) fn list_sort(changed_at: Timestamp, file: FileId) -> String {
    format!("{}#{file}", sortable(changed_at))
}

/// Builds the update that adds reported dimensions to a file's record, on condition that there is one.
pub(crate) fn report(key: &ObjectKey, dimensions: Dimensions) -> UpdateBuilder {
    Update::builder()
        .set_key(Some(item::key(user_pk(key.owner()), file_sk(key.file()))))
        .update_expression(format!("SET {REPORTED_WIDTH} = :width, {REPORTED_HEIGHT} = :height ADD revision :one"))
        .condition_expression("attribute_exists(pk)")
        .expression_attribute_values(":width", number(dimensions.width))
        .expression_attribute_values(":height", number(dimensions.height))
        .expression_attribute_values(":one", number(1))
}

/// Builds the whole item of a file.
pub(crate) fn write(file: &File) -> Item {
    let mut item = Item::from([
        ("pk".to_owned(), text(user_pk(file.owner()))),
        ("sk".to_owned(), text(file_sk(file.id()))),
        ("s3_key".to_owned(), text(file.key.as_str())),
        ("filename".to_owned(), text(file.name.as_str())),
        ("content_type".to_owned(), text(file.media.name)),
        ("kind".to_owned(), text(file.kind().name())),
        ("size".to_owned(), number(file.size)),
        ("holding".to_owned(), text(file.ledger_state.name())),
        ("status".to_owned(), text(file.status.name())),
        ("granted_at".to_owned(), number(file.granted_at.as_millis())),
        ("grant_expires_at".to_owned(), number(file.grant_expires_at.as_millis())),
        ("changed_at".to_owned(), number(file.changed_at.as_millis())),
        ("revision".to_owned(), number(file.revision)),
    ]);
    let mut put = |name: &str, value| item.insert(name.to_owned(), value);
    let texts = file.metadata.texts();
    if !texts.is_empty() {
        put("metadata", AttributeValue::M(texts.iter().map(|(name, value)| (name.clone(), text(value))).collect()));
    }
    if let Some(sha256) = &file.sha256 {
        put("sha256", text(sha256));
    }
    if let Some(pinned) = &file.pinned {
        put("version_id", text(&pinned.version));
        put("etag", text(&pinned.etag));
        put("sequencer", text(&pinned.sequencer));
    }
    if let Some(Dimensions { width, height }) = file.dimensions {
        put("width", number(width));
        put("height", number(height));
    }
    if let Some(Dimensions { width, height }) = file.reported {
        put(REPORTED_WIDTH, number(width));
        put(REPORTED_HEIGHT, number(height));
    }
    if let Some(duration) = file.duration {
        put("duration_ms", number(duration.as_millis()));
    }
    if let Some(derivatives) = &file.derivatives {
        put(derived::STATE, text(derivatives.state.name()));
        if !derivatives.copies.is_empty() {
            put(derived::COPIES, derived::copies(derivatives));
        }
    }
    if let Some(reason) = &file.rejected_reason {
        put("rejected_reason", text(reason));
    }
    for (name, value) in scan_item::write(&file.scan) {
        put(name, value);
    }
    if let Some(job) = &file.job {
        put("job_id", text(job.to_string()));
    }
    if let Some(session) = &file.parts {
        put(PART_SIZE, number(session.part_size));
        put(PART_COUNT, number(session.part_count));
        if let Some(at) = session.completing {
            put(COMPLETING, number(at.as_millis()));
        }
        if let Some(upload) = &session.upload {
            put(UPLOAD_ID, text(&upload.id));
            put(CHECKED, AttributeValue::Bool(upload.checked));
        }
    }
    if let Some(id) = file.published {
        put(PUBLIC_ID, text(id.to_string()));
    }
    // A file that is being deleted is in no list, but it is counted.
    if file.status != Status::Deleted {
        let (_, partition) = list_partition(file.owner(), Filter { status: file.status, kind: None });
        put("gsi1pk", text(partition));
        put("gsi1sk", text(list_sort(file.changed_at, file.id())));
    }
    if file.status == Status::Ready {
        let (_, partition) = list_partition(file.owner(), Filter { status: file.status, kind: Some(file.kind()) });
        put("gsi2pk", text(partition));
        put("gsi2sk", text(list_sort(file.changed_at, file.id())));
    }
    if let Some(at) = file.due_at() {
        put(due::SHARD, text(due::shard(&file.id().to_string())));
        put(due::AT, number(at.as_millis()));
    }
    if let Some(at) = file.forget_at() {
        put("ttl", number(at.as_secs()));
    }
    item
}

/// Reads a file from its item.
pub(crate) fn read(item: &Item) -> Result<File, Fault> {
    let reader = Reader(item);
    let pinned = reader.optional_text("version_id").map(|version| Pinned {
        version: version.to_owned(),
        etag: reader.optional_text("etag").unwrap_or_default().to_owned(),
        sequencer: reader.optional_text("sequencer").unwrap_or_default().to_owned(),
    });
    let dimensions = reader.optional_number("width").zip(reader.optional_number("height"));
    let reported = reader.optional_number(REPORTED_WIDTH).zip(reader.optional_number(REPORTED_HEIGHT));
    Ok(File {
        key: reader.parsed("s3_key", ObjectKey::parse)?,
        name: FileName::stored(reader.text("filename")?.to_owned()),
        metadata: Metadata::stored(reader.map_of_texts("metadata")?),
        media: reader.parsed("content_type", MediaType::from_name)?,
        size: reader.number("size")?,
        ledger_state: reader.parsed("holding", LedgerState::from_name)?,
        sha256: reader.optional_text("sha256").map(str::to_owned),
        status: reader.parsed("status", Status::from_name)?,
        granted_at: reader.time("granted_at")?,
        grant_expires_at: reader.time("grant_expires_at")?,
        changed_at: reader.time("changed_at")?,
        pinned,
        dimensions: dimensions.map(|(width, height)| Dimensions { width, height }),
        reported: reported.map(|(width, height)| Dimensions { width, height }),
        duration: reader.optional_number("duration_ms").map(Duration::from_millis),
        derivatives: derived::read(item)?,
        rejected_reason: reader.optional_text("rejected_reason").map(str::to_owned),
        scan: scan_item::read(&reader)?,
        job: reader.optional_parsed("job_id", JobId::parse)?,
        parts: session(&reader)?,
        published: reader.optional_parsed(PUBLIC_ID, PublicId::parse)?,
        revision: reader.number("revision")?,
    })
}

/// Reads the session of an upload in parts.
fn session(reader: &Reader<'_>) -> Result<Option<PartSession>, Fault> {
    let Some(part_size) = reader.optional_number(PART_SIZE) else { return Ok(None) };
    let upload = reader.optional_text(UPLOAD_ID);
    let upload = upload.map(|id| OpenUpload { id: id.to_owned(), checked: reader.flag(CHECKED) });
    let (part_count, completing) = (reader.number(PART_COUNT)?, reader.optional_time(COMPLETING));
    Ok(Some(PartSession { part_size, part_count, upload, completing }))
}

/// Returns the key after which a list continues.
pub(crate) fn start_key(owner: &UserId, filter: Filter, after: &Position) -> Item {
    let (index, partition) = list_partition(owner, filter);
    Item::from([
        ("pk".to_owned(), text(user_pk(owner))),
        ("sk".to_owned(), text(file_sk(after.file))),
        (format!("{index}pk"), text(partition)),
        (format!("{index}sk"), text(list_sort(after.changed_at, after.file))),
    ])
}
