//! Files as the API shows them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{DerivedCopy, Dimensions, File, Kind, PublicAddresses, ScanState};

/// A file, in camel case.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileView {
    /// Id of the file, opaque.
    pub file_id: String,
    /// Key in the bucket, by which all other routes name the file.
    pub key: String,
    /// Name as its owner wrote it, in NFC.
    pub filename: String,
    /// Size in bytes.
    pub size: u64,
    /// Media type.
    pub content_type: String,
    /// `image`, `video`, `book`, `blog`, `document` or `audio`.
    #[schemars(extend("enum" = Kind::ALL.map(Kind::name)))]
    pub kind: String,
    /// `pending`, `processing`, `ready`, `rejected` or `infected`.
    #[schemars(extend("enum" = ["pending", "processing", "ready", "rejected", "infected"]))]
    pub status: String,
    /// Width in pixels of an image or a video, as a browser shows it; null if it is not known.
    pub width: Option<u32>,
    /// Height in pixels of an image or a video, as a browser shows it; null if it is not known.
    pub height: Option<u32>,
    /// Whether width and height were measured, or reported by the generator; null if they are not known.
    #[schemars(extend("enum" = ["measured", "reported", null]))]
    pub dimensions: Option<&'static str>,
    /// When the status last changed.
    #[schemars(extend("format" = "date-time"))]
    pub last_modified: String,
    /// What its owner noted, such as `title`. Files of a job also have `job_id`.
    pub metadata: BTreeMap<String, String>,
    /// The malware scan: `waiting`, `clean`, `infected`, `held` or `unscanned`; absent where files are not scanned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ScanState::NAMES))]
    pub scan: Option<&'static str>,
    /// Seconds that a video or a sound plays, with up to three decimals; null if they are not known.
    pub duration_seconds: Option<f64>,
    /// Whether smaller copies of a picture were made; null for other files, and until it has arrived.
    #[schemars(extend("enum" = ["pending", "ready", "unsupported", "too_large", "failed", null]))]
    pub derivative: Option<&'static str>,
    /// Keys of its copies by name: `256`, `1024`, `display`, `clean`. A ticket reads each.
    pub thumbnails: BTreeMap<String, String>,
    /// Permanent address of a published file; absent for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "uri"))]
    pub public_url: Option<String>,
}

/// A file in the snake case of `/api/secure`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SecureFileView {
    /// Key in the bucket.
    pub s3_key: String,
    /// Name as its owner wrote it, in NFC.
    pub filename: String,
    /// Size in bytes.
    pub size: u64,
    /// When the status last changed.
    #[schemars(extend("format" = "date-time"))]
    pub last_modified: String,
    /// Media type.
    pub content_type: String,
    /// What its owner noted, such as `title`, and further facts: `job_id` of a job's file, `file_id`, `kind`, `status`, and if they are known `width` and `height` in pixels and `dimensions`,
    /// which is `measured` or `reported`; `duration_seconds`; `derivative` and `thumbnails` of a picture; where files are
    /// scanned, `scan`.
    pub metadata: Map<String, Value>,
}

/// Returns the dimensions to show, and whether they are measured or reported.
pub fn shown_dimensions(
    measured: Option<Dimensions>,
    reported: Option<Dimensions>,
) -> Option<(Dimensions, &'static str)> {
    let measured = measured.map(|dimensions| (dimensions, "measured"));
    measured.or_else(|| reported.map(|dimensions| (dimensions, "reported")))
}

/// Returns how long a file plays. Whole milliseconds divide without an error that would show.
fn duration_seconds(file: &File) -> Option<f64> {
    file.duration.map(|duration| duration.as_secs_f64())
}

fn derivative(file: &File) -> Option<&'static str> {
    file.derivatives.as_ref().map(|derivatives| derivatives.state.name())
}

/// Returns the keys of the copies that may be read.
fn thumbnails(file: &File) -> BTreeMap<String, String> {
    let key = |copy| (DerivedCopy::name(copy).to_owned(), file.derived_key(copy).to_string());
    file.readable_copies().iter().map(key).collect()
}

impl From<&File> for FileView {
    fn from(file: &File) -> Self {
        let shown = shown_dimensions(file.dimensions, file.reported);
        Self {
            file_id: file.id().to_string(),
            key: file.key.to_string(),
            filename: file.name.as_str().to_owned(),
            size: file.size,
            content_type: file.media.name.to_owned(),
            kind: file.kind().name().to_owned(),
            status: file.status.name().to_owned(),
            width: shown.map(|(dimensions, _)| dimensions.width),
            height: shown.map(|(dimensions, _)| dimensions.height),
            dimensions: shown.map(|(_, source)| source),
            last_modified: file.changed_at.to_string(),
            metadata: file.shown_metadata(),
            scan: file.scan.state.map(ScanState::name),
            duration_seconds: duration_seconds(file),
            derivative: derivative(file),
            thumbnails: thumbnails(file),
            public_url: None,
        }
    }
}

impl FileView {
    /// Shows a file with its public address, if it has one.
    pub fn with_address(file: &File, addresses: &PublicAddresses) -> Self {
        Self { public_url: addresses.of_file(file), ..Self::from(file) }
    }
}

impl From<&File> for SecureFileView {
    fn from(file: &File) -> Self {
        let texts = file.shown_metadata().into_iter();
        let mut metadata: Map<String, Value> = texts.map(|(name, text)| (name, text.into())).collect();
        metadata.insert("file_id".to_owned(), file.id().to_string().into());
        metadata.insert("kind".to_owned(), file.kind().name().into());
        metadata.insert("status".to_owned(), file.status.name().into());
        if let Some((Dimensions { width, height }, source)) = shown_dimensions(file.dimensions, file.reported) {
            metadata.insert("width".to_owned(), width.into());
            metadata.insert("height".to_owned(), height.into());
            metadata.insert("dimensions".to_owned(), source.into());
        }
        if let Some(seconds) = duration_seconds(file) {
            metadata.insert("duration_seconds".to_owned(), seconds.into());
        }
        if let Some(state) = derivative(file) {
            metadata.insert("derivative".to_owned(), state.into());
            metadata.insert("thumbnails".to_owned(), json!(thumbnails(file)));
        }
        if let Some(state) = file.scan.state {
            metadata.insert("scan".to_owned(), state.name().into());
        }
        Self {
            s3_key: file.key.to_string(),
            filename: file.name.as_str().to_owned(),
            size: file.size,
            last_modified: file.changed_at.to_string(),
            content_type: file.media.name.to_owned(),
            metadata,
        }
    }
}
