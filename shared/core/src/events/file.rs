//! Events about files and the storage they take.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::files::{Kind, NOTICE_PERCENT, ObjectKey, Removal};
use crate::{FileId, JobId, UserId};

/// What every event about a file says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileFacts {
    /// Whose file it is.
    pub user_id: UserId,
    /// Id of the file, opaque.
    pub file_id: FileId,
    /// Key of the file, the name every route takes.
    pub s3_key: ObjectKey,
    /// Its name, in its owner's own spelling.
    #[schemars(length(min = 1))]
    pub filename: String,
    /// What it is.
    pub kind: Kind,
    /// Its media type.
    #[schemars(regex(pattern = "^[a-z]+/[A-Za-z0-9.+-]+$"))]
    pub content_type: String,
    /// Bytes: as measured of a file that was kept, as granted of one that was not.
    pub size: u64,
    /// Pixels, as measured; of images only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub width: Option<u32>,
    /// Pixels, as measured; of images only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub height: Option<u32>,
    /// The job it was delivered for, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
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
    /// Why, as a sentence.
    #[schemars(length(min = 1))]
    pub reason: String,
}

/// `file.deleted`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileDeleted {
    /// The file.
    #[serde(flatten)]
    pub file: FileFacts,
    /// `deleted` by whoever, or `expired` for a grant nobody used.
    pub cause: Removal,
}

/// A quota of a person's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Quota {
    /// The storage of their plan, in bytes.
    Storage,
}

/// `quota.exceeded`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuotaExceeded {
    /// Whose quota.
    pub user_id: UserId,
    /// Which: storage, in bytes.
    #[schemars(extend("enum" = [Quota::Storage]))]
    pub quota: Quota,
    /// The share that was reached.
    #[schemars(extend("enum" = [NOTICE_PERCENT]))]
    pub percent: u8,
    /// How much is used, with what is reserved.
    #[schemars(range(min = 1))]
    pub used: u64,
    /// The whole of the quota.
    #[schemars(range(min = 1))]
    pub limit: u64,
}
