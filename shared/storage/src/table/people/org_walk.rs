//! Walks through all organisations. They are listed in an index, so that a walk need not scan the table.

use aws_sdk_dynamodb::operation::scan::ScanInput;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use consigne_core::ports::{EnrolOrgs, WalkOrgs};
use consigne_core::{Fault, OrgId};

use crate::table::item::{Item, Reader, text};
use crate::table::people::orgs::{ORG, org_key};
use crate::table::{Table, due};

/// Returns the index keys of an organisation. Organisations are spread over several partitions, so that those created
/// at the same time do not go to one partition.
pub(crate) fn index_keys(org: OrgId) -> [(String, aws_sdk_dynamodb::types::AttributeValue); 2] {
    let id = org.to_string();
    [("gsi2pk".to_owned(), text(format!("ORGS#{}", due::shard_of(&id)))), ("gsi2sk".to_owned(), text(id))]
}

/// The position of a walk over all organisations.
#[derive(Debug, Default)]
pub struct OrgWalk {
    shard: u8,
    next: Option<Item>,
}

impl WalkOrgs for Table {
    type Walk = OrgWalk;

    async fn walk_orgs(&self, limit: u32, walk: &mut OrgWalk) -> Result<Vec<OrgId>, Fault> {
        let mut found = Vec::new();
        while found.is_empty() && walk.shard < due::SHARDS {
            let query = self
                .partition(Some("gsi2"), format!("ORGS#{}", walk.shard))
                .key_condition_expression("#pk = :pk")
                .limit(i32::try_from(limit).unwrap_or(i32::MAX))
                .set_exclusive_start_key(walk.next.take());
            let page = self.client.send(query).await.map_err(Fault::unavailable)?;
            for item in page.items() {
                found.push(Reader(item).parsed("gsi2sk", OrgId::parse)?);
            }
            walk.next = page.last_evaluated_key;
            if walk.next.is_none() {
                walk.shard += 1;
            }
        }
        Ok(found)
    }
}

impl EnrolOrgs for Table {
    async fn enrol_orgs(&self, after: Option<&str>) -> Result<(u32, Option<String>), Fault> {
        let scan = ScanInput::builder()
            .table_name(&self.name)
            .filter_expression("sk = :org AND attribute_not_exists(gsi2pk) AND attribute_not_exists(deleted_at)")
            .projection_expression("pk")
            .expression_attribute_values(":org", text(ORG))
            .set_exclusive_start_key(after.map(decode));
        let page = self.client.send(scan).await.map_err(Fault::unavailable)?;
        let mut added = 0;
        for item in page.items() {
            let org = Reader(item).parsed("pk", |pk| OrgId::parse(pk.strip_prefix("ORG#")?))?;
            added += u32::from(self.enrol(org).await?);
        }
        Ok((added, page.last_evaluated_key.as_ref().map(encode).transpose()?))
    }
}

impl Table {
    /// Adds an organisation to the index. Returns `false` if it was already there.
    async fn enrol(&self, org: OrgId) -> Result<bool, Fault> {
        let [(_, shard), (_, id)] = index_keys(org);
        let update = UpdateItemInput::builder()
            .table_name(&self.name)
            .set_key(Some(org_key(org)))
            .update_expression("SET gsi2pk = :shard, gsi2sk = :id")
            .condition_expression(
                "attribute_exists(pk) AND attribute_not_exists(gsi2pk) AND attribute_not_exists(deleted_at)",
            )
            .expression_attribute_values(":shard", shard)
            .expression_attribute_values(":id", id);
        match self.client.send(update).await.map_err(aws_sdk_dynamodb::error::SdkError::into_service_error) {
            Ok(_) => Ok(true),
            Err(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
            Err(error) => Err(Fault::unavailable(error)),
        }
    }
}

/// Encodes the key after which a scan continues.
///
/// # Errors
/// `INTERNAL` if the key lacks an attribute.
fn encode(key: &Item) -> Result<String, Fault> {
    let reader = Reader(key);
    Ok(serde_json::json!([reader.text("pk")?, reader.text("sk")?]).to_string())
}

fn decode(text: &str) -> Item {
    let [pk, sk]: [String; 2] = serde_json::from_str(text).unwrap_or_default();
    crate::table::item::key(pk, sk)
}
