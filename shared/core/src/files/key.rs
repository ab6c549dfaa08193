//! Object keys. Every key of the bucket is built and parsed here. A caller's key is never used unparsed.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{FileName, Kind, MediaType};
use crate::ids::UUID_LENGTH;
use crate::periods::Month;
use crate::{FileId, OrderId, UserId};

/// Folder of the photos of orders. Rules of the bucket and of scans name it.
const ORDERS: &str = "uploads";
/// Characters of an order's id in a key, and of a file's id in a person's key.
const ID_LENGTH: usize = 26;

/// The key of a file: `user_<id>/<folder>/<file id>-<safe name>`, or of an order's photo
/// `uploads/<yyyy>/<mm>/<file id as uuid>-<order id in lower case>-<safe name>`.
///
/// Its alphabet (`A-Z a-z 0-9 . _ - /`) needs no escaping in a URL, a table key or a log line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectKey {
    text: String,
    owner: UserId,
    kind: Kind,
    file: FileId,
}

impl ObjectKey {
    /// Builds the key of a new file. The id of an order's photo must be one of [`FileId::mint_uuid`].
    pub fn mint(owner: &UserId, kind: Kind, file: FileId, name: &FileName, media: &MediaType) -> Self {
        let name = name.safe(media);
        let text = match owner.as_order() {
            Some(order) => format!("{}{name}", order_start(file, order)),
            None => format!("{owner}/{}/{file}-{name}", kind.folder()),
        };
        Self { text, owner: owner.clone(), kind, file }
    }

    /// Parses a key that [`ObjectKey::mint`] built. Returns `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with(ORDERS) {
            return Self::parse_of_order(text);
        }
        let mut parts = text.split('/');
        let (owner, folder, leaf, end) = (parts.next()?, parts.next()?, parts.next()?, parts.next());
        let (file, name) = leaf.split_at_checked(ID_LENGTH)?;
        let name = name.strip_prefix('-')?;
        if end.is_some() || !is_safe(name) {
            return None;
        }
        Some(Self {
            text: text.to_owned(),
            owner: UserId::parse(owner)?,
            kind: Kind::from_folder(folder)?,
            file: FileId::parse(file)?,
        })
    }

    fn parse_of_order(text: &str) -> Option<Self> {
        let (file, rest) = text.rsplit('/').next()?.split_at_checked(UUID_LENGTH)?;
        let (order, name) = rest.strip_prefix('-')?.split_at_checked(ID_LENGTH)?;
        let (file, name) = (FileId::parse_uuid(file)?, name.strip_prefix('-')?);
        let order = OrderId::parse(&format!("order_{}", order.to_ascii_uppercase()))?;
        let same = text == format!("{}{name}", order_start(file, order));
        let (text, owner) = (text.to_owned(), UserId::of_order(order));
        (same && is_safe(name)).then_some(Self { text, owner, kind: Kind::Image, file })
    }

    /// Parses a key that a user sent. Returns `None` for another user's key, as for one that does not exist.
    pub fn parse_for(owner: &UserId, text: &str) -> Option<Self> {
        Self::parse(text).filter(|key| key.owner == *owner)
    }

    /// Returns the key as text, as S3 stores it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the owner: the user whose id is the key's prefix, or the order whose photo it is.
    pub fn owner(&self) -> &UserId {
        &self.owner
    }

    /// Returns the kind, which the key's folder shows.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the safe name at the end of the key: ASCII, with an extension.
    pub fn safe_name(&self) -> &str {
        // The leaf is an id, in the key of an order's photo a second one, and the name, with hyphens between.
        let before = if self.owner.as_order().is_some() { UUID_LENGTH + ID_LENGTH + 2 } else { ID_LENGTH + 1 };
        self.text.rsplit('/').next().map_or("", |leaf| &leaf[before..])
    }

    /// Returns the id of the file.
    pub fn file(&self) -> FileId {
        self.file
    }
}

/// Returns with what the key of an order's photo begins. The month is that of the file's id.
fn order_start(file: FileId, order: OrderId) -> String {
    let month = Month::of(file.minted_at()).to_string().replace('-', "/");
    let order = order.to_string().split_off("order_".len()).to_ascii_lowercase();
    format!("{ORDERS}/{month}/{}-{order}-", file.to_uuid())
}

/// Returns whether a name has only characters that [`FileName::safe`] leaves.
fn is_safe(name: &str) -> bool {
    let safe = |b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    !name.is_empty() && name.bytes().all(safe)
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for ObjectKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

read_from_json_string!(
    ObjectKey,
    crate::json_text::matching(
        "^(user_[A-Za-z0-9]+/(images|videos|books|blogs|documents|audio)|uploads/[0-9]{4}/[0-9]{2})/"
    )
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Timestamp;

    fn user(id: &str) -> UserId {
        UserId::parse(id).unwrap_or_else(|| panic!("{id} is a user id"))
    }

    #[test]
    fn a_user_whose_id_begins_like_another_does_not_own_their_files() {
        let (ann1, ann12) = (user("user_ann1"), user("user_ann12"));
        let key = "user_ann12/images/01JD6Y7Z8A9B0C1D2E3F4G5H6J-a.png";
        assert!(ObjectKey::parse_for(&ann12, key).is_some());
        assert!(ObjectKey::parse_for(&ann1, key).is_none());
    }

    #[test]
    fn only_keys_that_are_built_here_are_parsed() {
        let good = "user_ann1/images/01JD6Y7Z8A9B0C1D2E3F4G5H6J-a.png";
        assert!(ObjectKey::parse(good).is_some());
        for bad in [
            "",
            "user_ann1",
            "user_ann1/images/",
            "/user_ann1/images/01JD6Y7Z8A9B0C1D2E3F4G5H6J-a.png",
            "user_ann1//01JD6Y7Z8A9B0C1D2E3F4G5H6J-a.png",
            "user_ann1/images/../01JD6Y7Z8A9B0C1D2E3F4G5H6J-a.png",
            "user_ann1/images/01JD6Y7Z8A9B0C1D2E3F4G5H6J-",
            "user_ann1/images/01JD6Y7Z8A9B0C1D2E3F4G5H6J-a%2fb.png",
            "user_ann1/images/01jd6y7z8a9b0c1d2e3f4g5h6j-a.png",
            "user_ann1/sounds/01JD6Y7Z8A9B0C1D2E3F4G5H6J-a.png",
            "user_ann1/images/01JD6Y7Z8A9B0C1D2E3F4G5H6J-a.png/",
            "user_ann1/images/é1JD6Y7Z8A9B0C1D2E3F4G5H6J-a.png",
        ] {
            assert_eq!(ObjectKey::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_key_of_an_orders_photo_names_month_file_and_order() {
        let order = OrderId::parse("order_0000000000ABCDEFGHJKMNPQRS").unwrap();
        let (owner, file) = (UserId::of_order(order), FileId::mint_uuid(Timestamp::from_secs(1_795_257_000)));
        let (name, media) = (FileName::parse("Été 1.HEIC").unwrap(), MediaType::from_name("image/heic").unwrap());
        let key = ObjectKey::mint(&owner, Kind::Image, file, &name, media);
        let start = format!("uploads/2026/11/{}-0000000000abcdefghjkmnpqrs-", file.to_uuid());
        assert_eq!((key.as_str(), key.safe_name()), (format!("{start}ete-1.heic").as_str(), "ete-1.heic"));
        assert_eq!(ObjectKey::parse(key.as_str()), Some(key.clone()));
        assert!(ObjectKey::parse_for(&user("user_ann1"), key.as_str()).is_none());
        for bad in [
            start.clone(),
            format!("/{start}a.jpg"),
            format!("{start}a.jpg/"),
            format!("{start}../a.jpg"),
            format!("{start}a%2f.jpg"),
            format!("{start}a.jpg").replace("/11/", "/12/"),
            format!("{start}a.jpg").replace("uploads/", "uploads//"),
            format!("{start}a.jpg").replace("abcd", "ABCD"),
            format!("{start}a.jpg").replace("uploads/2026", "uploads/x/2026"),
            format!("uploads/2026/11/{file}-a.jpg"),
            "uploads".to_owned(),
            "uploads/2026/11/é".to_owned(),
        ] {
            assert_eq!(ObjectKey::parse(&bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_key_of_an_order_reads_back(name in "\\PC{1,100}", at in 0_i64..4_000_000_000_000, pay in "[a-z]{1,9}") {
            let order = OrderId::derive(&[&pay]);
            let media = MediaType::from_name("image/jpeg").ok_or_else(|| TestCaseError::fail("jpeg is known"))?;
            if let Ok(name) = FileName::parse(&name) {
                let file = FileId::mint_uuid(Timestamp::from_millis(at));
                let key = ObjectKey::mint(&UserId::of_order(order), Kind::Image, file, &name, media);
                prop_assert!(key.as_str().ends_with(key.safe_name()));
                prop_assert_eq!(ObjectKey::parse(key.as_str()), Some(key));
            }
        }

        #[test]
        fn every_key_made_reads_back_and_stays_under_its_owner(name in "\\PC{1,100}", at in 0_i64..4_000_000_000_000) {
            let owner = user("user_ann1");
            let media = MediaType::from_name("image/png").ok_or_else(|| TestCaseError::fail("png is known"))?;
            if let Ok(name) = FileName::parse(&name) {
                let file = FileId::mint(Timestamp::from_millis(at));
                let key = ObjectKey::mint(&owner, Kind::Image, file, &name, media);
                prop_assert!(key.as_str().starts_with("user_ann1/images/"));
                prop_assert!(!key.safe_name().is_empty() && key.as_str().ends_with(key.safe_name()));
                prop_assert_eq!(ObjectKey::parse(key.as_str()), Some(key));
            }
        }
    }
}
