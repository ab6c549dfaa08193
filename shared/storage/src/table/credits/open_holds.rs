//! Finds the open holds of a wallet, for operators.

use consigne_core::Fault;
use consigne_core::credits::{Hold, WalletId};
use consigne_core::ports::FindHolds;

use aws_sdk_dynamodb::operation::query::QueryInput;

use crate::table::credits::hold_item;
use crate::table::item::text;
use crate::table::{Table, due};

impl FindHolds for Table {
    async fn find_holds(&self, wallet: &WalletId) -> Result<Vec<Hold>, Fault> {
        let mut found = Vec::new();
        for shard in 0..due::SHARDS {
            let query = QueryInput::builder()
                .table_name(&self.name)
                .index_name("due")
                .key_condition_expression("due_shard = :shard")
                .expression_attribute_values(":shard", text(due::shard_name(shard)));
            // A test wallet is named in its holds; any other wallet is that of the organisation in their key.
            let query = match wallet {
                WalletId::Organisation(org) => query
                    .filter_expression("begins_with(pk, :pk) AND attribute_not_exists(spender)")
                    .expression_attribute_values(":pk", text(format!("HOLD#{org}#"))),
                WalletId::Test(user) => query
                    .filter_expression("begins_with(pk, :pk) AND spender = :user")
                    .expression_attribute_values(":pk", text("HOLD#"))
                    .expression_attribute_values(":user", text(user.as_str())),
            };
            for item in self.all(query).await? {
                let hold = hold_item::read(&item)?;
                if hold.end.is_none() {
                    found.push(hold);
                }
            }
        }
        found.sort_by_key(|hold| (hold.expires_at, hold.id));
        Ok(found)
    }
}
