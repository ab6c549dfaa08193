//! Upload grants. One transaction writes the file, the ledger with its windows, and the idempotency record. If the
//! grant crosses the mark of a nearly full storage, it also writes that event.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use consigne_core::events::Event;
use consigne_core::files::{Grant, GrantOutcome, ObjectKey};
use consigne_core::idempotency::WriteOutcome;
use consigne_core::ports::{GetFile, GrantUpload};
use consigne_core::profiles::Contact;
use consigne_core::rates::Rate;
use consigne_core::{Fault, UserId};

use crate::table::Table;
use crate::table::files::{file_item, ledger_item, ledger_walk};
use crate::table::idempotency::TransactionOutcome;
use crate::table::item::{number, text};
use crate::table::outbox;
use crate::table::people::profiles::OPEN;
use crate::table::rates::{Counted, Counting, Form};
use crate::table::transact::failed_at;

/// Index of the ledger in the transaction.
const LEDGER: usize = 1;
/// Index of the job in the transaction, if the file is for one.
const JOB: usize = 2;

/// Assignments that list the ledger for the nightly totals, under its plan. Writing an index key that has not changed
/// costs nothing extra.
const LISTED: &str = "SET granted_plan = :plan, ledger_shard = :shard";

fn counted<'a>(grant: &'a Grant, rates: &'a [Rate]) -> Counted<'a> {
    Counted { user: grant.file.owner(), plan: grant.plan, rates, now: grant.now }
}

/// Returns a hash by which stored contact details are recognised, whenever a token had them.
fn fingerprint(contact: &Contact) -> u64 {
    let Contact { email, verified, name, language, at: _ } = contact;
    let mut hash = DefaultHasher::new();
    (email, verified, name, language).hash(&mut hash);
    hash.finish()
}

impl GrantUpload for Table {
    async fn grant_upload(&self, grant: &Grant) -> Result<GrantOutcome, Fault> {
        self.grant(grant, grant.rates()).await
    }
}

impl Table {
    /// Grants the upload of a file that an operator migrates. It counts at no rate of its owner's, who did not ask for it.
    ///
    /// # Errors
    /// As [`GrantUpload::grant_upload`]; `INTERNAL` if a file with this id exists.
    pub async fn grant_migration(&self, grant: &Grant) -> Result<GrantOutcome, Fault> {
        self.grant(grant, &[]).await
    }

    async fn grant(&self, grant: &Grant, rates: &[Rate]) -> Result<GrantOutcome, Fault> {
        let (owner, allowances) = (grant.file.owner(), grant.plan.allowances());
        let Some(room) = allowances.storage.checked_sub(grant.file.size) else {
            return Ok(GrantOutcome::OverQuota { committed: 0 });
        };
        let counted = counted(grant, rates);
        let mut forms = self.guess_forms(&counted);
        let mut notice = None;
        // Contact details that this execution environment has not stored yet. To store them again changes nothing.
        let known = self.contacts.get(owner);
        let unknown = grant.seen.as_ref().filter(|seen| known != Some(fingerprint(&seen.contact)));
        loop {
            let mut writes = self.grant_writes(grant, room, (&counted, &forms), notice.as_ref())?;
            if let Some(seen) = unknown {
                writes.push(self.sighting(seen)?);
            }
            let failed = match self.transact_once(writes, grant.idempotent().as_ref(), grant.now).await? {
                TransactionOutcome::Written(WriteOutcome::Applied) => {
                    if let Some(seen) = unknown {
                        self.contacts.set(owner, fingerprint(&seen.contact));
                    }
                    self.remember_counted(&counted, &forms);
                    return Ok(GrantOutcome::Granted);
                }
                TransactionOutcome::Written(before) => return self.replay(owner, before).await,
                TransactionOutcome::Refused(failed) => failed,
            };
            if grant.job.is_some() && failed_at(&failed, JOB).is_some() {
                return Ok(GrantOutcome::Conflict);
            }
            let ledger = failed_at(&failed, LEDGER).ok_or_else(|| Fault::internal("a file id was minted twice"))?;
            forms = match self.forms_of(&counted, ledger) {
                Ok(forms) => forms,
                Err(over) => return Ok(GrantOutcome::OverRate(over)),
            };
            let usage = ledger_item::read(ledger)?;
            if usage.committed > room {
                return Ok(GrantOutcome::OverQuota { committed: usage.committed });
            }
            // No limit is reached. So a guess about a window was wrong, the grant crosses the mark, or another write
            // came in between.
            notice = grant.notice(usage.committed);
            if consigne_aws::budget::remaining().is_zero() {
                return Err(Fault::unavailable("the ledger kept changing"));
            }
        }
    }

    fn grant_writes(
        &self,
        grant: &Grant,
        room: u64,
        counting: (&Counted<'_>, &[Form]),
        notice: Option<&Event>,
    ) -> Result<Vec<TransactWriteItem>, Fault> {
        let ledger = self.ledger_write(grant, room, counting, notice.is_some())?;
        let mut writes = vec![self.put_new(file_item::write(&grant.file))?, ledger];
        if let Some(step) = &grant.job {
            writes.push(self.job_write(step)?);
        }
        if let Some(event) = notice {
            writes.push(self.put(outbox::write(event))?);
        }
        Ok(writes)
    }

    /// Returns the ledger's write, on condition that the account is open and the bytes fit into the plan. It also
    /// requires that the grant crosses the mark of a nearly full storage if `crosses` is true, and that it does not if
    /// `crosses` is false.
    fn ledger_write(
        &self,
        grant: &Grant,
        room: u64,
        (counted, forms): (&Counted<'_>, &[Form]),
        crosses: bool,
    ) -> Result<TransactWriteItem, Fault> {
        let (owner, band) = (grant.file.owner(), grant.band());
        let update = Update::builder()
            .set_key(Some(ledger_item::key(owner)))
            .expression_attribute_values(":size", number(grant.file.size))
            .expression_attribute_values(":room", number(room))
            .expression_attribute_values(":mark", number(band.end))
            .expression_attribute_values(":plan", text(grant.plan.name()))
            .expression_attribute_values(":shard", text(ledger_walk::shard(owner)));
        let fits = match (crosses, band.start) {
            (false, 0) => "committed >= :mark AND committed <= :room",
            (false, _) => {
                "(attribute_not_exists(committed) OR committed < :near OR committed >= :mark) \
                 AND (attribute_not_exists(committed) OR committed <= :room)"
            }
            (true, 0) => "(attribute_not_exists(committed) OR committed < :mark AND committed <= :room)",
            (true, _) => "committed >= :near AND committed < :mark AND committed <= :room",
        };
        let update =
            if band.start > 0 { update.expression_attribute_values(":near", number(band.start)) } else { update };
        let (update, Counting { set, condition }) = counted.count(forms, update);
        let update = update
            .update_expression(format!("ADD committed :size, reserved :size {LISTED}{set}"))
            .condition_expression(format!("{OPEN} AND {fits}{condition}"));
        self.update(update)
    }

    /// Returns the outcome of a request that was granted before.
    async fn replay(&self, owner: &UserId, before: WriteOutcome) -> Result<GrantOutcome, Fault> {
        let WriteOutcome::Replayed(key) = before else { return Ok(GrantOutcome::KeyReused) };
        let object = ObjectKey::parse_for(owner, &key)
            .ok_or_else(|| Fault::internal("an idempotency record has an object key of another owner"))?;
        let file = self.get_file(owner, object.file()).await?;
        file.map(|file| GrantOutcome::Replayed(Box::new(file)))
            .ok_or_else(|| Fault::internal("an idempotency record has a file that does not exist"))
    }
}
