//! Peppers: the secrets under which API keys are stored as MACs.
//!
//! Without the peppers, a copied table reveals nothing about any key. Several peppers can be live, so that one can be
//! replaced while keys are in use. New keys are written under the current pepper; an older key is found under its own
//! pepper, until its next use moves it to the current one.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consigne_core::keys::{KeyMode, Pointer};
use consigne_core::text::hex;
use hmac::Mac as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::secret::framed;
use crate::{KeyPrefix, KeyText, LegacyText, Secret};

/// The field of the secret that holds the pepper of an older installation.
const LEGACY: &str = "legacy";
/// Smallest length of that pepper, in bytes. It was chosen elsewhere, so our own minimum does not apply.
const LEGACY_MIN: usize = 8;

/// All live peppers, by version.
#[derive(Clone, Debug)]
pub struct Peppers {
    current: u32,
    live: BTreeMap<u32, Secret>,
    /// The pepper under which an older installation hashed the keys that were migrated as hashes.
    legacy: Option<Secret>,
}

/// Why a text holds no peppers. It does not contain the text, which is secret.
#[derive(Debug)]
pub struct PepperError(String);

impl fmt::Display for PepperError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PepperError {}

impl Peppers {
    /// Reads `{"current": 2, "1": "...", "2": "..."}`: the secret of each live version, and optionally `"legacy"` with
    /// the pepper of an older installation.
    ///
    /// # Errors
    /// If the text has another shape, a secret is too short or a placeholder, or the current version has no secret.
    pub fn parse(text: &str) -> Result<Self, PepperError> {
        let problem = |what: &str| PepperError(what.to_owned());
        let fields: BTreeMap<String, Value> =
            serde_json::from_str(text).map_err(|_| problem("it is not a JSON object"))?;
        let current = fields.get("current").and_then(Value::as_u64).and_then(|version| u32::try_from(version).ok());
        let current = current.ok_or_else(|| problem("`current` must be the number of a version"))?;
        let mut live = BTreeMap::new();
        let legacy = match fields.get(LEGACY) {
            Some(value) => {
                let secret = value.as_str().and_then(|text| Secret::of_at_least(LEGACY_MIN, text));
                Some(secret.ok_or_else(|| problem("the legacy pepper is too short or a placeholder"))?)
            }
            None => None,
        };
        for (name, value) in fields.iter().filter(|(name, _)| !["current", LEGACY].contains(&name.as_str())) {
            let version: u32 = name.parse().map_err(|_| problem("the name of a version is not a number"))?;
            if version == Pointer::HASHED {
                return Err(problem("version 0 is reserved for keys that were migrated as hashes"));
            }
            let secret = value.as_str().and_then(Secret::new);
            let secret =
                secret.ok_or_else(|| PepperError(format!("pepper {version} is too short or a placeholder")))?;
            live.insert(version, secret);
        }
        if !live.contains_key(&current) {
            return Err(problem("the current pepper is missing"));
        }
        Ok(Self { current, live, legacy })
    }

    /// Returns the version under which new keys are written.
    pub fn current(&self) -> u32 {
        self.current
    }

    /// Returns the live versions, smallest first.
    pub fn versions(&self) -> Vec<u32> {
        self.live.keys().copied().collect()
    }

    /// Returns the pointers under which a key may be stored, the one under the current pepper first.
    pub fn pointers(&self, key: &KeyText) -> Vec<Pointer> {
        self.macs(key.expose())
    }

    /// Returns the pointers under which a key of an older installation may be stored: first its MACs, then its old
    /// hash.
    pub fn legacy_pointers(&self, key: &LegacyText<'_>) -> Vec<Pointer> {
        let macs = self.macs(key.expose()).into_iter();
        macs.chain(self.hashed(key)).collect()
    }

    /// Returns the pointer under which a key of an older installation is stored: its MAC under the current pepper.
    pub fn legacy_pointer(&self, key: &LegacyText<'_>) -> Option<Pointer> {
        self.pointer_of(self.current, key.expose())
    }

    /// Whether keys that were migrated as hashes can be found.
    pub fn finds_hashed(&self) -> bool {
        self.legacy.is_some()
    }

    /// Returns the pointer of a key that was migrated as the hash `sha256(key || pepper)`.
    fn hashed(&self, key: &LegacyText<'_>) -> Option<Pointer> {
        let digest = Sha256::new().chain_update(key.expose()).chain_update(self.legacy.as_ref()?.expose()).finalize();
        Pointer::hashed(&hex(&digest))
    }

    /// Returns a key's pointer under one pepper, or `None` if that pepper is not live.
    pub fn pointer(&self, version: u32, key: &KeyText) -> Option<Pointer> {
        self.pointer_of(version, key.expose())
    }

    fn macs(&self, text: &str) -> Vec<Pointer> {
        let others = self.live.keys().rev().filter(|version| **version != self.current);
        std::iter::once(&self.current).chain(others).filter_map(|version| self.pointer_of(*version, text)).collect()
    }

    fn pointer_of(&self, version: u32, text: &str) -> Option<Pointer> {
        let mac = self.mac(version, &["key", text])?;
        Some(Pointer { pepper: version, mac: URL_SAFE_NO_PAD.encode(mac) })
    }

    /// Derives the key for a request: the same request always gets the same key. Returns `None` if the pepper is not
    /// live.
    pub fn derive(&self, version: u32, prefix: &KeyPrefix, environment: KeyMode, request: &[&str]) -> Option<KeyText> {
        let context: Vec<&str> = std::iter::once("mint").chain(request.iter().copied()).collect();
        Some(KeyText::write(prefix, environment, self.mac(version, &context)?))
    }

    fn mac(&self, version: u32, parts: &[&str]) -> Option<[u8; 32]> {
        let pepper = self.live.get(&version)?;
        Some(pepper.mac([framed(parts).as_slice()]).finalize().into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "0123456789abcdef0123456789abcdef";
    const TWO: &str = "fedcba9876543210fedcba9876543210";

    fn peppers(text: &str) -> Peppers {
        Peppers::parse(text).unwrap()
    }

    fn sk() -> KeyPrefix {
        KeyPrefix::parse("sk").unwrap()
    }

    #[test]
    fn pointers_start_with_the_current_pepper_and_include_all_live_ones() {
        let both = peppers(&format!(r#"{{"current": 1, "1": "{ONE}", "2": "{TWO}"}}"#));
        let key = KeyText::write(&sk(), KeyMode::Production, [9; 32]);
        let versions: Vec<u32> = both.pointers(&key).iter().map(|pointer| pointer.pepper).collect();
        assert_eq!(versions, [1, 2]);
        let one = peppers(&format!(r#"{{"current": 1, "1": "{ONE}"}}"#));
        assert_eq!(one.pointers(&key)[0], both.pointers(&key)[0], "a pepper's MAC does not depend on the others");
        assert_ne!(both.pointers(&key)[0].mac, both.pointers(&key)[1].mac);
        assert_eq!(one.pointer(2, &key), None);
    }

    #[test]
    fn a_derived_key_depends_on_pepper_and_request_only() {
        let peppers = peppers(&format!(r#"{{"current": 1, "1": "{ONE}", "2": "{TWO}"}}"#));
        let derive = |version, request: &[&str]| peppers.derive(version, &sk(), KeyMode::Test, request);
        assert_eq!(derive(1, &["org_1", "k"]), derive(1, &["org_1", "k"]));
        assert_ne!(derive(1, &["org_1", "k"]), derive(1, &["org_1k", ""]));
        assert_ne!(derive(1, &["org_1", "k"]), derive(2, &["org_1", "k"]));
        assert_eq!(derive(3, &["org_1", "k"]), None);
        assert!(KeyText::parse(&sk(), derive(1, &["a"]).unwrap().expose()).is_some());
    }

    #[test]
    fn an_unusable_secret_is_refused_and_not_quoted() {
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"current": 1}"#,
            r#"{"current": 1, "1": "short"}"#,
            r#"{"current": 1, "1": "changeme-changeme-changeme-changeme"}"#,
            &format!(r#"{{"current": 2, "1": "{ONE}"}}"#),
            &format!(r#"{{"current": 1, "1": "{ONE}", "x": "{TWO}"}}"#),
            &format!(r#"{{"current": 1, "0": "{TWO}", "1": "{ONE}"}}"#),
            &format!(r#"{{"current": 0, "0": "{ONE}"}}"#),
            &format!(r#"{{"current": 1, "1": "{ONE}", "legacy": "short"}}"#),
        ] {
            let error = Peppers::parse(bad).unwrap_err().to_string();
            assert!(!error.contains(ONE) && !error.contains("short\""), "{error}");
            assert!(!error.contains(TWO), "{error}");
        }
    }
}
