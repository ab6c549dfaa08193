//! Keys of the objects of exports.

use std::fmt;

use crate::{ExportId, UserId};

/// Folder of all exports. Rules of the bucket name it.
const FOLDER: &str = "exports";

/// The key of an object of an export: `exports/<user>/<export>/part-0001.json`, or `manifest.json` instead of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportKey(String);

impl ExportKey {
    /// Builds the key of a part. The first one has the number 1.
    pub fn part(user: &UserId, export: ExportId, number: usize) -> Self {
        Self(format!("{}part-{number:04}.json", Self::prefix_of_export(user, export)))
    }

    /// Builds the key of the manifest.
    pub fn manifest(user: &UserId, export: ExportId) -> Self {
        Self(format!("{}manifest.json", Self::prefix_of_export(user, export)))
    }

    /// Returns with what the keys of all exports of a person begin. It ends in a slash, so that `user_ann1` does not match
    /// `user_ann12`.
    pub fn prefix_of(user: &UserId) -> String {
        format!("{FOLDER}/{user}/")
    }

    /// Returns with what the keys of an export begin.
    fn prefix_of_export(user: &UserId, export: ExportId) -> String {
        format!("{}{export}/", Self::prefix_of(user))
    }

    /// Returns the export to which a key of the bucket belongs; `None` if it is no key of an export.
    pub fn export_of(key: &str) -> Option<ExportId> {
        let mut levels = key.strip_prefix(FOLDER)?.strip_prefix('/')?.split('/').skip(1);
        ExportId::parse(levels.next()?)
    }

    /// Returns the key as text, as S3 stores it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name of the object within its export.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for ExportKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_below_the_folder_of_their_person() {
        let (ann1, export) = (UserId::parse("user_ann1").unwrap(), ExportId::derive(&["a"]));
        let part = ExportKey::part(&ann1, export, 12);
        assert_eq!(
            (part.to_string(), part.name()),
            (format!("exports/user_ann1/{export}/part-0012.json"), "part-0012.json")
        );
        assert_eq!(ExportKey::export_of(part.as_str()), Some(export));
        for no in ["exports/user_ann1/exp_x/part-0001.json", "exports/user_ann1", "user_ann1/exports/a.png"] {
            assert_eq!(ExportKey::export_of(no), None, "{no}");
        }
        let other = UserId::parse("user_ann12").unwrap();
        assert!(!ExportKey::manifest(&other, export).as_str().starts_with(&ExportKey::prefix_of(&ann1)));
    }
}
