//! The items in the stub's table: one of each kind, as the functions write it.

use serde_json::{Value, json};

use crate::stub::{API_KEY, INVITED, KEY, ORG};

/// A time in the far future, in milliseconds since 1970.
const FAR: u64 = 4_102_444_800_000;

/// Returns the item with a key: an organisation, a key, a wallet, a hold, a purchase or a job, or else a file.
pub(crate) fn item(key: &Value) -> Value {
    let sk = key["sk"]["S"].as_str().unwrap_or_default();
    // The stub has no payments, no drafts and no idempotency records.
    if sk == "PAYMENT" || sk.starts_with("TEXT#") || sk.starts_with("IDEM#") {
        return Value::Null;
    }
    let mut item = by_kind(sk);
    item["pk"] = key["pk"].clone();
    item["sk"] = key["sk"].clone();
    item
}

fn by_kind(sk: &str) -> Value {
    let (text, number) = (|text: &str| json!({ "S": text }), |number: u64| json!({ "N": number.to_string() }));
    match sk.split('#').next() {
        Some("ORG") => json!({
            "name": text("Acme"), "slug": text("acme-sh2ftr"),
            "created_at": number(1_795_257_000_000),
        }),
        Some("INVITATION") => json!({
            "email": text(INVITED), "role": text("developer"),
            "invited_by": text("user_adam1"), "created_at": number(1_795_257_000_000),
            "expires_at": number(FAR), "invitation_status": text("open"),
        }),
        Some("MEMBER") => json!({
            "role": text("owner"), "joined_at": number(1_795_257_000_000),
        }),
        Some("KEY") => json!({
            "name": text("Key"), "environment": text("production"),
            "scopes": { "SS": ["pdf:read"] }, "status": text("active"), "generation": number(1), "prefix": text("sk_live"),
            "hint": text("x7Qa"), "created_by": text("user_ann1"), "created_at": number(1_795_257_000_000),
            "revision": number(1),
        }),
        Some("WALLET" | "TESTWALLET") => json!({
            "wallet_status": text("open"), "balance": number(0), "held": number(0), "used": number(0),
            "purchased": number(0), "granted": number(0), "expired": number(0), "clawed_back": number(0),
            "attributed": number(0), "late": number(0), "debt": number(0), "era": number(0), "low_reference": number(0),
            "revision": number(0), "anchor": number(1_795_257_000_000),
        }),
        Some("HOLD") => json!({
            "hold_status": text("open"), "key_id": text(API_KEY), "environment": text("production"), "era": number(0),
            "amount": number(50), "service": text("pdf"), "caller": text("pdf-api"), "fingerprint": text(""),
            "opened_at": number(1_795_257_000_000), "expires_at": number(FAR), "due_at": number(FAR),
        }),
        Some("CHECKOUT") => json!({
            "url": text("https://checkout.example.com/1"), "user": text("user_ann1"), "pack": text("starter"),
            "credits": number(1_000), "amount_cents": number(1_000), "currency": text("EUR"),
            "at": number(1_795_257_000_000),
        }),
        Some("ENDPOINT") => json!({
            "url": text("https://hooks.example.com/consigne"), "events": text("key.revoked"), "rate": number(10),
            "generation": number(1), "created_by": text("user_ann1"), "created_at": number(1_795_257_000_000),
            "revision": number(1),
        }),
        // A delivery that has ended, so that no outside server is called.
        Some("DELIVERY") => json!({
            "org_id": text(ORG), "delivery_id": text("dlv_01M7YREWKH7VM7Z3Z2KWSH2FTV"),
            "endpoint_id": text("ep_01M7YREWKH7VM7Z3Z2KWSH2FTW"), "event_id": text("01M7YREWKH7VM7Z3Z2KWSH2FTX"),
            "event_kind": text("key.revoked"), "payload": text("{}"), "delivery_status": text("delivered"),
            "created_at": number(1_795_257_000_000), "began_at": number(1_795_257_000_000), "tries": number(1),
            "attempts_made": number(1), "attempts": text("[]"), "revision": number(1),
        }),
        Some("JOB") => job(sk),
        _ => file(),
    }
}

/// A job that no generator has begun, of the kind that its id ends in: T for a book, V for a video, otherwise a
/// picture.
fn job(sk: &str) -> Value {
    let (text, number) = (|text: &str| json!({ "S": text }), |number: u64| json!({ "N": number.to_string() }));
    let kind = match sk.chars().last() {
        Some('T') => "book",
        Some('V') => "video",
        _ => "image",
    };
    let ask = json!({
        "prompt": "a lighthouse", "count": 1, "size": "1024x1024", "topic": "lighthouses", "duration_seconds": 8,
        "aspect_ratio": "16:9",
    });
    json!({
        "kind": text(kind), "ask": text(&ask.to_string()), "plan": text("pro"), "status": text("pending"),
        "progress": number(0), "created_at": number(1_795_257_000_000), "updated_at": number(1_795_257_000_000),
        "deadline": number(FAR), "outputs": text("[]"), "revision": number(1),
    })
}

/// A ready file, as in the table. It also satisfies readers of a ledger.
pub(crate) fn file() -> Value {
    let (text, number) = (|text: &str| json!({ "S": text }), |number: u64| json!({ "N": number.to_string() }));
    json!({
        "pk": text("USER#user_ann1"), "sk": text("FILE#01M7YREWKH7VM7Z3Z2KWSH2FTR"), "s3_key": text(KEY),
        "filename": text("photo été.png"), "content_type": text("image/png"), "kind": text("image"),
        "size": number(1000), "holding": text("kept"), "status": text("ready"), "granted_at": number(1_795_257_000_000),
        "grant_expires_at": number(1_795_257_900_000), "changed_at": number(1_795_257_001_000), "revision": number(2),
        "version_id": text("v1"), "etag": text("e1"), "sequencer": text("05"), "width": number(640), "height": number(480),
    })
}
