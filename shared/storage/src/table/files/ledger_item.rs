//! Reads a user's storage ledger from its item.

use consigne_core::files::{Kind, KindUsage, Usage};
use consigne_core::stats::Ledger;
use consigne_core::{Fault, Plan, UserId};

use crate::table::item::{Item, Reader, text, user_pk};
use crate::table::rates;

/// Sort key of every ledger.
pub(crate) const SK: &str = "USAGE";

pub(crate) fn key(owner: &UserId) -> Item {
    Item::from([("pk".to_owned(), text(user_pk(owner))), ("sk".to_owned(), text(SK))])
}

/// Returns the name of the attribute that counts the kept files of a kind.
pub(crate) fn files_attribute(kind: Kind) -> String {
    format!("{}_files", kind.name())
}

/// Returns the name of the attribute that sums the kept bytes of a kind.
pub(crate) fn bytes_attribute(kind: Kind) -> String {
    format!("{}_bytes", kind.name())
}

/// Reads a ledger. Missing attributes count as zero.
///
/// # Errors
/// `INTERNAL` if a count is negative. The ledger is then wrong, and to return zero would hide that.
pub(crate) fn read(item: &Item) -> Result<Usage, Fault> {
    let mut by_kind = [KindUsage::default(); Kind::ALL.len()];
    for kind in Kind::ALL {
        let (files, bytes) = (count(item, &files_attribute(kind))?, count(item, &bytes_attribute(kind))?);
        by_kind[kind as usize] = KindUsage { files, bytes };
    }
    Ok(Usage {
        committed: count(item, "committed")?,
        reserved: count(item, "reserved")?,
        by_kind,
        windows: rates::read(item),
    })
}

/// Reads a ledger with the plan of its last grant.
pub(crate) fn read_ledger(item: &Item) -> Result<Ledger, Fault> {
    let reader = Reader(item);
    let plan = reader.parsed("granted_plan", |name| Some(Plan::from_name(name)))?;
    Ok(Ledger { owner: owner(item)?, plan, usage: read(item)? })
}

/// Reads the owner of a ledger.
pub(crate) fn owner(item: &Item) -> Result<UserId, Fault> {
    Reader(item).parsed("pk", |pk| UserId::parse(pk.strip_prefix("USER#")?))
}

fn count(item: &Item, name: &str) -> Result<u64, Fault> {
    if !item.contains_key(name) {
        return Ok(0);
    }
    let value: i64 = Reader(item).number(name)?;
    u64::try_from(value).map_err(|_| Fault::internal(format!("the ledger's {name} is negative: {value}")))
}

#[cfg(test)]
mod tests {
    use consigne_core::Code;

    use super::*;
    use crate::table::item::number;

    #[test]
    fn missing_attributes_count_as_zero() {
        assert_eq!(read(&Item::new()).unwrap(), Usage::default());
        let item = Item::from([("committed".to_owned(), number(7)), ("video_files".to_owned(), number(2))]);
        let usage = read(&item).unwrap();
        assert_eq!((usage.committed, usage.reserved, usage.of(Kind::Video).files), (7, 0, 2));
    }

    #[test]
    fn a_negative_count_is_an_error_with_its_name() {
        for name in ["committed", "reserved", "image_files", "blog_bytes"] {
            let fault = read(&Item::from([(name.to_owned(), number(-1))])).unwrap_err();
            assert_eq!(fault.code, Code::Internal);
            assert!(fault.chain().ends_with(&format!("the ledger's {name} is negative: -1")), "{}", fault.chain());
        }
        let odd = Item::from([("committed".to_owned(), text("much"))]);
        assert_eq!(read(&odd).unwrap_err().code, Code::Internal);
    }
}
