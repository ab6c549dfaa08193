//! The table, on DynamoDB: one table, one item a fact, every key beginning with its tenant.
//!
//! | item | `pk` | `sk` |
//! |---|---|---|
//! | file | `USER#<user>` | `FILE#<file>` |
//! | storage ledger | `USER#<user>` | `USAGE` |
//! | idempotency key | `USER#<user>` | `IDEM#<operation>#<key>` |
//! | job | `USER#<user>` | `JOB#<job>` |
//! | text in the making | `USER#<user>` | `TEXT#<job>` |
//! | chapter of one | `USER#<user>` | `TEXT#<job>#<place>` |
//! | generations of a month | `USER#<user>` | `GENERATIONS#<month>` |
//! | outbox entry | `OUTBOX#<event>` | `OUTBOX` |
//! | organisation | `ORG#<org>` | `ORG` |
//! | figures of a day | `ORG#<org>` | `STATS#<day>` |
//! | member | `ORG#<org>` | `MEMBER#<user>` |
//! | counts of members | `ORG#<org>` | `ROSTER` |
//! | invitation | `ORG#<org>` | `INVITATION#<invitation>` |
//! | key | `ORG#<org>` | `KEY#<key>` |
//! | wallet | `ORG#<org>` | `WALLET` |
//! | credit grant | `ORG#<org>` | `LOT#<lot>` |
//! | keys of one owner carried over on one day | `ORG#<org>` | `MIGRATION#<user>#<day>` |
//! | checkout session, as it was offered | `ORG#<org>` | `CHECKOUT#<session>` |
//! | checkout session that was paid | `ORG#<org>` | `SESSION#<session>` |
//! | refunds of a key's holds in a day | `ORG#<org>` | `REFUNDS#<key>#<day>` |
//! | anomaly that is not told again for a while | `ORG#<org>` | `ANOMALY#<key>#<kind>`, `ANOMALY#-#<kind>` |
//! | endpoint | `ORG#<org>` | `ENDPOINT#<endpoint>` |
//! | count of endpoints | `ORG#<org>` | `ENDPOINTS` |
//! | deliveries asked for again in an hour | `ORG#<org>` | `REDELIVERIES#<hour>` |
//! | audit entry | `ORG#<org>`, or `SYSTEM` | `AUDIT#<entry>` |
//! | endpoint that somebody has registered | `USER#<user>` | `ENDPOINT#<endpoint>` |
//! | test wallet | `USER#<user>` | `TESTWALLET` |
//! | profile | `USER#<user>` | `PROFILE` |
//! | closed account with things left to end | `USER#<user>` | `CLOSING` |
//! | webhook received | `WEBHOOK#<source>#<hash of its id>` | `WEBHOOK` |
//! | topic a person wants no mails of | `USER#<user>` | `UNSUBSCRIBED#<topic>` |
//! | delivery | `DELIVERY#<org>#<delivery>` | `DELIVERY` |
//! | how fast a destination is called | `PACE#<destination>` | `PACE` |
//! | mail, claimed or ended | `MAIL#<event>#<hash of the recipient>` | `MAIL` |
//! | mailbox that gets no mail | `MAILBOX#<hash of the address>` | `SUPPRESSED` |
//! | what a key or an organisation did in ten minutes | `ACTIVITY#<since>#<shard>` | `<org>#<key>`, `<org>#-` |
//! | pointer of a key's text | `MAC#<pepper>#<mac>` | `MAC` |
//! | pointer of a text known by its hash only | `SHA#<hash>` | `SHA` |
//! | receipt | `RECEIPT#<org>#<tail>` | `RECEIPT` |
//! | hold | `HOLD#<org>#<tail>` | `HOLD` |
//! | payment | `PAYMENT#<payment>` | `PAYMENT` |
//! | pepper | `SYSTEM` | `PEPPER#<version>` |
//!
//! | index | keys | holds |
//! |---|---|---|
//! | `gsi1` | `USER#<user>#<status>`, `<changed at>#<file>` | files their owner may see, newest first |
//! | `gsi1` | `USER#<user>#JOBS#<status>`, `<job>` | a person's jobs of one status |
//! | `gsi1` | `USER#<user>#ORGS`, `<org>` | a person's places in organisations |
//! | `gsi1` | `ORG#<org>#RECEIPTS`, `<time>#<tail>` | an organisation's receipts |
//! | `gsi1` | `ENDPOINT#<endpoint>#DELIVERIES`, `<delivery>` | an endpoint's deliveries |
//! | `gsi1` | `MIGRATIONS`, `<due at>#<org>#<user>#<day>` | migrations that are not over; those that are: `MIGRATIONS#ENDED` |
//! | `gsi2` | `USER#<user>#<kind>`, `<changed at>#<file>` | READY files of one kind, newest first |
//! | `gsi2` | `ORG#<org>#<key>#RECEIPTS`, `<time>#<tail>` | a key's receipts |
//! | `gsi2` | `ENDPOINT#<endpoint>#<status>`, `<delivery>` | an endpoint's deliveries of one status |
//! | `gsi2` | `ORGS#<shard>`, `<org>` | every organisation there is |
//! | `gsi2` | `PEPPER#<version>`, `<org>#<key>#<generation>` | pointers whose key cannot be found under a newer pepper; 0: by hash only |
//! | `due` | `DUE#<shard>`, time | what `sweep` must look at, unless it ends by itself |
//!
//! All three are sparse: an item leaves an index when its turn is over.

mod activity;
mod anomalies;
mod audit;
mod balance_alert;
mod charge;
mod checkouts;
mod closings;
mod debit;
mod deliveries;
mod delivery_item;
mod departures;
mod due;
mod endpoints;
mod file_item;
mod files;
mod grant;
mod hold_item;
mod holds;
mod idempotency;
mod invitations;
mod item;
mod job_item;
mod jobs;
mod key_item;
mod keys;
mod ledger_walk;
mod list;
mod mail;
mod maintenance;
mod manuscripts;
mod members;
mod migrations;
mod org_walk;
mod orgs;
mod outbox;
mod pacing;
mod page;
mod payment_item;
mod pointers;
mod profiles;
mod purchases;
mod receipts;
mod stats;
mod storage_days;
mod transact;
mod usage_item;
mod wallet_change;
mod wallet_item;
mod wallets;
mod webhooks;

pub use due::DueWalk;
pub use org_walk::OrgWalk;
pub use outbox::outbox_entry_of_image;

use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;

use consigne_aws::{AwsConfig, Client};
use consigne_core::credits::WalletId;
use consigne_core::ports::Probe;
use consigne_core::{Fault, Timestamp, UserId};

consigne_aws::service! {
    /// DynamoDB.
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

/// The table.
#[derive(Debug)]
pub struct Table {
    client: Client<DynamoDb>,
    name: String,
    windows: Hints<UserId, Timestamp>,
    expiry_epochs: Hints<WalletId, u32>,
    marks: Hints<activity::Mark, ()>,
}

impl Table {
    /// Makes an adapter for a table.
    pub fn new(config: &AwsConfig, name: impl Into<String>) -> Self {
        Self {
            client: Client::new(config),
            name: name.into(),
            windows: Hints::default(),
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

/// What this environment last saw of something: when each user's rate window was opened, in which era each wallet is, what
/// was marked as going on. It says which of several conditions to try first, and what need not be written again.
///
/// A wrong guess costs one more call, never a wrong answer.
#[derive(Debug)]
struct Hints<K, V>(Mutex<HashMap<K, V>>);

/// Things remembered before all are forgotten.
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
