//! Parses and decrypts the rows of an export, and reduces them to what may be stored. No key's text leaves this file.

use consigne_auth::{KeyPrefix, LegacyText, Peppers};
use consigne_core::keys::{KeyMode, Pointer};
use consigne_core::migrations::{AccessLevel, LegacyKey, Place, TextFacts};
use consigne_core::{OrgId, Timestamp, UserId, text};
use serde::Deserialize;
use serde_json::Value;

use super::cipher::Cipher;

/// Longest id in the export, in characters.
const ID_MAX: usize = 128;
/// Longest name of a key, in characters.
const NAME_MAX: usize = 100;

/// One row of the export. It has no `Debug`, because it may contain a key.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: String,
    encrypted_key: Option<String>,
    iv: Option<String>,
    key_hash: Option<String>,
    environment: Option<String>,
    access_level: Option<String>,
    owner_id: String,
    organization_id: Option<String>,
    name: String,
    created_at: String,
    last_used_at: Option<String>,
    #[serde(default)]
    revoked: Option<bool>,
}

/// A row that cannot be migrated: its id, if that can be shown, and the problem.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit {
    /// The id in the export, or the number of the line.
    pub(super) id: String,
    /// The problem, without anything of the row.
    pub(super) problem: &'static str,
}

/// Reads rows of an export, with the secrets it needs.
pub(super) struct Reader {
    /// The word with which keys begin.
    pub(super) prefix: KeyPrefix,
    /// The peppers under which texts are stored.
    pub(super) peppers: Peppers,
    /// Decrypts texts, if the export has any.
    pub(super) cipher: Option<Cipher>,
    /// The access level of a row that has none.
    pub(super) default_access: AccessLevel,
}

impl Reader {
    /// Reads the row in a line.
    ///
    /// # Errors
    /// The problem, if the row cannot be migrated.
    pub(super) fn read(&self, number: usize, line: &str) -> Result<LegacyKey, Unfit> {
        let id = self.id_of(number, line);
        let row: Row = serde_json::from_str(line).map_err(|_| Unfit {
            id: id.clone(),
            problem: "it must be a JSON object with id, ownerId, name and createdAt as texts, and revoked as true or false",
        })?;
        self.key(row).map_err(|problem| Unfit { id, problem })
    }

    /// Returns how a report names a row: by its id, unless that could itself be a key, or else by its line.
    fn id_of(&self, number: usize, line: &str) -> String {
        let row: Value = serde_json::from_str(line).unwrap_or_default();
        let id = row["id"].as_str().filter(|id| is_id(id) && !self.shows_a_key(id));
        id.map_or_else(|| format!("line {number}"), str::to_owned)
    }

    /// Returns whether a text contains a key's text anywhere. The prefix does not count at the end of another word, such as
    /// `sk_` in `task_`.
    fn shows_a_key(&self, text: &str) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let words = [KeyMode::Production, KeyMode::Test].map(|environment| self.prefix.of(environment));
        text.split(|c| !plain(c)).any(|run| {
            run.char_indices().any(|(at, _)| {
                let (before, rest) = run.split_at(at);
                let begins = !before.ends_with(|c: char| c.is_ascii_alphanumeric());
                let is_marked = words.iter().any(|word| rest.starts_with(word));
                (begins || is_marked) && LegacyText::with_prefix(&self.prefix, rest).is_some()
            })
        })
    }

    fn key(&self, row: Row) -> Result<LegacyKey, &'static str> {
        if !is_id(&row.id) {
            return Err("id must be 1 to 128 visible ASCII characters");
        }
        let kept = [Some(&row.id), Some(&row.name), row.organization_id.as_ref()];
        if kept.into_iter().flatten().any(|field| self.shows_a_key(field)) {
            return Err("id, name or organizationId contains a key");
        }
        let owner = UserId::parse(&row.owner_id).ok_or("ownerId must be a user's id: user_ and letters or digits")?;
        let place = match row.organization_id.as_deref() {
            None | Some("") => Place::Personal,
            Some(id) => OrgId::parse(id).map_or_else(|| Place::Former(id.to_owned()), Place::Here),
        };
        let access = row.access_level.as_deref().map_or(Some(self.default_access), AccessLevel::from_name);
        let time = |text: &str| Timestamp::parse(text);
        let key = LegacyKey {
            text: self.text(&row)?,
            name: text::label("name", &row.name, NAME_MAX)
                .map_err(|_| "name must be one line of 1 to 100 characters")?,
            place,
            owner,
            access: access.ok_or("accessLevel must be read, write, admin or full")?,
            created_at: time(&row.created_at).ok_or("createdAt must be an RFC 3339 time")?,
            last_used_at: match row.last_used_at.as_deref() {
                Some(at) => Some(time(at).ok_or("lastUsedAt must be an RFC 3339 time")?),
                None => None,
            },
            revoked: row.revoked.unwrap_or(false),
            id: row.id,
        };
        Ok(key)
    }

    fn text(&self, row: &Row) -> Result<TextFacts, &'static str> {
        match (&row.encrypted_key, &row.key_hash) {
            (Some(sealed), None) => self.opened(sealed, row),
            (None, Some(hash)) => self.hashed(hash, row),
            _ => Err("it must have either encryptedKey or keyHash"),
        }
    }

    /// Extracts from an encrypted text what may be stored. The text is wiped at the end.
    fn opened(&self, sealed: &str, row: &Row) -> Result<TextFacts, &'static str> {
        let cipher = self.cipher.as_ref().ok_or("the key that decrypts it was not given")?;
        let plain = cipher.open(sealed, row.iv.as_deref())?;
        let other =
            "the decrypted text is not a key of 20 to 160 letters, digits, - and _, or the key of the export is wrong";
        let text = LegacyText::parse(&self.prefix, &plain).ok_or(other)?;
        let kept = [Some(&row.id), Some(&row.name), row.organization_id.as_ref()];
        if kept.into_iter().flatten().any(|field| field.contains(text.expose())) {
            return Err("id, name or organizationId contains a key");
        }
        let environment = mode(row)?.unwrap_or(text.environment());
        Ok(TextFacts {
            pointer: self.peppers.legacy_pointer(&text).ok_or("there is no current pepper")?,
            environment,
            prefix: text.prefix().to_owned(),
            hint: text.hint().to_owned(),
        })
    }

    /// Reads a hash. It does not show the key's mode, which is production unless the row says otherwise.
    fn hashed(&self, hash: &str, row: &Row) -> Result<TextFacts, &'static str> {
        if !self.peppers.finds_hashed() {
            return Err("it is a hash, and its pepper is missing: add it with `consigne pepper legacy`");
        }
        let environment = mode(row)?.unwrap_or(KeyMode::Production);
        Ok(TextFacts {
            pointer: Pointer::hashed(hash).ok_or("keyHash must be 64 hexadecimal digits")?,
            environment,
            prefix: self.prefix.of(environment),
            hint: String::new(),
        })
    }
}

/// Reads the key's mode, if the row has one. It outranks the one in the key's text.
fn mode(row: &Row) -> Result<Option<KeyMode>, &'static str> {
    let mode =
        row.environment.as_deref().map(|name| KeyMode::from_name(name).ok_or("environment must be production or test"));
    mode.transpose()
}

fn is_id(text: &str) -> bool {
    (1..=ID_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::cipher::tests::{hex, sealed};
    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const PEPPER: &str = "0123456789abcdef0123456789abcdef";

    fn reader() -> Reader {
        Reader {
            prefix: KeyPrefix::parse("sk").unwrap(),
            peppers: Peppers::parse(&format!(r#"{{"current": 1, "1": "{PEPPER}", "legacy": "old-pepper"}}"#)).unwrap(),
            cipher: Some(Cipher::parse(&hex(&KEY)).unwrap()),
            default_access: AccessLevel::Read,
        }
    }

    fn row(plain: &str, change: impl FnOnce(&mut Value)) -> String {
        let iv = [9; 16];
        let mut row = json!({
            "id": "64f1c2", "encryptedKey": format!("{}:{}", hex(&iv), hex(&sealed(&KEY, iv, plain))),
            "accessLevel": "write", "ownerId": "user_ann1", "organizationId": "64aa", "name": "Clé de l'été",
            "createdAt": "2024-05-01T10:00:00.000Z", "lastUsedAt": "2026-11-01T00:00:00Z",
        });
        change(&mut row);
        row.to_string()
    }

    #[test]
    fn a_row_becomes_a_key_and_keeps_of_its_text_what_may_be_kept() {
        let plain = "sk_test_0123456789abcdefghij";
        let key = reader().read(1, &row(plain, |_| ())).unwrap();
        let facts = &key.text;
        assert_eq!((facts.environment, facts.prefix.as_str(), facts.hint.as_str()), (KeyMode::Test, "sk_test", "ghij"));
        let text = LegacyText::parse(&reader().prefix, plain).unwrap();
        assert_eq!(Some(&facts.pointer), reader().peppers.legacy_pointers(&text).first());
        assert_eq!((key.access, &key.place), (AccessLevel::Write, &Place::Former("64aa".to_owned())));
        assert_eq!((key.created_at.to_string(), key.revoked), ("2024-05-01T10:00:00Z".to_owned(), false));
        assert!(!format!("{key:?}").contains(&plain[8..24]));
    }

    #[test]
    fn a_hash_leads_where_its_text_will_be_looked_for() {
        let plain = "sk_live_0123456789abcdefghij";
        let hash = "2c30d5276d72a7a92edd0795e1721c47b696fa41a2ef805fcd85200fe804ee22";
        let hashed = |row: &mut Value| {
            row["keyHash"] = hash.into();
            row.as_object_mut().unwrap().remove("encryptedKey");
        };
        let key = reader().read(1, &row(plain, hashed)).unwrap();
        let text = LegacyText::parse(&reader().prefix, plain).unwrap();
        assert_eq!(Some(&key.text.pointer), reader().peppers.legacy_pointers(&text).last());
    }

    #[test]
    fn what_is_wrong_with_a_row_is_said_without_showing_it() {
        let plain = "sk_live_0123456789abcdefghij";
        let set = |field: &'static str, value: Value| row(plain, |row| row[field] = value);
        for (line, why) in [
            ("{".to_owned(), "must be a JSON object"),
            (set("id", json!(7)), "must be a JSON object"),
            (set("id", json!("")), "id must be"),
            (set("id", json!(plain)), "contains a key"),
            (set("id", json!(format!("key:{plain}"))), "contains a key"),
            (set("id", json!(format!("x{plain}"))), "contains a key"),
            (set("ownerId", json!("ann")), "ownerId"),
            (set("accessLevel", json!("root")), "accessLevel"),
            (set("name", json!("a\nb")), "name must be"),
            (set("name", json!(plain)), "contains a key"),
            (set("organizationId", json!(format!("of {plain}"))), "contains a key"),
            (set("createdAt", json!("yesterday")), "createdAt"),
            (set("lastUsedAt", json!(plain)), "lastUsedAt"),
            (set("encryptedKey", Value::Null), "either encryptedKey or keyHash"),
            (set("keyHash", json!("0".repeat(64))), "either encryptedKey or keyHash"),
            (set("encryptedKey", json!(plain)), "encryptedKey must"),
            (row("pk_live_01234", |_| ()), "not a key of"),
            (
                row("pk_live_0123456789abcdefghij", |row| row["name"] = "pk_live_0123456789abcdefghij".into()),
                "contains a key",
            ),
            (set("environment", json!("live")), "environment"),
            (row("sk_live_short", |_| ()), "not a key of"),
        ] {
            let unfit = reader().read(3, &line).unwrap_err();
            assert!(unfit.problem.contains(why), "{line}: {unfit:?}");
            assert!(unfit.id == "64f1c2" || unfit.id == "line 3", "{unfit:?}");
            assert!(!format!("{unfit:?}").contains(&plain[8..]), "{unfit:?}");
        }
        let reader =
            Reader { peppers: Peppers::parse(&format!(r#"{{"current": 1, "1": "{PEPPER}"}}"#)).unwrap(), ..reader() };
        let hashed = set("encryptedKey", Value::Null).replace("\"iv\"", "\"-\"");
        let hashed = hashed.replacen('{', &format!(r#"{{"keyHash": "{}", "#, "0".repeat(64)), 1);
        assert!(reader.read(1, &hashed).unwrap_err().problem.contains("consigne pepper legacy"));
    }

    #[test]
    fn a_name_is_no_key_for_its_letters() {
        let named = row("sk_live_0123456789abcdefghij", |row| row["name"] = "task_manager_of_our_whole_company".into());
        assert!(reader().read(1, &named).is_ok());
    }

    #[test]
    fn a_hash_spends_what_its_row_says() {
        let hashed = |environment: Value| {
            let row = row("sk_test_0123456789abcdefghij", |row| {
                row["keyHash"] = "0".repeat(64).into();
                row["encryptedKey"] = Value::Null;
                row["environment"] = environment;
            });
            reader().read(1, &row).map(|key| key.text.environment).map_err(|unfit| unfit.problem)
        };
        assert_eq!(hashed(Value::Null), Ok(KeyMode::Production));
        assert_eq!(hashed("test".into()), Ok(KeyMode::Test));
        assert_eq!(hashed("live".into()), Err("environment must be production or test"));
    }

    #[test]
    fn a_key_of_any_prefix_is_carried_and_the_row_decides_its_mode() {
        let of = |plain: &str, environment: Value| {
            let facts = reader().read(1, &row(plain, |row| row["environment"] = environment)).unwrap().text;
            (facts.environment, facts.prefix, facts.hint)
        };
        let facts = |environment, prefix: &str| (environment, prefix.to_owned(), "ghij".to_owned());
        let old = "acme_test_0123456789abcdefghij";
        assert_eq!(of(old, Value::Null), facts(KeyMode::Test, "acme_test"));
        assert_eq!(of(old, "production".into()), facts(KeyMode::Production, "acme_test"));
        assert_eq!(of("0123456789abcdefghij", "test".into()), facts(KeyMode::Test, ""));
    }

    #[test]
    fn the_default_access_is_for_rows_without_a_level_only() {
        let reader = Reader { default_access: AccessLevel::Full, ..reader() };
        let of = |access: Value| reader.read(1, &row("sk_0123456789abcdefghij", |row| row["accessLevel"] = access));
        assert_eq!(of(Value::Null).unwrap().access, AccessLevel::Full);
        assert_eq!(of("read".into()).unwrap().access, AccessLevel::Read);
    }

    #[test]
    fn what_a_row_does_not_say_is_the_least() {
        let bare = row("sk_0123456789abcdefghij", |row| {
            for field in ["accessLevel", "organizationId", "lastUsedAt"] {
                row.as_object_mut().unwrap().remove(field);
            }
        });
        let key = reader().read(1, &bare).unwrap();
        assert_eq!((key.access, key.place, key.last_used_at), (AccessLevel::Read, Place::Personal, None));
        let here = "org_01JD0000000000000000000000";
        let key = reader().read(1, &row("sk_0123456789abcdefghij", |row| row["organizationId"] = here.into())).unwrap();
        assert_eq!(key.place, Place::Here(OrgId::parse(here).unwrap()));
    }

    proptest! {
        #[test]
        fn every_key_is_found_where_it_was_written(
            rest in "[0-9A-Za-z_-]{20,128}", word in "(live_|test_|)", iv: [u8; 16], base64: bool,
        ) {
            let plain = format!("sk_{word}{rest}");
            let text = sealed(&KEY, iv, &plain);
            let line = row(&plain, |row| {
                if base64 {
                    use base64::Engine as _;
                    row["iv"] = hex(&iv).into();
                    row["encryptedKey"] = base64::engine::general_purpose::STANDARD.encode(&text).into();
                } else {
                    row["encryptedKey"] = format!("{}:{}", hex(&iv), hex(&text)).into();
                }
            });
            let Some(shown) = LegacyText::parse(&reader().prefix, &plain) else {
                // A text that begins like another word may leave too little behind that word.
                prop_assert!(reader().read(1, &line).is_err());
                return Ok(());
            };
            let key = reader().read(1, &line).unwrap();
            let pointers = reader().peppers.legacy_pointers(&shown);
            prop_assert_eq!(Some(&key.text.pointer), pointers.first());
        }
    }
}
