//! Keys: issuing, changing and listing them.

mod counts;
pub(crate) mod key_item;
pub(crate) mod migrations;
pub(crate) mod pointers;

use aws_sdk_dynamodb::operation::query::builders::QueryInputBuilder;
use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use consigne_core::idempotency::WriteOutcome;
use consigne_core::keys::{ApiKey, KeyGuard, KeyStatus, KeyStep, Pointer, too_many_issued};
use consigne_core::ports::{ChangeKey, GetKey, IssueKey, ListKeys, Listed, NewKey, PageAsk};
use consigne_core::{Fault, KeyId, OrgId};

use crate::table::Table;
use crate::table::credits::wallets::in_time;
use crate::table::idempotency::TransactionOutcome;
use crate::table::item::{number, org_pk, text};
use crate::table::outbox;
use crate::table::stats::activity::Mark;
use crate::table::transact::failed_at;

/// Index of the pointer among the writes of a new key.
pub(crate) const POINTER: usize = 1;
/// Index of the pepper's check among the writes of a new key.
const PEPPER: usize = 2;
/// Index of the count of keys among the writes of a new key.
const COUNT: usize = 3;
/// Index of the count of the hour among the writes of a new key.
const ISSUED: usize = 4;

impl GetKey for Table {
    async fn get_key(&self, org: OrgId, id: KeyId) -> Result<Option<ApiKey>, Fault> {
        self.get(key_item::key_key(org, id)).await?.as_ref().map(key_item::read).transpose()
    }
}

impl ListKeys for Table {
    async fn list_keys(&self, org: OrgId, page: &PageAsk) -> Result<Listed<ApiKey>, Fault> {
        let query = self
            .keys_of(org)
            .filter_expression("#status <> :deleted")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":deleted", text(KeyStatus::Deleted.name()))
            .scan_index_forward(false);
        self.page(None, query, page, key_item::read).await
    }
}

impl IssueKey for Table {
    async fn issue_key(&self, new: &NewKey) -> Result<WriteOutcome, Fault> {
        let key = &new.key;
        let mark = Mark::issued(key.org, key.created_at);
        loop {
            let mut writes = self.new_key_writes(key, &new.pointer)?;
            writes.push(self.add_key(key.org)?);
            writes.push(self.count_issued(key.org, key.created_at)?);
            writes.push(self.put(outbox::write(&new.event))?);
            writes.extend(self.audited(&new.audit)?);
            writes.extend(self.mark(&mark)?);
            let failed = match self.transact_action(&new.audit, writes, new.idempotent.as_ref()).await? {
                TransactionOutcome::Written(written) => {
                    self.set_marked(&mark);
                    return Ok(written);
                }
                TransactionOutcome::Refused(failed) => failed,
            };
            if failed_at(&failed, PEPPER).is_some() {
                return Ok(WriteOutcome::Conflict);
            }
            if failed_at(&failed, ISSUED).is_some() {
                return Err(too_many_issued(key.created_at));
            }
            // The key's id and text are new, so only the count is left.
            let count = failed_at(&failed, COUNT).ok_or_else(|| Fault::internal("a key was minted twice"))?;
            self.complete_count(key.org, count).await?;
            in_time()?;
        }
    }
}

impl ChangeKey for Table {
    async fn change_key(&self, step: &KeyStep) -> Result<WriteOutcome, Fault> {
        let key = &step.key;
        let mut writes = vec![self.key_write(key, step.guard)?];
        writes.extend(self.audited(&step.audit)?);
        if let Some(event) = &step.event {
            writes.push(self.put(outbox::write(event))?);
        }
        if key.status == KeyStatus::Deleted {
            writes.push(self.drop_key(key.org)?);
        }
        let mut issued = None;
        if let Some(pointer) = &step.pointer {
            writes.push(self.put_new(pointers::write(pointer, &key.facts()))?);
            writes.push(self.require_open_pepper(pointer.pepper)?);
            issued = Some(writes.len());
            writes.push(self.count_issued(key.org, step.audit.at)?);
        }
        match self.transact_action(&step.audit, writes, step.idempotent.as_ref()).await? {
            TransactionOutcome::Written(written) => Ok(written),
            TransactionOutcome::Refused(failed)
                if failed.len() == 1 && issued.is_some_and(|at| failed_at(&failed, at).is_some()) =>
            {
                Err(too_many_issued(step.audit.at))
            }
            TransactionOutcome::Refused(_) => Ok(WriteOutcome::Conflict),
        }
    }
}

impl Table {
    /// Builds the query of all keys of an organisation, including deleted ones.
    pub(crate) fn keys_of(&self, org: OrgId) -> QueryInputBuilder {
        let query = self.partition(None, org_pk(org));
        let query = query.key_condition_expression("#pk = :pk AND begins_with(sk, :key)");
        query.expression_attribute_values(":key", text("KEY#"))
    }

    /// Returns the writes of a new key and the pointer of its text, on condition that the pepper is not closed.
    pub(crate) fn new_key_writes(&self, key: &ApiKey, pointer: &Pointer) -> Result<Vec<TransactWriteItem>, Fault> {
        Ok(vec![
            self.put_new(key_item::write(key))?,
            self.put_new(pointers::write(pointer, &key.facts()))?,
            self.require_open_pepper(pointer.pepper)?,
        ])
    }

    /// Returns the write of a key's attributes, except those that charges write.
    pub(crate) fn key_write(&self, key: &ApiKey, guard: KeyGuard) -> Result<TransactWriteItem, Fault> {
        let update = Update::builder().set_key(Some(key_item::key_key(key.org, key.id)));
        let (mut update, mut set) = match guard {
            KeyGuard::Revision(seen) => (
                update
                    .condition_expression("revision = :seen")
                    .expression_attribute_values(":seen", number(seen))
                    .expression_attribute_values(":revision", number(key.revision)),
                vec!["revision = :revision".to_owned()],
            ),
            KeyGuard::Status(statuses) => {
                let names: Vec<String> = (0..statuses.len()).map(|at| format!(":from{at}")).collect();
                let mut update = update
                    .condition_expression(format!("#status IN ({})", names.join(", ")))
                    .expression_attribute_names("#status", "status")
                    .expression_attribute_values(":one", number(1));
                for (name, status) in names.iter().zip(statuses) {
                    update = update.expression_attribute_values(name, text(status.name()));
                }
                (update, vec!["revision = revision + :one".to_owned()])
            }
        };
        let mut remove = Vec::new();
        let whole = matches!(guard, KeyGuard::Revision(_));
        let mut attributes = key_item::attributes(key).to_vec();
        attributes.retain(|(name, value)| whole || (key_item::END.contains(name) && value.is_some()));
        for (at, (name, value)) in attributes.into_iter().enumerate() {
            update = update.expression_attribute_names(format!("#{at}"), name);
            match value {
                Some(value) => {
                    set.push(format!("#{at} = :{at}"));
                    update = update.expression_attribute_values(format!(":{at}"), value);
                }
                None => remove.push(format!("#{at}")),
            }
        }
        let mut expression = format!("SET {}", set.join(", "));
        if !remove.is_empty() {
            expression.push_str(" REMOVE ");
            expression.push_str(&remove.join(", "));
        }
        self.update(update.update_expression(expression))
    }
}
