//! Which keys of the bucket belong to whom, and how they are compared with records.

use super::Recorded;
use crate::files::{DerivedKey, ObjectKey};
use crate::{FileId, UserId};

/// Who looks after the objects below a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixOwner {
    /// Records of files. They are compared.
    Files,
    /// What is derived from files. It is compared with their records.
    Derivatives,
    /// Uploads of orders, whose own records name them. They are not compared here, and never deleted.
    Orders,
    /// Exports of people's data, which the records of the exports name. They are not compared: `account-close` and a rule of the
    /// bucket remove them.
    Exports,
    /// The operators, who put objects there by hand. They are not compared, and never deleted.
    Operators,
}

/// A prefix of the bucket, with who looks after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownPrefix {
    /// With what its keys begin.
    pub prefix: &'static str,
    /// Who looks after it.
    pub owner: PrefixOwner,
}

/// Every prefix that somebody looks after, in the order of the bucket. Objects elsewhere are reported as unknown, and
/// never deleted. A new kind of object begins with a row here.
pub const PREFIXES: [KnownPrefix; 5] = [
    KnownPrefix { prefix: "derived/", owner: PrefixOwner::Derivatives },
    KnownPrefix { prefix: "exports/", owner: PrefixOwner::Exports },
    KnownPrefix { prefix: "private/", owner: PrefixOwner::Operators },
    KnownPrefix { prefix: "uploads/", owner: PrefixOwner::Orders },
    KnownPrefix { prefix: "user_", owner: PrefixOwner::Files },
];

/// Returns the known prefix of a key, if it has one.
pub fn prefix_of(key: &str) -> Option<KnownPrefix> {
    PREFIXES.into_iter().find(|known| key.starts_with(known.prefix))
}

/// Returns a key that sorts behind every key that begins with a prefix, and before all that follow it.
pub fn after_prefix(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

/// A part of the bucket whose keys are compared with records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Area {
    /// Files: `user_<id>/<folder>/<file id>-<safe name>`.
    Originals,
    /// What is derived from them: `derived/user_<id>/<file id>/<rendition>.<extension>`.
    Derived,
}

/// The objects that belong to one record: those of one key, or everything derived from one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    /// With what the keys begin. In [`Area::Originals`] it is the whole key.
    pub start: String,
    /// Whose they are.
    pub owner: UserId,
    /// Id of the file.
    pub file: FileId,
}

impl Area {
    /// Returns with what all keys of the area begin.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Originals => "user_",
            Self::Derived => "derived/",
        }
    }

    /// Returns with what a user's keys in the area begin. It ends in a slash, so that `user_ann1` does not match
    /// `user_ann12`.
    pub fn of_user(self, owner: &UserId) -> String {
        match self {
            Self::Originals => format!("{owner}/"),
            Self::Derived => format!("derived/{owner}/"),
        }
    }

    /// Returns the group of a key, or `None` for a key that no record can have.
    pub fn group(self, key: &str) -> Option<Group> {
        match self {
            Self::Originals => {
                let key = ObjectKey::parse(key)?;
                // Photos of orders are not here, but below `uploads/`.
                let is_here = key.owner().as_order().is_none();
                is_here.then(|| Group { start: key.to_string(), owner: key.owner().clone(), file: key.file() })
            }
            Self::Derived => {
                let key = DerivedKey::parse(key)?;
                let start = DerivedKey::prefix(key.owner(), key.file());
                Some(Group { start, owner: key.owner().clone(), file: key.file() })
            }
        }
    }

    /// Returns the group of a record. A record that cannot be read has one that no object has.
    pub fn group_of(self, record: &Recorded) -> Group {
        let (owner, file) = match record {
            Recorded::File(file) => (file.owner().clone(), file.id()),
            Recorded::Unreadable { owner, file } => (owner.clone(), *file),
        };
        let start = match (self, record) {
            (Self::Originals, Recorded::File(file)) => file.key.to_string(),
            (Self::Originals, Recorded::Unreadable { .. }) => format!("{owner}/{file}"),
            (Self::Derived, _) => DerivedKey::prefix(&owner, file),
        };
        Group { start, owner, file }
    }

    /// Returns whether a key is one of a group.
    pub fn is_in(self, key: &str, group: &Group) -> bool {
        match self {
            Self::Originals => key == group.start,
            Self::Derived => key.starts_with(&group.start),
        }
    }

    /// Returns the least id of a user who may have keys behind a position. It need not be a whole id.
    pub fn user_at(self, key: &str) -> &str {
        let start = if self == Self::Derived { "derived/" } else { "" };
        let rest = key.strip_prefix(start).unwrap_or_default();
        // An unknown key may have other characters behind the id, some of which sort before the slash.
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    }

    /// Returns the ids between which the records of the keys from `from` to `to` are, of keys of one user. `None` if the
    /// order of the keys is not that of the ids there.
    pub fn ids_between(self, from: Option<&str>, to: Option<&str>) -> (Option<FileId>, Option<FileId>) {
        let of = |key: Option<&str>| key.and_then(|key| Some((self.group(key)?.file, ObjectKey::parse(key))));
        let (from, to) = (of(from), of(to));
        match self {
            Self::Derived => (from.map(|(file, _)| file), to.map(|(file, _)| file)),
            // The folder comes before the id, so the order is the same within one folder only.
            Self::Originals => match (from, to) {
                (Some((from, Some(first))), Some((to, Some(last)))) if first.kind() == last.kind() => {
                    (Some(from), Some(to))
                }
                _ => (None, None),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01M7YREWKH7VM7Z3Z2KWSH2FTR";

    #[test]
    fn prefixes_are_in_the_order_of_the_bucket_and_do_not_overlap() {
        assert!(PREFIXES.is_sorted_by(|one, next| after_prefix(one.prefix).as_str() < next.prefix));
        assert_eq!(prefix_of("private/mark.png").map(|known| known.owner), Some(PrefixOwner::Operators));
        assert_eq!(prefix_of("exports/user_ann1/x").map(|known| known.owner), Some(PrefixOwner::Exports));
        assert_eq!(prefix_of("uploads/2026/11/x.png").map(|known| known.owner), Some(PrefixOwner::Orders));
        for unknown in ["", "derived", "backup/user_ann1/x", "users/x", "privat"] {
            assert_eq!(prefix_of(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_users_keys_end_before_those_of_a_longer_id() {
        let ann1 = UserId::parse("user_ann1").unwrap();
        let other = format!("user_ann12/images/{ID}-a.png");
        assert!(!other.starts_with(&Area::Originals.of_user(&ann1)));
        assert!(after_prefix(&Area::Originals.of_user(&ann1)) < other);
        assert_eq!(Area::Originals.user_at(&other), "user_ann12");
        assert_eq!(Area::Derived.user_at(&format!("derived/{other}")), "user_ann12");
        assert_eq!(Area::Originals.user_at("user_ann1-x"), "user_ann1");
    }

    #[test]
    fn ids_bound_records_only_where_keys_are_in_their_order() {
        let key = |folder: &str| format!("user_ann1/{folder}/{ID}-a.png");
        let (image, video) = (key("images"), key("videos"));
        let id = FileId::parse(ID);
        assert_eq!(Area::Originals.ids_between(Some(&image), Some(&image)), (id, id));
        assert_eq!(Area::Originals.ids_between(Some(&image), Some(&video)), (None, None));
        assert_eq!(Area::Originals.ids_between(None, Some(&image)), (None, None));
        let derived = format!("derived/user_ann1/{ID}/256.png");
        assert_eq!(Area::Derived.ids_between(None, Some(&derived)), (None, id));
        assert_eq!(Area::Derived.ids_between(Some(&derived), None), (id, None));
    }
}
