//! Object keys. Every key of the bucket is built and parsed here. A caller's key is never used unparsed.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{FileName, Kind, MediaType};
use crate::{FileId, UserId};

/// The key of a user's file: `user_<id>/<folder>/<file id>-<safe name>`.
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
    /// Builds the key of a new file.
    pub fn mint(owner: &UserId, kind: Kind, file: FileId, name: &FileName, media: &MediaType) -> Self {
        let text = format!("{owner}/{}/{file}-{}", kind.folder(), name.safe(media));
        Self { text, owner: owner.clone(), kind, file }
    }

    /// Parses a key that [`ObjectKey::mint`] built. Returns `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (owner, folder, leaf, end) = (parts.next()?, parts.next()?, parts.next()?, parts.next());
        let (file, name) = leaf.split_at_checked(26)?;
        let name = name.strip_prefix('-')?;
        let safe = |b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        if end.is_some() || name.is_empty() || !name.bytes().all(safe) {
            return None;
        }
        Some(Self {
            text: text.to_owned(),
            owner: UserId::parse(owner)?,
            kind: Kind::from_folder(folder)?,
            file: FileId::parse(file)?,
        })
    }

    /// Parses a key that a user sent. Returns `None` for another user's key, as for one that does not exist.
    pub fn parse_for(owner: &UserId, text: &str) -> Option<Self> {
        Self::parse(text).filter(|key| key.owner == *owner)
    }

    /// Returns the key as text, as S3 stores it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the owner: the user whose id is the key's prefix.
    pub fn owner(&self) -> &UserId {
        &self.owner
    }

    /// Returns the kind, which the key's folder shows.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the safe name at the end of the key: ASCII, with an extension.
    pub fn safe_name(&self) -> &str {
        // Owner, folder and leaf. The leaf is an id of 26 characters, a hyphen and the name.
        self.text.rsplit('/').next().map_or("", |leaf| &leaf[27..])
    }

    /// Returns the id of the file.
    pub fn file(&self) -> FileId {
        self.file
    }
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
    crate::json_text::matching("^user_[A-Za-z0-9]+/(images|videos|books|blogs|documents|audio)/")
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

    proptest! {
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
