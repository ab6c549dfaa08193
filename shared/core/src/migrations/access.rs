//! Converts the access levels of an older installation to scopes.

use std::collections::BTreeSet;

use crate::services;

/// The access level of a key in the older installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum AccessLevel {
    Read,
    Write,
    Admin,
    Full,
}

impl AccessLevel {
    /// Parses the name of a level.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "read" => Some(Self::Read),
            "write" => Some(Self::Write),
            "admin" => Some(Self::Admin),
            "full" => Some(Self::Full),
            _ => None,
        }
    }

    /// Returns the scopes of the catalogue for the level: the read scopes, or all. No scope allows a key to manage
    /// keys, so `admin` and `full` get no more than `write`.
    pub fn scopes(self) -> BTreeSet<String> {
        let reads = |scope: &&str| scope.ends_with(":read");
        let all = services::scopes().into_iter();
        match self {
            Self::Read => all.filter(reads).map(str::to_owned).collect(),
            Self::Write | Self::Admin | Self::Full => all.map(str::to_owned).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_becomes_scopes_of_the_catalogue() {
        let of = |name| AccessLevel::from_name(name).map(|level| level.scopes().into_iter().collect::<Vec<_>>());
        assert_eq!(of("read").unwrap(), ["ai:read", "pdf:read"]);
        for name in ["write", "admin", "full"] {
            assert_eq!(of(name).unwrap(), ["ai:read", "ai:write", "mileage:calculate", "pdf:read", "pdf:write"]);
        }
        assert_eq!(of("owner"), None);
    }
}
