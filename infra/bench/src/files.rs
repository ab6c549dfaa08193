//! Creates files by the thousand: one is uploaded, the others are written to the table directly.

use consigne_core::files::ObjectKey;
use consigne_storage::items;
use consigne_testkit::pictures;
use consigne_testkit::stack::{Person, Stack};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::Problem;
use crate::items::to_json;

/// Files written by one request to the table, and requests at the same time.
const BATCH: usize = 25;
const AT_ONCE: usize = 8;

/// Gives a person `count` ready files: one by an upload, the others as copies of its item.
pub(crate) async fn fill(stack: &Stack, ann: &Person<'_>, count: usize) -> Result<(), Problem> {
    let key = ann.upload("one.png", "image/png", pictures::png(64, 64, 2_000)).await;
    ann.wait_for(&key, "ready").await;
    let key = ObjectKey::parse(&key).ok_or_else(|| format!("{key} is no object key"))?;
    let id = key.file().to_string();
    let item = to_json(&items::file_key(key.owner(), key.file()))?;
    let ask = json!({ "TableName": stack.name("TABLE_NAME"), "Key": item });
    let item = stack.ask_table("GetItem", &ask).await["Item"].to_string();
    // The last five characters of an id are random, so they can be replaced.
    let copy = |n: usize| format!("{}{}", &id[..21], digits(n));
    let items: Vec<String> = (1..count).map(|n| item.replace(&id, &copy(n))).collect();
    for some in items.chunks(BATCH * AT_ONCE) {
        join_all(some.chunks(BATCH).map(|batch| write(stack, batch))).await;
    }
    Ok(())
}

async fn write(stack: &Stack, batch: &[String]) {
    let put = |item: &String| {
        let item: Value = serde_json::from_str(item).unwrap_or_default();
        json!({ "PutRequest": { "Item": item } })
    };
    let puts: Vec<Value> = batch.iter().map(put).collect();
    stack.ask_table("BatchWriteItem", &json!({ "RequestItems": { stack.name("TABLE_NAME"): puts } })).await;
}

/// Encodes a number as the last five characters of an id.
pub(crate) fn digits(mut n: usize) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut digits = [b'0'; 5];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[n % 32];
        n /= 32;
    }
    String::from_utf8_lossy(&digits).into_owned()
}
