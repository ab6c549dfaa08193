//! Customers' endpoints, and the pointers from a person to the endpoints they have registered.
//!
//! The pointers are items and not an index, because an index lags behind. A new endpoint must get the next event of the
//! person who registered it, even if that event comes a moment later.

use aws_sdk_dynamodb::types::{Delete, TransactWriteItem, Update};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consigne_core::audit::AuditEntry;
use consigne_core::endpoints::{
    DisabledBecause, ENDPOINTS_MAX, Endpoint, EndpointStatus, EndpointStep, HookUrl, NewEndpoint, too_many_endpoints,
    url_taken,
};
use consigne_core::events::EventKind;
use consigne_core::idempotency::WriteOutcome;
use consigne_core::pacing::Rate;
use consigne_core::ports::{
    ChangeEndpoint, CreateEndpoint, DeleteEndpoint, FindEndpoints, ForgetEndpoints, GetEndpoint, GetIdempotencyRecord,
    ListEndpoints, Listed, PageAsk,
};
use consigne_core::{EndpointId, Fault, OrgId, Timestamp, UserId};
use sha2::{Digest, Sha256};

use crate::table::Table;
use crate::table::idempotency::TransactionOutcome;
use crate::table::item::{Item, Reader, add, key, malformed, number, org_pk, text, user_pk};
use crate::table::outbox;
use crate::table::transact::{Failed, failed_at};

/// Prefix of the sort keys of endpoints and of pointers to them.
const ENDPOINT: &str = "ENDPOINT#";
/// Attribute with the number of an organisation's endpoints.
const COUNT: &str = "endpoint_count";
/// Index of that count in the transaction that registers an endpoint.
const COUNTED: usize = 2;
/// Index of the URL's item in the transaction that registers an endpoint.
const URL_CLAIMED: usize = 3;
/// Index of the new URL's item in the transaction of a step that changes the URL.
const URL_CHANGED: usize = 1;
/// Index of the old URL's item in that transaction.
const URL_LEFT: usize = 2;
/// Index of the URL's item in the transaction that deletes an endpoint.
const URL_RELEASED: usize = 3;
/// Most pointers that are read of one person.
const POINTERS: u32 = 1_000;

fn endpoint_key(org: OrgId, id: EndpointId) -> Item {
    key(org_pk(org), format!("{ENDPOINT}{id}"))
}

/// Returns the key of the item that keeps a URL unique in an organisation. URLs may be longer than a key and may contain
/// a secret, so it has a hash of the URL.
fn url_key(org: OrgId, url: &HookUrl) -> Item {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(url.same()));
    key(org_pk(org), format!("ENDPOINT_URL#{hash}"))
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

/// Returns whether the write at `index` is the only one whose condition failed.
fn is_only(failed: &[Failed], index: usize) -> bool {
    failed.len() == 1 && failed_at(failed, index).is_some()
}

impl CreateEndpoint for Table {
    async fn create_endpoint(&self, new: &NewEndpoint) -> Result<WriteOutcome, Fault> {
        let endpoint = &new.endpoint;
        let mut pointer = pointer_key(&endpoint.created_by, endpoint.id);
        pointer.insert("org_id".to_owned(), text(endpoint.org.to_string()));
        let mut writes = vec![
            self.put_new(write(endpoint))?,
            self.put_new(pointer)?,
            self.count_endpoints(endpoint.org, 1)?,
            self.claim_url(endpoint)?,
        ];
        writes.extend(self.audited(&new.audit)?);
        match self.transact_action(&new.audit, writes, new.idempotent.as_ref()).await? {
            TransactionOutcome::Written(written) => Ok(written),
            TransactionOutcome::Refused(failed)
                if failed_at(&failed, COUNTED).is_some() || failed_at(&failed, URL_CLAIMED).is_some() =>
            {
                // An earlier try of this request may itself have reached the limit, or have the URL.
                let before = match &new.idempotent {
                    Some(idempotent) => self.get_idempotency_record(idempotent, endpoint.created_at).await?,
                    None => None,
                };
                let url = failed_at(&failed, URL_CLAIMED).is_some();
                before.ok_or_else(|| if url { url_taken() } else { too_many_endpoints() })
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
        let mut writes = self.endpoint_step(step)?;
        let mut outcome = self.send_endpoint_step(step, writes.clone()).await?;
        if let TransactionOutcome::Refused(failed) = &outcome
            && step.left.is_some()
            && is_only(failed, URL_LEFT)
        {
            writes.remove(URL_LEFT);
            outcome = self.send_endpoint_step(step, writes).await?;
        }
        match outcome {
            TransactionOutcome::Written(written) => Ok(written),
            TransactionOutcome::Refused(failed) if step.left.is_some() && is_only(&failed, URL_CHANGED) => {
                Err(url_taken())
            }
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
        let mut writes = vec![
            self.delete_if(there)?,
            TransactWriteItem::builder().delete(pointer).build(),
            self.count_endpoints(endpoint.org, -1)?,
            self.release_url(endpoint.org, endpoint.id, &endpoint.url)?,
        ];
        writes.extend(self.audited(entry)?);
        Ok(match self.transact_action(entry, writes.clone(), None).await? {
            TransactionOutcome::Written(_) => true,
            TransactionOutcome::Refused(failed) if is_only(&failed, URL_RELEASED) => {
                writes.remove(URL_RELEASED);
                matches!(self.transact_action(entry, writes, None).await?, TransactionOutcome::Written(_))
            }
            TransactionOutcome::Refused(_) => false,
        })
    }
}

impl Table {
    /// Sends the writes of an endpoint's step. A step of a person counts as a write of theirs.
    async fn send_endpoint_step(
        &self,
        step: &EndpointStep,
        writes: Vec<TransactWriteItem>,
    ) -> Result<TransactionOutcome, Fault> {
        let request = step.idempotent.as_ref();
        match &step.audit {
            Some(entry) => self.transact_action(entry, writes, request).await,
            None => self.transact_once(writes, request, step.endpoint.created_at).await,
        }
    }

    /// Returns the writes of an endpoint's step, on condition that the endpoint has not changed since it was read.
    pub(crate) fn endpoint_step(&self, step: &EndpointStep) -> Result<Vec<TransactWriteItem>, Fault> {
        let mut writes = vec![self.put_seen(write(&step.endpoint), step.seen)?];
        if let Some(left) = &step.left {
            writes.push(self.claim_url(&step.endpoint)?);
            writes.push(self.release_url(step.endpoint.org, step.endpoint.id, left)?);
        }
        if let Some(entry) = &step.audit {
            writes.extend(self.audited(entry)?);
        }
        if let Some(event) = &step.event {
            writes.push(self.put(outbox::write(event))?);
        }
        Ok(writes)
    }

    /// Returns the write that claims an endpoint's URL, on condition that no other endpoint of the organisation has it.
    fn claim_url(&self, endpoint: &Endpoint) -> Result<TransactWriteItem, Fault> {
        let mut item = url_key(endpoint.org, &endpoint.url);
        item.insert("endpoint_id".to_owned(), text(endpoint.id.to_string()));
        self.put_new(item)
    }

    /// Returns the write that releases an endpoint's URL. Its condition fails if another endpoint has claimed the URL,
    /// which it can if this one was registered before URLs were unique. Then there is nothing to release.
    fn release_url(&self, org: OrgId, id: EndpointId, url: &HookUrl) -> Result<TransactWriteItem, Fault> {
        let delete = Delete::builder()
            .set_key(Some(url_key(org, url)))
            .condition_expression("attribute_not_exists(pk) OR endpoint_id = :id")
            .expression_attribute_values(":id", text(id.to_string()));
        self.delete_if(delete)
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
