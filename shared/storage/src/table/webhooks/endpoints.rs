//! Customers' endpoints, and the pointers from a person to the endpoints they have registered.
//!
//! The pointers are items and not an index, because an index lags behind. A new endpoint must get the next event of the
//! person who registered it, even if that event comes a moment later.

use aws_sdk_dynamodb::types::{Delete, TransactWriteItem, Update};
use consigne_core::audit::AuditEntry;
use consigne_core::endpoints::{
    DisabledBecause, ENDPOINTS_MAX, Endpoint, EndpointStatus, EndpointStep, HookUrl, NewEndpoint, too_many_endpoints,
};
use consigne_core::events::EventKind;
use consigne_core::idempotency::WriteOutcome;
use consigne_core::pacing::Rate;
use consigne_core::ports::{
    ChangeEndpoint, CreateEndpoint, DeleteEndpoint, FindEndpoints, ForgetEndpoints, GetEndpoint, GetIdempotencyRecord,
    ListEndpoints, Listed, PageAsk,
};
use consigne_core::{EndpointId, Fault, OrgId, Timestamp, UserId};

use crate::table::idempotency::TransactionOutcome;
use crate::table::item::{Item, Reader, add, key, malformed, number, org_pk, text, user_pk};
use crate::table::outbox;
use crate::table::transact::failed_at;
use crate::table::{Table, audit};

/// Prefix of the sort keys of endpoints and of pointers to them.
const ENDPOINT: &str = "ENDPOINT#";
/// Attribute with the number of an organisation's endpoints.
const COUNT: &str = "endpoint_count";
/// Index of that count in the transaction that registers an endpoint.
const COUNTED: usize = 2;
/// Most pointers that are read of one person.
const POINTERS: u32 = 1_000;

fn endpoint_key(org: OrgId, id: EndpointId) -> Item {
    key(org_pk(org), format!("{ENDPOINT}{id}"))
}

fn pointer_key(user: &UserId, id: EndpointId) -> Item {
    key(user_pk(user), format!("{ENDPOINT}{id}"))
}

pub(crate) fn write(endpoint: &Endpoint) -> Item {
    let mut item = endpoint_key(endpoint.org, endpoint.id);
    let millis = |at: Timestamp| number(at.as_millis());
    let events: Vec<&str> = endpoint.events.iter().map(|kind| kind.name()).collect();
    item.insert("url".to_owned(), text(endpoint.url.as_str()));
    item.insert("events".to_owned(), text(events.join(" ")));
    item.insert("rate".to_owned(), number(endpoint.rate.per_second()));
    if let EndpointStatus::Disabled(why, at) = endpoint.status {
        item.insert("disabled_because".to_owned(), text(why.name()));
        item.insert("disabled_at".to_owned(), millis(at));
    }
    item.insert("generation".to_owned(), number(endpoint.generation));
    add(&mut item, "previous_until", endpoint.previous_until.map(millis));
    add(&mut item, "failing_since", endpoint.failing_since.map(millis));
    item.insert("created_by".to_owned(), text(endpoint.created_by.as_str()));
    item.insert("created_at".to_owned(), millis(endpoint.created_at));
    item.insert("revision".to_owned(), number(endpoint.revision));
    item
}

fn read(item: &Item) -> Result<Endpoint, Fault> {
    let reader = Reader(item);
    let status = match reader.optional_parsed("disabled_because", DisabledBecause::from_name)? {
        Some(why) => EndpointStatus::Disabled(why, reader.time("disabled_at")?),
        None => EndpointStatus::Active,
    };
    Ok(Endpoint {
        org: reader.parsed("pk", |pk| OrgId::parse(pk.strip_prefix("ORG#")?))?,
        id: reader.parsed("sk", |sk| EndpointId::parse(sk.strip_prefix(ENDPOINT)?))?,
        url: reader.parsed("url", HookUrl::kept)?,
        events: reader.parsed("events", |names| names.split(' ').map(EventKind::from_name).collect())?,
        rate: Rate::new(reader.number("rate")?).ok_or_else(|| malformed("rate"))?,
        status,
        generation: reader.number("generation")?,
        previous_until: reader.optional_time("previous_until"),
        failing_since: reader.optional_time("failing_since"),
        created_by: reader.parsed("created_by", UserId::parse)?,
        created_at: reader.time("created_at")?,
        revision: reader.number("revision")?,
    })
}

impl CreateEndpoint for Table {
    async fn create_endpoint(&self, new: &NewEndpoint) -> Result<WriteOutcome, Fault> {
        let endpoint = &new.endpoint;
        let mut pointer = pointer_key(&endpoint.created_by, endpoint.id);
        pointer.insert("org_id".to_owned(), text(endpoint.org.to_string()));
        let writes = vec![
            self.put_new(write(endpoint))?,
            self.put_new(pointer)?,
            self.count_endpoints(endpoint.org, 1)?,
            self.put(audit::write(&new.audit))?,
        ];
        match self.transact_action(&new.audit, writes, new.idempotent.as_ref()).await? {
            TransactionOutcome::Written(written) => Ok(written),
            TransactionOutcome::Refused(failed) if failed_at(&failed, COUNTED).is_some() => {
                // An earlier try of this request may itself have reached the limit.
                let before = match &new.idempotent {
                    Some(idempotent) => self.get_idempotency_record(idempotent, endpoint.created_at).await?,
                    None => None,
                };
                before.ok_or_else(too_many_endpoints)
            }
            TransactionOutcome::Refused(_) => Err(Fault::internal("an endpoint's id was minted twice")),
        }
    }
}

impl GetEndpoint for Table {
    async fn get_endpoint(&self, org: OrgId, id: EndpointId) -> Result<Option<Endpoint>, Fault> {
        self.get(endpoint_key(org, id)).await?.as_ref().map(read).transpose()
    }
}

impl ListEndpoints for Table {
    async fn list_endpoints(&self, org: OrgId, page: &PageAsk) -> Result<Listed<Endpoint>, Fault> {
        let query = self
            .partition(None, org_pk(org))
            .key_condition_expression("#pk = :pk AND begins_with(sk, :endpoint)")
            .expression_attribute_values(":endpoint", text(ENDPOINT))
            .scan_index_forward(false);
        self.page(None, query, page, read).await
    }
}

impl FindEndpoints for Table {
    async fn find_endpoints(&self, user: &UserId) -> Result<Vec<(OrgId, EndpointId)>, Fault> {
        let query = self
            .partition(None, user_pk(user))
            .key_condition_expression("#pk = :pk AND begins_with(sk, :endpoint)")
            .expression_attribute_values(":endpoint", text(ENDPOINT));
        let pointer = |item: &Item| {
            let reader = Reader(item);
            let id = reader.parsed("sk", |sk| EndpointId::parse(sk.strip_prefix(ENDPOINT)?))?;
            Ok((reader.parsed("org_id", OrgId::parse)?, id))
        };
        self.entries(None, &query, POINTERS, None, pointer).await.map(|(found, _)| found)
    }
}

impl ForgetEndpoints for Table {
    async fn forget_endpoints(&self, user: &UserId) -> Result<(), Fault> {
        for (_, id) in self.find_endpoints(user).await? {
            self.delete(pointer_key(user, id)).await?;
        }
        Ok(())
    }
}

impl ChangeEndpoint for Table {
    async fn change_endpoint(&self, step: &EndpointStep) -> Result<WriteOutcome, Fault> {
        let (writes, request) = (self.endpoint_step(step)?, step.idempotent.as_ref());
        let outcome = match &step.audit {
            Some(entry) => self.transact_action(entry, writes, request).await?,
            None => self.transact_once(writes, request, step.endpoint.created_at).await?,
        };
        match outcome {
            TransactionOutcome::Written(written) => Ok(written),
            TransactionOutcome::Refused(_) => Ok(WriteOutcome::Conflict),
        }
    }
}

impl DeleteEndpoint for Table {
    async fn delete_endpoint(&self, endpoint: &Endpoint, entry: &AuditEntry) -> Result<bool, Fault> {
        let there = Delete::builder()
            .set_key(Some(endpoint_key(endpoint.org, endpoint.id)))
            .condition_expression("attribute_exists(pk)");
        let pointer = Delete::builder()
            .table_name(&self.name)
            .set_key(Some(pointer_key(&endpoint.created_by, endpoint.id)))
            .build()
            .map_err(Fault::internal)?;
        let writes = vec![
            self.delete_if(there)?,
            TransactWriteItem::builder().delete(pointer).build(),
            self.count_endpoints(endpoint.org, -1)?,
            self.put(audit::write(entry))?,
        ];
        Ok(matches!(self.transact_action(entry, writes, None).await?, TransactionOutcome::Written(_)))
    }
}

impl Table {
    /// Returns the writes of an endpoint's step, on condition that the endpoint has not changed since it was read.
    pub(crate) fn endpoint_step(&self, step: &EndpointStep) -> Result<Vec<TransactWriteItem>, Fault> {
        let mut writes = vec![self.put_seen(write(&step.endpoint), step.seen)?];
        if let Some(entry) = &step.audit {
            writes.push(self.put(audit::write(entry))?);
        }
        if let Some(event) = &step.event {
            writes.push(self.put(outbox::write(event))?);
        }
        Ok(writes)
    }

    /// Returns the write that adds `change`, 1 or -1, to the count. An addition is conditional on the limit.
    fn count_endpoints(&self, org: OrgId, change: i32) -> Result<TransactWriteItem, Fault> {
        let mut update = Update::builder()
            .set_key(Some(key(org_pk(org), "ENDPOINTS")))
            .update_expression(format!("ADD {COUNT} :change"))
            .expression_attribute_values(":change", number(change));
        if change > 0 {
            update = update
                .condition_expression(format!("attribute_not_exists({COUNT}) OR {COUNT} < :most"))
                .expression_attribute_values(":most", number(ENDPOINTS_MAX));
        }
        self.update(update)
    }
}
