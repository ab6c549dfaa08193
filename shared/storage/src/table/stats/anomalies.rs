//! Anomalies: reading the records from which they are detected, and raising alarms, at most one of a kind in a quiet
//! period.

use aws_sdk_dynamodb::types::Update;
use consigne_core::anomalies::{Alarm, OnAnomaly, RaiseOutcome, Response};
use consigne_core::audit::AuditEntry;
use consigne_core::keys::ApiKey;
use consigne_core::ports::{GetKeys, ListCalls, RaiseAnomaly, SetOnAnomaly};
use consigne_core::{Fault, KeyId, OrgId, Timestamp};

use crate::table::credits::receipts;
use crate::table::item::{Item, Reader, key, org_pk, sortable, text};
use crate::table::keys::key_item;
use crate::table::outbox;
use crate::table::people::orgs;
use crate::table::transact::{Outcome, failed_at};
use crate::table::{Table, audit};

/// Index of the quiet period's item in the transaction that raises an alarm.
const MARK: usize = 0;

/// Returns the key of the item that silences further alarms of the same kind and API key.
fn quiet_key(alarm: &Alarm) -> Item {
    let what = alarm.key.map_or_else(|| "-".to_owned(), |key| key.to_string());
    key(org_pk(alarm.org), format!("ANOMALY#{what}#{}", alarm.kind.name()))
}

impl RaiseAnomaly for Table {
    async fn raise_anomaly(&self, alarm: &Alarm) -> Result<RaiseOutcome, Fault> {
        let mut writes = vec![
            self.put_until(quiet_key(alarm), alarm.quiet_until, alarm.now)?,
            self.put(audit::write(&alarm.audit))?,
            self.put(outbox::write(&alarm.event))?,
        ];
        match &alarm.response {
            Response::Alert => {}
            Response::SuspendKey(step) => {
                writes.push(self.key_write(&step.key, step.guard)?);
                writes.push(self.put(audit::write(&step.audit))?);
            }
            Response::SuspendOrg(entry) => {
                writes.extend(self.suspension(alarm.org, true)?);
                writes.push(self.put(audit::write(entry))?);
            }
        }
        Ok(match self.transact(writes).await? {
            Outcome::Committed => RaiseOutcome::Raised,
            Outcome::Refused(failed) if failed_at(&failed, MARK).is_some() => RaiseOutcome::Repeated,
            Outcome::Refused(_) => RaiseOutcome::Conflict,
        })
    }
}

impl SetOnAnomaly for Table {
    async fn set_on_anomaly(&self, org: OrgId, policy: OnAnomaly, entry: &AuditEntry) -> Result<bool, Fault> {
        let choose = Update::builder()
            .set_key(Some(orgs::org_key(org)))
            .update_expression("SET on_anomaly = :policy")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":policy", text(policy.name()));
        let writes = vec![self.update(choose)?, self.put(audit::write(entry))?];
        Ok(matches!(self.transact(writes).await?, Outcome::Committed))
    }
}

impl GetKeys for Table {
    async fn get_keys(&self, keys: &[(OrgId, KeyId)]) -> Result<Vec<ApiKey>, Fault> {
        let places: Vec<Item> = keys.iter().map(|(org, id)| key_item::key_key(*org, *id)).collect();
        self.batch_get(&places, false).await?.iter().map(key_item::read).collect()
    }
}

impl ListCalls for Table {
    async fn list_calls(
        &self,
        org: OrgId,
        key: KeyId,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, String)>, Fault> {
        let query = self
            .partition(Some("gsi2"), receipts::of_key(org, key))
            .key_condition_expression("#pk = :pk AND gsi2sk >= :since")
            .expression_attribute_values(":since", text(sortable(since)))
            .projection_expression("#at, country")
            .expression_attribute_names("#at", "at")
            .scan_index_forward(false);
        let (mut calls, mut found, mut seen) = (self.pages(query), Vec::new(), 0);
        while seen < limit
            && let Some(items) = calls.next().await?
        {
            for item in items.iter().take(limit - seen) {
                let reader = Reader(item);
                if let Some(country) = reader.owned_text("country") {
                    found.push((reader.time("at")?, country));
                }
            }
            seen += items.len();
        }
        Ok(found)
    }
}
