//! A user's storage ledger as an item.

use consigne_core::files::{Kind, KindUsage, Usage, Window};
use consigne_core::{Timestamp, UserId};

use super::item::{Item, Reader, text, user_pk};

pub(super) fn key(owner: &UserId) -> Item {
    Item::from([("pk".to_owned(), text(user_pk(owner))), ("sk".to_owned(), text("USAGE"))])
}

/// Gives the attribute that counts the kept files of a kind.
pub(super) fn files_attribute(kind: Kind) -> String {
    format!("{}_files", kind.name())
}

/// Gives the attribute that sums the kept bytes of a kind.
pub(super) fn bytes_attribute(kind: Kind) -> String {
    format!("{}_bytes", kind.name())
}

/// Reads a ledger; an attribute never written counts as nothing.
pub(super) fn read(item: &Item) -> Usage {
    let reader = Reader(item);
    let count = |name: &str| reader.optional_number(name).unwrap_or(0);
    let window = reader.optional_number("window_started").zip(reader.optional_number("window_writes"));
    Usage {
        committed: count("committed"),
        reserved: count("reserved"),
        by_kind: Kind::ALL
            .map(|kind| KindUsage { files: count(&files_attribute(kind)), bytes: count(&bytes_attribute(kind)) }),
        window: window.map(|(started, writes)| Window { started: Timestamp::from_millis(started), writes }),
    }
}
