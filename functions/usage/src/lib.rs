//! Shows how much of their plan's storage a user has used.

use std::collections::BTreeMap;

use consigne_auth::SessionVerifier;
use consigne_core::Fault;
use consigne_core::files::Kind;
use consigne_core::ports::GetUsage;
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use schemars::JsonSchema;
use serde::Serialize;

/// A user's use of storage.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageUsage {
    /// Id of the user.
    pub user_id: String,
    /// Name of the user's plan.
    pub plan: &'static str,
    /// Number of stored files.
    pub total_files: u64,
    /// Bytes of stored files.
    pub total_size: u64,
    /// Bytes reserved for uploads that have not arrived.
    pub reserved_size: u64,
    /// Bytes that the plan allows, reserved bytes included.
    pub limit: u64,
    /// Stored and reserved bytes in percent of the limit, with two decimals.
    pub percent: f64,
    /// Stored files by kind.
    pub by_kind: BTreeMap<&'static str, KindUsage>,
}

/// Stored files of one kind.
#[derive(Debug, Serialize, JsonSchema)]
pub struct KindUsage {
    /// Number of these files.
    pub files: u64,
    /// Bytes of these files.
    pub size: u64,
}

function! {
    users: SessionVerifier = file_users(),
    files: A::Table = table(),
}

impl<A: Adapters<Table: GetUsage>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        let usage = self.files.get_usage(&user.id).await?;

        let limit = user.plan.allowances().storage;
        let by_kind = Kind::ALL.map(|kind| {
            let stored = usage.of(kind);
            (kind.name(), KindUsage { files: stored.files, size: stored.bytes })
        });
        let answer = StorageUsage {
            user_id: user.id.to_string(),
            plan: user.plan.name(),
            total_files: usage.files(None),
            total_size: usage.bytes(),
            reserved_size: usage.reserved,
            limit,
            percent: percent(usage.committed, limit),
            by_kind: BTreeMap::from(by_kind),
        };
        Ok(Answer::plain(200, &answer))
    }

    fn operations() -> Vec<Operation> {
        vec![Operation::new::<StorageUsage>("GET /api/files/usage", "Get the caller's storage usage")]
    }
}

/// Returns `part` in percent of `whole`, with two decimals.
// The precision that an `f64` loses does not show in two decimals.
#[allow(clippy::cast_precision_loss)]
fn percent(part: u64, whole: u64) -> f64 {
    (part as f64 / whole as f64 * 10_000.0).round() / 100.0
}
