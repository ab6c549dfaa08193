//! The DynamoDB table. All kinds of items are in one table. A tenant's items have the tenant in their key.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | file | `USER#<user>` | `FILE#<file>` |
//! | storage ledger, and the windows of what is counted for a user | `USER#<user>` | `USAGE` |
//! | idempotency record | `USER#<user>` | `IDEM#<operation>#<key>` |
//! | job | `USER#<user>` | `JOB#<job>` |
//! | order; its photos are files of the user that its id is | `USER#<order>` | `ORDER` |
//! | draft of a text | `USER#<user>` | `TEXT#<job>` |
//! | chapter of a draft | `USER#<user>` | `TEXT#<job>#<place>` |
//! | jobs counted in a month | `USER#<user>` | `GENERATIONS#<month>` |
//! | outbox entry | `OUTBOX#<event>` | `OUTBOX` |
//! | organisation, also a deleted one | `ORG#<org>` | `ORG` |
//! | deleted organisation of which something is still to be ended | `ORG#<org>` | `DELETION` |
//! | statistics of a day | `ORG#<org>` | `STATS#<day>` |
//! | member | `ORG#<org>` | `MEMBER#<user>` |
//! | counts of members | `ORG#<org>` | `ROSTER` |
//! | invitation | `ORG#<org>` | `INVITATION#<invitation>` |
//! | key | `ORG#<org>` | `KEY#<key>` |
//! | count of keys | `ORG#<org>` | `KEYS` |
//! | keys issued or rotated in an hour | `ORG#<org>` | `ISSUED#<hour>` |
//! | wallet | `ORG#<org>` | `WALLET` |
//! | credit grant | `ORG#<org>` | `LOT#<lot>` |
//! | migration: keys of one owner, migrated on one day | `ORG#<org>` | `MIGRATION#<user>#<day>` |
//! | checkout sessions in an hour | `ORG#<org>` | `CHECKOUTS#<hour>` |
//! | checkout session with its offer | `ORG#<org>` | `CHECKOUT#<session>` |
//! | checkout session that was paid | `ORG#<org>` | `SESSION#<session>` |
//! | refunds of a key's holds in a day | `ORG#<org>` | `REFUNDS#<key>#<day>` |
//! | anomaly whose alarm silences others of its kind | `ORG#<org>` | `ANOMALY#<key>#<kind>`, `ANOMALY#-#<kind>` |
//! | endpoint | `ORG#<org>` | `ENDPOINT#<endpoint>` |
//! | count of endpoints | `ORG#<org>` | `ENDPOINTS` |
//! | redeliveries counted in an hour | `ORG#<org>` | `REDELIVERIES#<hour>` |
//! | tests of endpoints counted in an hour | `ORG#<org>` | `TESTS#<hour>` |
//! | gathered mails of a kind to a mailbox in an hour | `ORG#<org>` | `MAILS#<template>#<hash of the address>#<hour>` |
//! | audit entry | `ORG#<org>`, or `SYSTEM` | `AUDIT#<entry>` |
//! | pointer to an endpoint that a person has registered | `USER#<user>` | `ENDPOINT#<endpoint>` |
//! | test wallet | `USER#<user>` | `TESTWALLET` |
//! | profile | `USER#<user>` | `PROFILE` |
//! | count of organisations that a person founded | `USER#<user>` | `FOUNDED` |
//! | checkout sessions of a person in a day | `USER#<user>` | `CHECKOUTS#<day>` |
//! | last export of a person's data | `USER#<user>` | `EXPORT` |
//! | exports that a person has asked for in a day | `USER#<user>` | `EXPORTS#<day>` |
//! | closed account whose data is still to be deleted | `USER#<user>` | `CLOSING` |
//! | webhook received | `WEBHOOK#<source>#<hash of its id>` | `WEBHOOK` |
//! | topic from which a person has unsubscribed | `USER#<user>` | `UNSUBSCRIBED#<topic>` |
//! | delivery | `DELIVERY#<org>#<delivery>` | `DELIVERY` |
//! | pace of a destination | `PACE#<destination>` | `PACE` |
//! | mail, claimed or ended | `MAIL#<event>#<hash of the recipient>` | `MAIL` |
//! | suppressed mailbox | `MAILBOX#<hash of the address>` | `SUPPRESSED` |
//! | activity of a key or an organisation in an hour | `ACTIVITY#<since>#<shard>` | `<org>#<key>`, `<org>#-` |
//! | pointer of a key's text | `MAC#<pepper>#<mac>` | `MAC` |
//! | pointer of a text that is known only by its hash | `SHA#<hash>` | `SHA` |
//! | receipt | `RECEIPT#<org>#<tail>` | `RECEIPT` |
//! | hold | `HOLD#<org>#<tail>` | `HOLD` |
//! | payment | `PAYMENT#<payment>` | `PAYMENT` |
//! | pepper | `SYSTEM` | `PEPPER#<version>` |
//! | last run of the reconciliation | `SYSTEM` | `RECONCILE` |
//!
//! | index | keys | contains |
//! |---|---|---|
//! | `gsi1` | `USER#<user>#<status>`, `<changed at>#<file>` | files that their owner sees, newest first |
//! | `gsi1` | `USER#<user>#JOBS#<status>`, `<job>` | a person's jobs of one status |
//! | `gsi1` | `ORDERS#<status>`, `<since>#<order>` | orders of one status, newest first |
//! | `gsi1` | `USER#<user>#ORGS`, `<org>` | a person's memberships |
//! | `gsi1` | `ORG#<org>#RECEIPTS`, `<time>#<tail>` | an organisation's receipts |
//! | `gsi1` | `ORG#<org>#PAYMENTS`, `<lot>` | an organisation's payments whose credits were added, newest first |
//! | `gsi1` | `ENDPOINT#<endpoint>#DELIVERIES`, `<delivery>` | an endpoint's deliveries |
//! | `gsi1` | `MIGRATIONS`, `<due at>#<org>#<user>#<day>` | open migrations; ended ones are under `MIGRATIONS#ENDED` |
//! | `gsi2` | `USER#<user>#<kind>`, `<changed at>#<file>` | ready files of one kind, newest first |
//! | `gsi2` | `USER#<user>#TEXTS#<kind>`, `<completed at>#<job>` | a person's finished books or articles, newest first |
//! | `gsi2` | `ORG#<org>#<key>#RECEIPTS`, `<time>#<tail>` | a key's receipts |
//! | `gsi2` | `ENDPOINT#<endpoint>#<status>`, `<delivery>` | an endpoint's deliveries of one status |
//! | `gsi2` | `ORGS#<shard>`, `<org>` | every organisation |
//! | `gsi2` | `PEPPER#<version>`, `<org>#<key>#<generation>` | pointers whose key has none under a newer pepper; version 0: hashes |
//! | `due` | `DUE#<shard>`, time | everything that `sweep` or `account-close` has to finish |
//!
//! All indexes are sparse: an item without the index keys is not in the index.

mod audit;
mod credits;
mod due;
mod files;
mod idempotency;
mod item;
#[cfg(feature = "items")]
pub mod items;
mod jobs;
mod keys;
mod mail;
mod maintenance;
mod orders;
mod outbox;
mod page;
mod people;
mod rates;
mod reconcile;
mod stats;
mod transact;
mod webhooks;

pub use due::DueWalk;
pub use outbox::outbox_entry_of_image;
pub use people::org_walk::OrgWalk;

use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;

use consigne_aws::{AwsConfig, Client};
use consigne_core::credits::WalletId;
use consigne_core::ports::Probe;
use consigne_core::{Fault, KeyId, UserId};

use crate::table::credits::minute::MinuteHint;

consigne_aws::service! {
    /// Amazon DynamoDB, with the operations used here.
    struct DynamoDb: "dynamodb" at "dynamodb";
    aws_sdk_dynamodb::batch_get_item, BatchGetItem, BatchGetItemInputBuilder, BatchGetItemInput, BatchGetItemOutput, BatchGetItemError;
    aws_sdk_dynamodb::delete_item, DeleteItem, DeleteItemInputBuilder, DeleteItemInput, DeleteItemOutput, DeleteItemError;
    aws_sdk_dynamodb::get_item, GetItem, GetItemInputBuilder, GetItemInput, GetItemOutput, GetItemError;
    aws_sdk_dynamodb::put_item, PutItem, PutItemInputBuilder, PutItemInput, PutItemOutput, PutItemError;
    aws_sdk_dynamodb::query, Query, QueryInputBuilder, QueryInput, QueryOutput, QueryError;
    aws_sdk_dynamodb::scan, Scan, ScanInputBuilder, ScanInput, ScanOutput, ScanError;
    aws_sdk_dynamodb::transact_write_items, TransactWriteItems, TransactWriteItemsInputBuilder, TransactWriteItemsInput, TransactWriteItemsOutput, TransactWriteItemsError;
    aws_sdk_dynamodb::update_item, UpdateItem, UpdateItemInputBuilder, UpdateItemInput, UpdateItemOutput, UpdateItemError;
}

/// The table. Failed calls to DynamoDB become `UNAVAILABLE`.
#[derive(Debug)]
pub struct Table {
    client: Client<DynamoDb>,
    name: String,
    windows: Hints<UserId, rates::Starts>,
    contacts: Hints<UserId, u64>,
    minutes: Hints<KeyId, MinuteHint>,
    expiry_epochs: Hints<WalletId, u32>,
    marks: Hints<stats::activity::Mark, ()>,
}

impl Table {
    /// Creates an adapter for the table `name`.
    pub fn new(config: &AwsConfig, name: impl Into<String>) -> Self {
        Self {
            client: Client::new(config),
            name: name.into(),
            windows: Hints::default(),
            contacts: Hints::default(),
            minutes: Hints::default(),
            expiry_epochs: Hints::default(),
            marks: Hints::default(),
        }
    }
}

impl Probe for Table {
    async fn probe(&self) -> Result<(), Fault> {
        let request = GetItemInput::builder().table_name(&self.name);
        let request = request.key("pk", item::text("HEALTH")).key("sk", item::text("HEALTH"));
        self.client.send(request).await.map(drop).map_err(Fault::unavailable)
    }
}

/// What this execution environment last saw, by key: the starts of users' and keys' windows, wallets' expiry epochs, or
/// activity marks and contact details that were written. A hint decides which condition of a write is tried first, or
/// what need not be written again.
///
/// A wrong hint costs one more call. It never leads to a wrong answer.
#[derive(Debug)]
struct Hints<K, V>(Mutex<HashMap<K, V>>);

/// Most hints of a kind. When there are that many, all are deleted.
const HINTS_MAX: usize = 1_000;

impl<K, V> Default for Hints<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash, V: Copy> Hints<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(key).copied()
    }

    fn set(&self, key: &K, value: V) {
        let mut hints = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if hints.len() >= HINTS_MAX {
            hints.clear();
        }
        hints.insert(key.clone(), value);
    }
}
