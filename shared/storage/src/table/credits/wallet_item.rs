//! Converts a wallet to and from its item.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use consigne_core::credits::{AlertThreshold, CarriedHolds, CreditLot, LotKind, Wallet, WalletId};
use consigne_core::{Fault, LotId, OrgId, Timestamp, UserId};
use serde_json::json;

use crate::table::item::{Item, Reader, add, key, malformed, number, org_pk, text, user_pk};

/// Sort key of an organisation's wallet.
pub(crate) const WALLET: &str = "WALLET";
/// Sort key of a person's test wallet.
const TEST_WALLET: &str = "TESTWALLET";
/// Prefix of the attributes that contain lots.
const LOT: &str = "lot.";
/// Prefix of the attributes with the total that had been spent when a lot was added. The write that adds the lot copies
/// the total within the item, so that it is right despite concurrent debits.
const SINCE: &str = "since.";

/// Attribute of the wallet of a deleted organisation, which gets no more credits.
pub(crate) const DELETED: &str = "deleted";

pub(crate) fn wallet_key(id: &WalletId) -> Item {
    match id {
        WalletId::Organisation(org) => key(org_pk(*org), WALLET),
        WalletId::Test(user) => key(user_pk(user), TEST_WALLET),
    }
}

pub(crate) fn status(open: bool) -> &'static str {
    if open { "open" } else { "closed" }
}

pub(crate) fn lot_attribute(id: LotId) -> String {
    format!("{LOT}{id}")
}

pub(crate) fn since_attribute(id: LotId) -> String {
    format!("{SINCE}{id}")
}

pub(crate) fn lot_text(lot: &CreditLot) -> String {
    let expires_at = lot.expires_at.map(Timestamp::as_millis);
    json!({ "kind": lot.kind.name(), "amount": lot.amount, "left": lot.left, "expires_at": expires_at }).to_string()
}

/// Builds the whole item of a wallet.
pub(crate) fn write(wallet: &Wallet) -> Item {
    let mut item = wallet_key(&wallet.id);
    item.insert("wallet_status".to_owned(), text(status(wallet.open)));
    for (name, value) in numbers(wallet) {
        item.insert(name.to_owned(), number(value));
    }
    item.insert("attributed".to_owned(), number(wallet.attributed));
    item.insert("debt".to_owned(), number(wallet.debt));
    item.insert("era".to_owned(), number(wallet.expiry_epoch));
    add(&mut item, "eras", carried(wallet));
    item.insert("low_reference".to_owned(), number(wallet.alert.reference));
    add(&mut item, "low_next", wallet.alert.next.map(number));
    item.insert("revision".to_owned(), number(wallet.revision));
    item.insert("anchor".to_owned(), number(wallet.anchor.as_millis()));
    add(&mut item, "next_expiry", wallet.next_expiry.map(|expiry| number(expiry.as_millis())));
    for (id, lot) in &wallet.lots {
        item.insert(lot_attribute(*id), text(lot_text(lot)));
        item.insert(since_attribute(*id), number(lot.since));
    }
    item
}

/// Returns the amounts of a wallet that are changed by their differences. `spare` is the headroom. It follows from the
/// others, but is stored because a condition of DynamoDB cannot compute it.
pub(crate) fn numbers(wallet: &Wallet) -> [(&'static str, i128); 9] {
    [
        ("balance", wallet.balance.into()),
        ("spare", wallet.headroom().into()),
        ("held", wallet.held.into()),
        ("used", wallet.used.into()),
        ("purchased", wallet.purchased.into()),
        ("granted", wallet.granted.into()),
        ("expired", wallet.expired.into()),
        ("clawed_back", wallet.clawed_back.into()),
        ("late", wallet.late.into()),
    ]
}

/// Encodes the open holds of past expiry epochs as `[[epoch, held, kept], ...]`, if there are any.
pub(crate) fn carried(wallet: &Wallet) -> Option<AttributeValue> {
    let carried: Vec<_> = wallet
        .carried
        .iter()
        .map(|(expiry_epoch, carried_holds)| json!([expiry_epoch, carried_holds.held, carried_holds.kept]))
        .collect();
    (!carried.is_empty()).then(|| text(json!(carried).to_string()))
}

fn read_carried(reader: &Reader<'_>) -> Result<BTreeMap<u32, CarriedHolds>, Fault> {
    let Some(written) = reader.optional_text("eras") else { return Ok(BTreeMap::new()) };
    let carried: Vec<(u32, u64, u64)> = serde_json::from_str(written).map_err(|_| malformed("eras"))?;
    Ok(carried.into_iter().map(|(expiry_epoch, held, kept)| (expiry_epoch, CarriedHolds { held, kept })).collect())
}

/// Reads a wallet from its item.
pub(crate) fn read(item: &Item) -> Result<Wallet, Fault> {
    let reader = Reader(item);
    let mut lots = BTreeMap::new();
    for (id, value) in reader.beginning(LOT) {
        let id = LotId::parse(id).ok_or_else(|| malformed(LOT))?;
        let lot: serde_json::Value =
            value.as_s().ok().and_then(|text| serde_json::from_str(text).ok()).ok_or_else(|| malformed(LOT))?;
        let amount = |name: &str| lot[name].as_u64().ok_or_else(|| malformed(LOT));
        let lot = CreditLot {
            kind: lot["kind"].as_str().and_then(LotKind::from_name).ok_or_else(|| malformed(LOT))?,
            amount: amount("amount")?,
            left: amount("left")?,
            expires_at: lot["expires_at"].as_i64().map(Timestamp::from_millis),
            since: reader.number(&since_attribute(id))?,
        };
        lots.insert(id, lot);
    }
    let pk = reader.text("pk")?;
    let id = match reader.text("sk")? {
        WALLET => pk.strip_prefix("ORG#").and_then(OrgId::parse).map(WalletId::Organisation),
        _ => pk.strip_prefix("USER#").and_then(UserId::parse).map(WalletId::Test),
    };
    Ok(Wallet {
        id: id.ok_or_else(|| malformed("pk"))?,
        open: reader.text("wallet_status")? == status(true),
        balance: reader.number("balance")?,
        held: reader.number("held")?,
        used: reader.number("used")?,
        purchased: reader.number("purchased")?,
        granted: reader.number("granted")?,
        expired: reader.number("expired")?,
        clawed_back: reader.number("clawed_back")?,
        late: reader.number("late")?,
        attributed: reader.number("attributed")?,
        debt: reader.number("debt")?,
        expiry_epoch: reader.number("era")?,
        carried: read_carried(&reader)?,
        alert: AlertThreshold { reference: reader.number("low_reference")?, next: reader.optional_number("low_next") },
        revision: reader.number("revision")?,
        next_expiry: reader.optional_time("next_expiry"),
        anchor: reader.time("anchor")?,
        lots,
    })
}
