//! Converts recorded requests to the units that AWS bills.
//!
//! Sources: Amazon DynamoDB developer guide, "DynamoDB Item sizes and formats" and "DynamoDB read and write operations"
//! (units of reads, writes, transactions and indexes); Amazon S3 pricing (`PUT`, `COPY`, `POST` and `LIST` have one
//! price, `GET` and `HEAD` another, `DELETE` none).

use std::collections::BTreeSet;

use consigne_testkit::stack::Stack;
use serde_json::{Map, Value, json};

use crate::proxy::Taped;

/// Units that AWS bills.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Units {
    /// Requests to the API.
    pub(crate) api: f64,
    /// Invocations of Lambda functions.
    pub(crate) invocations: f64,
    /// Read units of the table.
    pub(crate) read: f64,
    /// Write units of the table, including its indexes.
    pub(crate) write: f64,
    /// Expensive requests to the bucket.
    pub(crate) puts: f64,
    /// Cheap requests to the bucket.
    pub(crate) gets: f64,
    /// Events on a bus.
    pub(crate) events: f64,
    /// Requests to SQS queues.
    pub(crate) queue: f64,
}

impl Units {
    /// Returns the units of one request, of `requests` in total.
    pub(crate) fn each(self, requests: u32) -> Self {
        let share = |all: f64| all / f64::from(requests);
        Self {
            api: share(self.api),
            invocations: share(self.invocations),
            read: share(self.read),
            write: share(self.write),
            puts: share(self.puts),
            gets: share(self.gets),
            events: share(self.events),
            queue: share(self.queue),
        }
    }

    /// Returns the units in words, without those that are zero.
    pub(crate) fn in_words(&self) -> String {
        let all = [
            (self.api, "API"),
            (self.invocations, "Lambda"),
            (self.read, "read units"),
            (self.write, "write units"),
            (self.puts, "PUT"),
            (self.gets, "GET"),
            (self.events, "events"),
            (self.queue, "SQS"),
        ];
        let there = all.iter().filter(|(count, _)| *count > 0.0);
        there.map(|(count, what)| format!("{} {what}", rounded(*count))).collect::<Vec<_>>().join(" + ")
    }
}

fn rounded(count: f64) -> String {
    if count.fract() == 0.0 { format!("{count:.0}") } else { format!("{count:.1}") }
}

/// Sums the units of a recording of `requests` requests. Changed items are read as they are now, to know their size and
/// their indexes.
pub(crate) async fn of(tape: &[Taped], requests: u32, stack: &Stack) -> Units {
    // Each function that takes part in a request is invoked once for it.
    let mut units = Units { invocations: functions(tape) * f64::from(requests), ..Units::default() };
    for taped in tape {
        match taped.operation.as_str() {
            "GetItem" => units.read += reads(taped, &taped.answer["Item"], 1),
            "BatchGetItem" => units.read += batch(taped),
            "Query" => units.read += reads(taped, &taped.answer["Items"], 1),
            "PutItem" | "UpdateItem" | "DeleteItem" => {
                units.write += write(&taped.asked, &taped.operation, stack).await;
            }
            "TransactWriteItems" => {
                for part in taped.asked["TransactItems"].as_array().into_iter().flatten() {
                    for (verb, write) in part.as_object().into_iter().flatten() {
                        units.write += transacted(write, verb, stack).await;
                    }
                }
            }
            "PutEvents" => units.events += count(&taped.asked["Entries"]),
            "SendMessage" | "SendMessageBatch" => units.queue += 1.0,
            "GetObject" | "HeadObject" | "S3 GET" | "S3 HEAD" => units.gets += 1.0,
            "PutObject" | "ListObjectsV2" | "S3 PUT" | "S3 POST" => units.puts += 1.0,
            _ => {}
        }
    }
    units
}

/// Counts the functions that made calls, by the access keys they sign with. The count is at least one, because a function
/// may answer without any call. Requests by signed URL do not count: their signature is in the URL and not in a header.
#[allow(clippy::cast_precision_loss)]
fn functions(tape: &[Taped]) -> f64 {
    let asked = tape.iter().filter(|taped| !taped.signer.is_empty());
    asked.map(|taped| taped.signer.as_str()).collect::<BTreeSet<_>>().len().max(1) as f64
}

// Sizes and counts are far below 2^52.
#[allow(clippy::cast_precision_loss)]
fn count(list: &Value) -> f64 {
    list.as_array().map_or(0, Vec::len) as f64
}

/// Returns the read units of a query that found these items, which may be old.
pub(crate) fn of_query(items: &Value) -> f64 {
    halved(blocks(items), false)
}

/// Returns the read units of items that were read together, at least `at_least` blocks, even if none was found.
fn reads(taped: &Taped, found: &Value, at_least: u64) -> f64 {
    halved(blocks(found).max(at_least), taped.asked["ConsistentRead"] == true)
}

/// Returns the size of items, or of one, in blocks of 4 KB.
fn blocks(found: &Value) -> u64 {
    let bytes: u64 = match found {
        Value::Array(items) => items.iter().map(item_size).sum(),
        item => item_size(item),
    };
    bytes.div_ceil(4_096)
}

#[allow(clippy::cast_precision_loss)]
fn halved(blocks: u64, consistent: bool) -> f64 {
    blocks as f64 / if consistent { 1.0 } else { 2.0 }
}

/// Returns the read units of several items, each rounded up by itself.
fn batch(taped: &Taped) -> f64 {
    let mut units = 0.0;
    for (table, ask) in taped.asked["RequestItems"].as_object().into_iter().flatten() {
        let (asked, consistent) = (count(&ask["Keys"]), ask["ConsistentRead"] == true);
        let found = taped.answer["Responses"][table].as_array().cloned().unwrap_or_default();
        units += found.iter().map(|item| halved(item_size(item).div_ceil(4_096).max(1), consistent)).sum::<f64>();
        units += (asked - count(&Value::Array(found))) * halved(1, consistent);
    }
    units
}

/// Returns the write units of one write in a transaction. Those of the item count double, those of its indexes do not.
/// A check counts as a write.
async fn transacted(asked: &Value, verb: &str, stack: &Stack) -> f64 {
    let Written { item, indexes } = written(asked, verb, stack).await;
    item * 2.0 + if verb == "ConditionCheck" { 0.0 } else { indexes }
}

/// Returns the write units of a write without a transaction.
async fn write(asked: &Value, operation: &str, stack: &Stack) -> f64 {
    let verb = operation.trim_end_matches("Item");
    let Written { item, indexes } = written(asked, verb, stack).await;
    item + indexes
}

struct Written {
    item: f64,
    indexes: f64,
}

/// The indexes that contain whole items, by an attribute of their keys. The index of ledgers contains only keys, which
/// do not change.
const INDEXES: [&str; 3] = ["gsi1pk", "gsi2pk", "due_shard"];

#[allow(clippy::cast_precision_loss)]
async fn written(asked: &Value, verb: &str, stack: &Stack) -> Written {
    let item = match verb {
        "Put" => asked["Item"].clone(),
        _ => look(&asked["Key"], stack).await,
    };
    // Items that no longer exist were small: outbox entries, claims.
    let size = item_size(&item).div_ceil(1_024).max(1) as f64;
    let names = asked["ExpressionAttributeNames"].as_object().cloned().unwrap_or_else(Map::new);
    let names: Vec<&str> = names.values().filter_map(Value::as_str).collect();
    let text = format!("{} {}", asked["UpdateExpression"].as_str().unwrap_or_default(), names.join(" "));
    let mut indexes = 0.0;
    for index in INDEXES {
        let moved = verb == "Update" && text.contains(index.trim_end_matches("pk").trim_end_matches("shard"));
        let within = !item[index].is_null();
        // A move within an index removes one entry and adds another. Any other change replaces the entry.
        indexes += match (within, moved) {
            (true, true) => 2.0 * size,
            (true, false) | (false, true) => size,
            (false, false) => 0.0,
        };
    }
    Written { item: size, indexes }
}

async fn look(key: &Value, stack: &Stack) -> Value {
    let ask = json!({ "TableName": stack.name("TABLE_NAME"), "Key": key, "ConsistentRead": true });
    stack.ask_table("GetItem", &ask).await["Item"].clone()
}

/// Returns the size of an item in bytes: names, and values by their types.
fn item_size(item: &Value) -> u64 {
    let fields = item.as_object().into_iter().flatten();
    fields.map(|(name, value)| name.len() as u64 + value_size(value)).sum()
}

fn value_size(value: &Value) -> u64 {
    let Some((kind, value)) = value.as_object().and_then(|value| value.iter().next()) else { return 0 };
    let digits = |text: &str| (text.len() as u64).div_ceil(2) + 1;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match kind.as_str() {
        "S" | "B" => text(value).len() as u64,
        "N" => digits(&text(value)),
        "SS" => value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap_or_default().len() as u64).sum(),
        "NS" => value.as_array().into_iter().flatten().map(|number| digits(&text(number))).sum(),
        "L" => 3 + value.as_array().into_iter().flatten().map(|value| 1 + value_size(value)).sum::<u64>(),
        "M" => {
            let fields = value.as_object().into_iter().flatten();
            3 + fields.map(|(name, value)| 1 + name.len() as u64 + value_size(value)).sum::<u64>()
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taped(operation: &str, asked: Value, answer: Value) -> Taped {
        Taped { operation: operation.to_owned(), signer: "A".to_owned(), asked, answer }
    }

    #[test]
    fn items_are_as_large_as_their_names_and_values() {
        let item = json!({
            "pk": { "S": "été" }, "n": { "N": "12345" }, "b": { "BOOL": true },
            "m": { "M": { "a": { "S": "xy" } } }, "s": { "SS": ["ab", "c"] },
        });
        assert_eq!(item_size(&item), (2 + 5) + (1 + 4) + (1 + 1) + (1 + 3 + 1 + 1 + 2) + (1 + 3));
        assert_eq!(item_size(&Value::Null), 0);
    }

    #[test]
    fn a_read_is_billed_by_four_kilobytes_and_half_of_it_when_it_may_be_old() {
        let item = |size: usize| json!({ "Item": { "p": { "S": "x".repeat(size - 1) } } });
        for (size, consistent, want) in [(1, true, 1.0), (4_096, true, 1.0), (4_097, true, 2.0), (4_097, false, 1.0)] {
            let taped = taped("GetItem", json!({ "ConsistentRead": consistent }), item(size));
            assert!((reads(&taped, &taped.answer["Item"], 1) - want).abs() < f64::EPSILON, "{size}");
        }
        let asked = json!({ "RequestItems": { "t": { "Keys": [1, 2, 3], "ConsistentRead": true } } });
        let answer = json!({ "Responses": { "t": [{ "p": { "S": "x".repeat(5_000) } }] } });
        assert!((batch(&taped("BatchGetItem", asked, answer)) - 4.0).abs() < f64::EPSILON);
    }

    #[test]
    fn units_are_said_in_words() {
        let units = Units { api: 2.0, write: 13.0, ..Units::default() }.each(2);
        assert_eq!(units.in_words(), "1 API + 6.5 write units");
    }
}
