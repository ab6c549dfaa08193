//! Events about generation jobs.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::schema::{Alternative, unite};
use crate::files::{Kind, ObjectKey};
use crate::jobs::Ask;
use crate::{JobId, Timestamp, UserId};

/// `job.requested`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobRequested {
    /// Id of the job, opaque.
    pub job_id: JobId,
    /// Id of the person who asked for it.
    pub user_id: UserId,
    /// The kind of job.
    #[schemars(schema_with = "generated_kind")]
    pub kind: Kind,
    /// The request; its fields depend on `kind`.
    #[serde(flatten)]
    #[schemars(schema_with = "ask_schema")]
    pub ask: Ask,
    /// Signed URL at which the generator requests each upload.
    #[schemars(url, regex(pattern = "^https?://"))]
    pub uploads_url: String,
    /// Signed URL at which the generator reports the job's progress and end.
    #[schemars(url, regex(pattern = "^https?://"))]
    pub callback_url: String,
    /// When the job fails unless it was delivered.
    pub deadline: Timestamp,
}

/// `job.completed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobCompleted {
    /// Id of the job, opaque.
    pub job_id: JobId,
    /// Id of the person who asked for it.
    pub user_id: UserId,
    /// The kind of job.
    #[schemars(schema_with = "generated_kind")]
    pub kind: Kind,
    /// The title, or the beginning of the request.
    #[schemars(length(min = 1))]
    pub title: String,
    /// Always `completed`.
    pub status: CompletedStatus,
    /// Keys of the delivered files, in the generator's order.
    #[schemars(length(min = 1))]
    pub files: Vec<ObjectKey>,
}

/// `job.failed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobFailed {
    /// Id of the job, opaque.
    pub job_id: JobId,
    /// Id of the person who asked for it.
    pub user_id: UserId,
    /// The kind of job.
    #[schemars(schema_with = "generated_kind")]
    pub kind: Kind,
    /// The title, or the beginning of the request.
    #[schemars(length(min = 1))]
    pub title: String,
    /// Always `failed`.
    pub status: FailedStatus,
    /// Why the job failed.
    pub error: JobError,
}

/// The status of a job that was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CompletedStatus {
    /// The only one.
    Completed,
}

/// The status of a job that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FailedStatus {
    /// The only one.
    Failed,
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobError {
    /// Code on which programs branch: `CANCELLED`, `DEADLINE_PASSED`, `OUTPUT_LOST`, or a code of the generator.
    #[schemars(length(min = 1))]
    pub code: String,
    /// A sentence for the owner.
    #[schemars(length(min = 1))]
    pub message: String,
}

/// Returns the JSON schema of the kinds that jobs make.
fn generated_kind(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": Kind::GENERATED })
}

/// Returns the JSON schema of the request.
fn ask_schema(generator: &mut SchemaGenerator) -> Schema {
    let kinds = [json!([Kind::Book, Kind::Blog]), json!([Kind::Image]), json!([Kind::Video])];
    let asks = Ask::json_schema(generator).to_value();
    let alternatives: Vec<_> = asks["anyOf"]
        .as_array()
        .into_iter()
        .flatten()
        .zip(kinds)
        .map(|(fields, kinds)| Alternative { kind: json!({ "enum": kinds }), fields })
        .collect();
    let (properties, rules) = unite(&alternatives, |required| json!({ "required": required }));
    json_schema!({ "type": "object", "properties": properties, "allOf": rules })
}
