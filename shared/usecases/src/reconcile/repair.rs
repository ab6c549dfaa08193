//! Repairs: removes what nothing needs, after one more look, with an entry in the audit log.

use consigne_core::audit::{AuditAction, AuditEntry};
use consigne_core::reconcile::{Area, Finding, FindingKind, ListedUpload, Run};
use consigne_core::{AuditId, Fault, Timestamp};
use serde_json::json;

use super::area::unavailable;
use super::{ReconcileBucket, ReconcileTable, Reconciler, Scope, at_once};

/// What a look right before a repair shows.
enum State {
    /// It is as it was found.
    Same,
    /// It is gone: an earlier try has removed it, or somebody else.
    Gone,
    /// It is there, and something needs it now.
    Needed,
}

/// What came of one repair.
enum Repaired {
    /// What was found is gone.
    Gone(FindingKind),
    /// Something needs it now, so it stays.
    Left,
    /// The replica refused the removal, or did not answer.
    Refused(Fault),
}

impl<T: ReconcileTable, B: ReconcileBucket> Reconciler<'_, T, B> {
    /// Repairs what is still to be repaired, and writes the run.
    pub(super) async fn repair_pending(&self, run: &mut Run) -> Result<(), Fault> {
        if run.pending.is_empty() {
            return Ok(());
        }
        // It has refused something in this run already.
        if run.left(FindingKind::ReplicaUnavailable) > 0 {
            run.pending.retain(|(is_replica, _)| !is_replica);
        }
        // A replica that does not answer must not keep the run from its end.
        if let Some(refusal) = self.refusal_of_replica(run).await {
            run.pending.retain(|(is_replica, _)| !is_replica);
            run.note(&refusal);
        }
        let (started_at, cutoff) = (run.started_at, run.cutoff());
        let repair = |(is_replica, finding): &(bool, Finding)| {
            let finding = finding.clone();
            self.repair(*is_replica, finding, started_at, cutoff)
        };
        let (of_replica, own): (Vec<_>, Vec<_>) = run.pending.iter().cloned().partition(|(is_replica, _)| *is_replica);
        let mut done = at_once(own.iter().map(repair).collect()).await?;
        // One after the other: each try writes an entry in the audit log, and a replica that refuses one removal refuses
        // the others too.
        let mut refused = None;
        for one in &of_replica {
            match repair(one).await? {
                Repaired::Refused(fault) => {
                    refused = Some(fault);
                    break;
                }
                outcome => done.push(outcome),
            }
        }
        for outcome in done {
            if let Repaired::Gone(kind) = outcome {
                run.note_repair(kind);
            }
        }
        if let Some(fault) = refused {
            run.note(&unavailable(Area::Originals, &fault));
        }
        run.pending.clear();
        self.write(run).await
    }

    /// Returns the finding of a replica that cannot be listed, if something is to be removed from it.
    async fn refusal_of_replica(&self, run: &Run) -> Option<Finding> {
        let bucket = self.replica.filter(|_| run.pending.iter().any(|(is_replica, _)| *is_replica))?;
        let listed = bucket.list_version_page(Area::Originals.prefix(), None, 1).await;
        listed.err().map(|fault| unavailable(Area::Originals, &fault))
    }

    /// Repairs one finding.
    async fn repair(
        &self,
        is_replica: bool,
        finding: Finding,
        started_at: Timestamp,
        cutoff: Timestamp,
    ) -> Result<Repaired, Fault> {
        let Some(version) = &finding.version else { return Ok(Repaired::Left) };
        let bucket = if is_replica { self.replica } else { Some(self.bucket) };
        let Some(bucket) = bucket else { return Ok(Repaired::Left) };
        let is_upload = finding.kind == FindingKind::UploadWithoutSession;
        let state = if is_upload {
            self.look_at_upload(&finding, version, cutoff).await?
        } else {
            self.look_at_version(bucket, is_replica, &finding, cutoff).await?
        };
        match state {
            State::Gone => return Ok(Repaired::Gone(finding.kind)),
            State::Needed => return Ok(Repaired::Left),
            State::Same => {}
        }
        // Before the removal, so that nothing is removed without an entry. The id is the same at every try.
        let details = json!({
            "kind": finding.kind.name(), "version": version, "size": finding.size, "reason": finding.reason,
            "bucket": if is_replica { "replica" } else { "files" },
        });
        let bucket_name = if is_replica { "replica" } else { "files" };
        self.table
            .write_audit(&AuditEntry {
                id: AuditId::derive_at(started_at, &[bucket_name, &finding.key, version]),
                org: None,
                action: AuditAction::StorageRepaired,
                subject: finding.key.clone(),
                origin: self.origin.clone(),
                at: started_at,
                details,
            })
            .await?;
        if is_upload {
            bucket.abort_upload(&finding.key, version).await?;
        } else {
            match bucket.remove_version(&finding.key, version).await {
                Err(fault) if is_replica => return Ok(Repaired::Refused(fault)),
                removed => removed?,
            }
        }
        Ok(Repaired::Gone(finding.kind))
    }

    async fn look_at_version(
        &self,
        bucket: &B,
        is_replica: bool,
        finding: &Finding,
        cutoff: Timestamp,
    ) -> Result<State, Fault> {
        let areas = [Area::Originals, Area::Derived];
        let place = areas.into_iter().find_map(|area| Some((area, area.group(&finding.key)?)));
        // Nothing else is ever repaired.
        let Some((area, group)) = place else { return Ok(State::Needed) };
        let looks = self.look_closely(&Scope { bucket, area, is_replica }, &[&group], cutoff).await?;
        let version = finding.version.as_deref();
        let same = |other: &Finding| {
            (other.kind, other.key.as_str(), other.version.as_deref()) == (finding.kind, finding.key.as_str(), version)
        };
        if looks.iter().any(|look| look.found.iter().any(same)) {
            return Ok(State::Same);
        }
        let listed = looks.iter().flat_map(|look| &look.versions);
        let is_there = listed.into_iter().any(|one| one.key == finding.key && Some(one.version.as_str()) == version);
        Ok(if is_there { State::Needed } else { State::Gone })
    }

    async fn look_at_upload(&self, finding: &Finding, id: &str, cutoff: Timestamp) -> Result<State, Fault> {
        if !self.bucket.list_uploads(&finding.key).await?.iter().any(|open| open == id) {
            return Ok(State::Gone);
        }
        let at = finding.at.unwrap_or(cutoff);
        let upload = ListedUpload { key: finding.key.clone(), id: id.to_owned(), at };
        let unnamed = self.judge_uploads(&[upload], cutoff).await?;
        Ok(if unnamed.is_empty() { State::Needed } else { State::Same })
    }
}
