//! What is compared with no record: objects that nothing here makes, and open uploads.

use std::collections::BTreeSet;

use consigne_core::reconcile::{Area, Finding, ListedUpload, Marker, Run, after_prefix, judge_upload, prefix_of};
use consigne_core::{Fault, Timestamp};

use super::area::unknown;
use super::{PAGE, ReconcileBucket, ReconcileTable, Reconciler, at_once};

impl<T: ReconcileTable, B: ReconcileBucket> Reconciler<'_, T, B> {
    /// Reports a page of objects outside of every known prefix. What has a known prefix is leapt over.
    pub(super) async fn other_objects(&self, run: &mut Run) -> Result<Vec<Finding>, Fault> {
        let (versions, next) = self.bucket.list_version_page("", run.place.after.as_ref(), PAGE).await?;
        let (mut found, mut leap) = (Vec::new(), None);
        for one in &versions {
            if let Some(known) = prefix_of(&one.key) {
                leap = Some(Marker { key: after_prefix(known.prefix), within: None });
                break;
            }
            run.checked.versions += 1;
            found.extend((one.at < run.cutoff()).then(|| unknown(&one.key, Some(&one.version), one.size, one.at)));
        }
        run.place.after = leap.or(next);
        if run.place.after.is_none() {
            self.end_phase(run);
        }
        Ok(found)
    }

    /// Compares a page of open uploads with the sessions in records.
    pub(super) async fn open_uploads(&self, run: &mut Run) -> Result<Vec<Finding>, Fault> {
        let (uploads, next) = self.bucket.list_upload_page(run.place.after.as_ref()).await?;
        let cutoff = run.cutoff();
        run.checked.uploads += uploads.len() as u64;
        let (ours, others): (Vec<_>, Vec<_>) =
            uploads.into_iter().partition(|upload| Area::Originals.group(&upload.key).is_some());
        let strange = others.iter().filter(|upload| upload.at < cutoff && !is_left_alone(&upload.key));
        let mut found: Vec<Finding> =
            strange.map(|upload| unknown(&upload.key, Some(&upload.id), 0, upload.at)).collect();

        let suspects = self.unnamed(&ours, cutoff).await?;
        let open = at_once(suspects.into_iter().map(|upload| self.if_open(upload)).collect()).await?;
        let open: Vec<ListedUpload> = open.into_iter().flatten().collect();
        found.extend(self.judge_uploads(&open, cutoff).await?.into_iter().map(|(_, finding)| finding));
        run.place.after = next;
        if run.place.after.is_none() {
            self.end_phase(run);
        }
        Ok(found)
    }

    async fn if_open(&self, upload: ListedUpload) -> Result<Option<ListedUpload>, Fault> {
        let open = self.bucket.list_uploads(&upload.key).await?;
        Ok(open.contains(&upload.id).then_some(upload))
    }

    async fn unnamed(&self, uploads: &[ListedUpload], cutoff: Timestamp) -> Result<Vec<ListedUpload>, Fault> {
        Ok(self.judge_uploads(uploads, cutoff).await?.into_iter().map(|(upload, _)| upload).collect())
    }

    /// Reads the records of uploads, and returns those that no session names.
    pub(super) async fn judge_uploads(
        &self,
        uploads: &[ListedUpload],
        cutoff: Timestamp,
    ) -> Result<Vec<(ListedUpload, Finding)>, Fault> {
        let place = |upload: &ListedUpload| Area::Originals.group(&upload.key).map(|group| (group.owner, group.file));
        let places: BTreeSet<_> = uploads.iter().filter(|upload| upload.at < cutoff).filter_map(place).collect();
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let records = self.table.get_records(&places).await?;
        let judged = uploads.iter().filter_map(|upload| {
            let record = records.get(&place(upload)?);
            Some((upload.clone(), judge_upload(upload, record, cutoff)?))
        });
        Ok(judged.collect())
    }
}

/// Returns whether somebody else looks after uploads to a key.
fn is_left_alone(key: &str) -> bool {
    use consigne_core::reconcile::PrefixOwner::{Operators, Orders};
    prefix_of(key).is_some_and(|known| matches!(known.owner, Operators | Orders))
}
