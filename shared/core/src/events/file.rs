//! Events about files and storage quotas.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::files::{Kind, NOTICE_PERCENT, ObjectKey, Removal};
use crate::{FileId, JobId, PublicId, UserId};

/// The data about a file that every event about files has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileFacts {
    /// Id of the person whose file it is, or of the order.
    #[serde(deserialize_with = "UserId::read_owner")]
    #[schemars(regex(pattern = "^(user_[A-Za-z0-9]+|order_[0-9A-Z]{26})$"))]
    pub user_id: UserId,
    /// Id of the file, opaque.
    pub file_id: FileId,
    /// Object key of the file, by which the API's routes name it.
    pub s3_key: ObjectKey,
    /// The file's name, as its owner wrote it.
    #[schemars(length(min = 1))]
    pub filename: String,
    /// The kind of file.
    pub kind: Kind,
    /// The file's media type.
    #[schemars(regex(pattern = "^[a-z]+/[A-Za-z0-9.+-]+$"))]
    pub content_type: String,
    /// Size in bytes: the measured size of a file that was kept, else the granted size.
    pub size: u64,
    /// Measured width in pixels, as a browser shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub width: Option<u32>,
    /// Measured height in pixels, as a browser shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub height: Option<u32>,
    /// Id of the job it was delivered for, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// Id of its public address, if it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_id: Option<PublicId>,
}

/// `file.ready`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileReady {
    /// The file.
    #[serde(flatten)]
    pub file: FileFacts,
}

/// `file.rejected`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileRejected {
    /// The file.
    #[serde(flatten)]
    pub file: FileFacts,
    /// Why it was rejected, as a sentence.
    #[schemars(length(min = 1))]
    pub reason: String,
}

/// `file.infected`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileInfected {
    /// The file.
    #[serde(flatten)]
    pub file: FileFacts,
    /// Name of the malware, as the scanner says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub threat: Option<String>,
}

/// `file.deleted`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileDeleted {
    /// The file.
    #[serde(flatten)]
    pub file: FileFacts,
    /// `deleted`, or `expired` for a grant that was never used.
    pub cause: Removal,
}

/// `file.unpublished`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileUnpublished {
    /// The file, with the id of the address that has ended.
    #[serde(flatten)]
    pub file: FileFacts,
}

/// A kind of quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Quota {
    /// The storage of their plan, in bytes.
    Storage,
}

/// `quota.exceeded`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuotaExceeded {
    /// Id of the person whose quota it is.
    pub user_id: UserId,
    /// The quota: `storage`, in bytes.
    #[schemars(extend("enum" = [Quota::Storage]))]
    pub quota: Quota,
    /// The share of the quota that was reached, in percent.
    #[schemars(extend("enum" = [NOTICE_PERCENT]))]
    pub percent: u8,
    /// How much of the quota is used or reserved, in bytes.
    #[schemars(range(min = 1))]
    pub used: u64,
    /// The quota, in bytes.
    #[schemars(range(min = 1))]
    pub limit: u64,
}
