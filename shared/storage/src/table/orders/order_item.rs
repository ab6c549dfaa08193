//! Converts an order to and from its item.

use consigne_core::credits::PaymentId;
use consigne_core::files::{FileName, MediaType, ObjectKey};
use consigne_core::orders::{OldOrder, Order, OrderErasure, OrderStatus, Photo, PhotoKind, PhotoStatus, Submission};
use consigne_core::profiles::Language;
use consigne_core::rates::Window;
use consigne_core::{EmailAddress, Fault, OrderId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::table::due;
use crate::table::item::{self, Item, Reader, add, malformed, number, sortable, text, user_pk};

/// Sort key of every order.
pub(crate) const SK: &str = "ORDER";
/// Attribute that only the mark of an erased order has.
const ERASED_AT: &str = "erased_at";

/// A photo, as the item stores it in JSON. Times are milliseconds since 1970.
#[derive(Serialize, Deserialize)]
struct StoredPhoto {
    kind: String,
    name: String,
    media: String,
    declared: u64,
    key: String,
    granted_at: i64,
    expires_at: i64,
    status: String,
    size: Option<u64>,
    uploaded_at: Option<i64>,
    reason: Option<String>,
}

/// A submission, as the item stores it in JSON.
#[derive(Serialize, Deserialize)]
struct StoredSubmission {
    number: u32,
    language: String,
    answers: Map<String, Value>,
    photos: Vec<StoredPhoto>,
    asked_at: i64,
    submitted_at: Option<i64>,
    #[serde(default)]
    announced: bool,
}

/// Returns the key of an order. Its photos have the same partition.
pub(crate) fn key(order: OrderId) -> Item {
    item::key(user_pk(&UserId::of_order(order)), SK)
}

/// Returns the index partition with the orders of one status.
pub(crate) fn by_status(status: OrderStatus) -> String {
    format!("ORDERS#{}", status.name())
}

/// Builds the whole item of an order.
pub(crate) fn write(order: &Order) -> Item {
    let mut item = key(order.id);
    let millis = |at: Timestamp| number(at.as_millis());
    let earlier: Vec<_> = order.earlier.iter().map(store).collect();
    let mut put = |name: &str, value| item.insert(name.to_owned(), value);
    put("payment", text(order.payment.as_str()));
    put("status", text(order.status.name()));
    put("status_since", millis(order.status_since));
    put("paid_at", millis(order.paid_at));
    put("revision", number(order.revision));
    put("gsi1pk", text(by_status(order.status)));
    put("gsi1sk", text(format!("{}#{}", sortable(order.status_since), order.id)));
    if let Some(current) = &order.current {
        put("submission", text(json!(store(current)).to_string()));
        put("earlier", text(json!(earlier).to_string()));
    }
    if let Some(Window { started, count }) = order.asked {
        put("asked_since", millis(started));
        put("asked_count", number(count));
    }
    if let Some(at) = order.due_at() {
        put(due::SHARD, text(due::shard(&order.id.to_string())));
        put(due::AT, millis(at));
    }
    add(&mut item, "email", order.email.as_ref().map(|email| text(email.as_str())));
    add(&mut item, "asked_at", order.asked_at.map(millis));
    item
}

/// Builds the mark that stays of an erased order.
pub(crate) fn erased(erasure: &OrderErasure) -> Item {
    let mut item = key(erasure.order);
    item.insert("payment".to_owned(), text(erasure.payment.as_str()));
    item.insert(ERASED_AT.to_owned(), number(erasure.at.as_millis()));
    item
}

/// Returns whether an item is the mark of an erased order.
pub(crate) fn is_erased(item: &Item) -> bool {
    item.contains_key(ERASED_AT)
}

/// Reads an order from its item.
pub(crate) fn read(item: &Item) -> Result<Order, Fault> {
    let reader = Reader(item);
    let json = |name: &str| reader.optional_text(name);
    let stored: Option<StoredSubmission> =
        json("submission").map(serde_json::from_str).transpose().map_err(|_| malformed("submission"))?;
    let earlier: Option<Vec<StoredSubmission>> =
        json("earlier").map(serde_json::from_str).transpose().map_err(|_| malformed("earlier"))?;
    let submission = |stored| restore(stored).ok_or_else(|| malformed("submission"));
    let window = reader.optional_time("asked_since").zip(reader.optional_number("asked_count"));
    Ok(Order {
        id: id(&reader)?,
        payment: payment(&reader)?,
        status: reader.parsed("status", OrderStatus::from_name)?,
        status_since: reader.time("status_since")?,
        paid_at: reader.time("paid_at")?,
        email: reader.optional_parsed("email", EmailAddress::parse)?,
        current: stored.map(submission).transpose()?,
        earlier: earlier.into_iter().flatten().map(submission).collect::<Result<_, _>>()?,
        asked_at: reader.optional_time("asked_at"),
        asked: window.map(|(started, count)| Window { started, count }),
        revision: reader.number("revision")?,
    })
}

/// Reads what the erasure of an order needs from its item.
pub(crate) fn read_old(item: &Item) -> Result<OldOrder, Fault> {
    let reader = Reader(item);
    Ok(OldOrder { id: id(&reader)?, payment: payment(&reader)?, revision: reader.number("revision")? })
}

fn id(reader: &Reader<'_>) -> Result<OrderId, Fault> {
    reader.parsed("pk", |pk| OrderId::parse(pk.strip_prefix("USER#")?))
}

fn payment(reader: &Reader<'_>) -> Result<PaymentId, Fault> {
    reader.parsed("payment", PaymentId::parse)
}

fn store(submission: &Submission) -> StoredSubmission {
    let photo = |photo: &Photo| StoredPhoto {
        kind: photo.kind.name().to_owned(),
        name: photo.name.as_str().to_owned(),
        media: photo.media.name.to_owned(),
        declared: photo.declared,
        key: photo.key.to_string(),
        granted_at: photo.granted_at.as_millis(),
        expires_at: photo.expires_at.as_millis(),
        status: photo.status.name().to_owned(),
        size: photo.size,
        uploaded_at: photo.uploaded_at.map(Timestamp::as_millis),
        reason: photo.reason.clone(),
    };
    StoredSubmission {
        number: submission.number,
        language: submission.language.name().to_owned(),
        answers: submission.answers.clone(),
        photos: submission.photos.iter().map(photo).collect(),
        asked_at: submission.asked_at.as_millis(),
        submitted_at: submission.submitted_at.map(Timestamp::as_millis),
        announced: submission.announced,
    }
}

fn restore(stored: StoredSubmission) -> Option<Submission> {
    let photo = |stored: StoredPhoto| {
        Some(Photo {
            kind: PhotoKind::from_name(&stored.kind)?,
            name: FileName::stored(stored.name),
            media: MediaType::from_name(&stored.media)?,
            declared: stored.declared,
            key: ObjectKey::parse(&stored.key)?,
            granted_at: Timestamp::from_millis(stored.granted_at),
            expires_at: Timestamp::from_millis(stored.expires_at),
            status: PhotoStatus::from_name(&stored.status)?,
            size: stored.size,
            uploaded_at: stored.uploaded_at.map(Timestamp::from_millis),
            reason: stored.reason,
        })
    };
    Some(Submission {
        number: stored.number,
        language: Language::from_name(&stored.language)?,
        answers: stored.answers,
        photos: stored.photos.into_iter().map(photo).collect::<Option<_>>()?,
        asked_at: Timestamp::from_millis(stored.asked_at),
        submitted_at: stored.submitted_at.map(Timestamp::from_millis),
        // Submissions that an earlier version wrote have no such field. Those that are complete were announced.
        announced: stored.announced || stored.submitted_at.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use consigne_core::orders::{OrderPhoto, OrderRequest};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_257_000_123);

    #[test]
    fn an_order_reads_back_as_it_was_written() {
        let paid = Order::paid(PaymentId::parse("pi_1").unwrap(), NOW);
        assert_eq!(read(&write(&paid)).unwrap(), paid);
        assert!(!write(&paid).contains_key(due::AT));
        let photo = |kind| OrderPhoto { kind, filename: "Été.HEIC", content_type: "image/heic", size: 9 };
        let submit = |order: &Order, mood: f64| {
            let answers = Map::from_iter([("mood".to_owned(), json!({ "n": [mood, null, "é"] }))]);
            let ask = OrderRequest::parse(&PhotoKind::ALL.map(photo), "ann@example.com", answers, Some("fr")).unwrap();
            order.submit(&ask, &[], Duration::from_mins(15), NOW).unwrap()
        };
        let first = submit(&paid, 1.5);
        let rejected = first.granted[0].reject("found text", NOW).file;
        let second = submit(&first.order.follow(&rejected, NOW).unwrap().order, 2.0).order;
        assert_eq!(second.earlier[0].photos[0].reason.as_deref(), Some("found text"));
        let item = write(&second);
        assert_eq!(read(&item).unwrap(), second);
        assert_eq!(item["gsi1pk"], text("ORDERS#awaiting_files"));
        assert!(item.contains_key(due::AT) && item["pk"] == text(format!("USER#{}", second.id)));
    }

    #[test]
    fn a_complete_submission_of_an_earlier_version_was_announced() {
        let stored = json!({ "number": 1, "language": "fr", "answers": {}, "photos": [], "asked_at": 1 });
        let announced = |submitted_at: Value, announced: Option<bool>| {
            let mut stored = stored.clone();
            stored["submitted_at"] = submitted_at;
            if let Some(announced) = announced {
                stored["announced"] = announced.into();
            }
            restore(serde_json::from_value(stored).unwrap()).unwrap().announced
        };
        assert!(announced(json!(2), None) && announced(Value::Null, Some(true)));
        assert!(!announced(Value::Null, None));
    }

    #[test]
    fn an_order_whose_photos_cannot_be_read_can_be_erased() {
        let order = Order::paid(PaymentId::parse("pi_1").unwrap(), NOW);
        let mut item = write(&order);
        item.insert("submission".to_owned(), text("{"));
        assert!(read(&item).is_err());
        let old = read_old(&item).unwrap();
        assert_eq!(old.erase(NOW), order.erase(None, NOW));
        item.remove("payment");
        assert!(read_old(&item).is_err());
    }
}
