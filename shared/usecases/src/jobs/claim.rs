//! Checks the claims of a completion against the table and the bucket.

use consigne_core::files::{File, ObjectKey, Status};
use consigne_core::jobs::{CheckedFile, Claim, ClaimedFile, Job, JobStep, Output, TextFacts};
use consigne_core::ports::{GetFile, ReadHead};
use consigne_core::{Code, Fault, Timestamp};

/// Compares a completion with the job, the files' records and the bucket, and computes the job's step. Returns `None`
/// if the completion changes nothing, because the job has ended or the same completion was accepted before. `list` is
/// the name of the list of files in the completion.
///
/// Sizes and types must be as claimed. Claimed dimensions are kept as reported ones, because measured ones are better.
///
/// # Errors
/// `WEBHOOK_CONTENT_MISMATCH` naming the first field that is wrong; `CONFLICT` if another completion was accepted
/// before; `UNAVAILABLE` if the table or the bucket does not answer.
pub async fn accept(
    files: &impl GetFile,
    objects: &impl ReadHead,
    job: &Job,
    (list, claimed): (&str, &[ClaimedFile]),
    text: Option<TextFacts>,
    now: Timestamp,
) -> Result<Option<JobStep>, Fault> {
    let accepted = job.delivered().map(|output| output.key.as_str());
    if job.claimed_at.is_some() && accepted.eq(claimed.iter().map(|file| file.s3_key.as_str())) {
        return Ok(None);
    }
    let wanted = job.ask.wanted();
    if claimed.is_empty() || claimed.len() > wanted {
        return Err(mismatch(list, format!("{list} must have 1 to {wanted} files, not {}", claimed.len())));
    }
    let mut claim = Claim { files: Vec::new(), text };
    for (at, file) in claimed.iter().enumerate() {
        let place = format!("{list}[{at}]");
        let checked = check(files, objects, job, &place, file).await?;
        if claim.files.iter().any(|other| other.output.key == checked.output.key) {
            return Err(mismatch(&format!("{place}.s3_key"), "s3_key is listed twice"));
        }
        claim.files.push(checked);
    }
    // A late completion is checked too before it is answered, so that a wrong one never gets the answer of a right one.
    if job.claimed_at.is_some() {
        return Err(Fault::new(Code::Conflict, "job already has another completion"));
    }
    if job.status.is_final() {
        return Ok(None);
    }
    let mut step = job.claimed(&claim, now);
    for (file, reported) in claim.files.into_iter().filter_map(|file| Some((file.adopts?, file.output.reported))) {
        let adopted = File { job: Some(job.id.clone()), reported, revision: file.revision + 1, ..file.clone() };
        step.adopted.push((file.revision, adopted));
    }
    Ok(Some(step))
}

/// Compares one claimed file with its record and its object. `place` is its path in the completion.
async fn check(
    files: &impl GetFile,
    objects: &impl ReadHead,
    job: &Job,
    place: &str,
    claimed: &ClaimedFile,
) -> Result<CheckedFile, Fault> {
    let refused = |field: &str, message: String| mismatch(&format!("{place}.{field}"), message);
    let absent = || refused("s3_key", "s3_key is not a file of the job's owner".to_owned());
    let key = ObjectKey::parse_for(job.owner(), &claimed.s3_key).ok_or_else(absent)?;
    if key.kind() != job.kind {
        return Err(refused("s3_key", format!("s3_key must be of the kind {}", job.kind.name())));
    }
    let granted = job.output(key.file()).filter(|output| output.key == key);
    let (mut output, adopts) = if let Some(output) = granted {
        (output.clone(), None)
    } else {
        let file = files.get_file(job.owner(), key.file()).await?;
        let file = file.filter(|file| file.key == key).ok_or_else(absent)?;
        match file.status {
            Status::Ready => (Output::of(&file), None),
            // The file belongs to the job for which it was granted.
            Status::Pending | Status::Processing if file.job.as_ref().is_some_and(|other| *other != job.id) => {
                return Err(refused("s3_key", "s3_key was granted for another job".to_owned()));
            }
            Status::Pending | Status::Processing => (Output::of(&file), Some(file)),
            Status::Rejected | Status::Infected | Status::Deleting | Status::Deleted => return Err(absent()),
        }
    };
    let head = objects.read_head(key.as_str(), output.version.as_deref(), 1).await?.ok_or_else(absent)?;
    if claimed.size.is_some_and(|size| size != head.size) {
        return Err(refused("file_size", format!("file_size must be {} bytes, the size of the file", head.size)));
    }
    let essence = |text: &str| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if claimed.content_type.as_ref().is_some_and(|claimed| essence(claimed) != output.media.name) {
        return Err(refused(
            "content_type",
            format!("content_type must be {}, the type of the file", output.media.name),
        ));
    }
    output.duration_seconds = claimed.duration_seconds;
    output.reported = claimed.dimensions;
    Ok(CheckedFile { output, adopts })
}

fn mismatch(field: &str, message: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
    Fault::new(Code::WebhookContentMismatch, message).detail("field", field)
}
