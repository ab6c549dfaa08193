//! Creates API keys, and finds keys by their text.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use consigne_core::keys::{KeyFacts, KeyMode, Pointer};
use consigne_core::ports::{FindKey, Repoint};
use consigne_core::text::{hex, pasted};
use consigne_core::{Fault, Timestamp};

use crate::{KeyPrefix, KeyText, LegacyText, Peppers, Refreshed};

/// How many keys are remembered. When the limit is reached, all are forgotten.
const SEEN_MAX: usize = 10_000;

/// Creates the texts of new keys.
#[derive(Debug)]
pub struct KeyMint {
    prefix: KeyPrefix,
    peppers: Refreshed<Peppers>,
}

impl KeyMint {
    /// Creates a mint for keys with this prefix.
    pub fn new(prefix: KeyPrefix, peppers: Refreshed<Peppers>) -> Self {
        Self { prefix, peppers }
    }

    /// Returns the common prefix of all keys of a mode, such as `sk_live`.
    pub fn prefix(&self, environment: KeyMode) -> String {
        self.prefix.of(environment)
    }

    /// Returns the version of the pepper under which new keys are written.
    pub async fn current(&self, now: Timestamp) -> u32 {
        self.peppers.get(now).await.current()
    }

    /// Reads the peppers again. Called when a write was refused because its pepper is no longer current.
    pub async fn refresh(&self, now: Timestamp) {
        self.peppers.refresh(now).await;
    }

    /// Returns 256 random bits in hexadecimal, for a request without an idempotency key.
    ///
    /// # Panics
    /// If the operating system has no random bytes. Without them no key is safe.
    pub fn nonce() -> String {
        let mut bytes = [0_u8; 32];
        // Fails only on systems without a random source, and there is no safe answer without one.
        #[allow(clippy::expect_used)]
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        hex(&bytes)
    }

    /// Derives the key for a request, and the pointer under which it is stored. The same request gets the same key, so
    /// a lost answer can be sent again although no key is stored.
    ///
    /// The last part of `request` is a nonce or the caller's idempotency key. The table keeps only a hash of it, so the
    /// table and the peppers together are not enough to derive a key.
    ///
    /// # Errors
    /// `CONFLICT` if the pepper was retired since the request was first made.
    pub async fn text(
        &self,
        pepper: u32,
        environment: KeyMode,
        request: &[&str],
        now: Timestamp,
    ) -> Result<(KeyText, Pointer), Fault> {
        let write = |peppers: &Peppers| {
            let text = peppers.derive(pepper, &self.prefix, environment, request)?;
            let pointer = peppers.pointer(pepper, &text)?;
            Some((text, pointer))
        };
        if let Some(written) = write(&*self.peppers.get(now).await) {
            return Ok(written);
        }
        write(&*self.peppers.refresh(now).await).ok_or_else(|| {
            Fault::new(consigne_core::Code::Conflict, "The key was issued, and cannot be shown again; rotate it")
        })
    }
}

/// Finds keys by their texts, and remembers the facts about each that do not change.
#[derive(Debug)]
pub struct KeyFinder {
    prefix: KeyPrefix,
    peppers: Refreshed<Peppers>,
    legacy_until: Option<Timestamp>,
    seen: Mutex<HashMap<String, KeyFacts>>,
}

/// A text that may be a key.
enum Candidate<'a> {
    Own(KeyText),
    Legacy(LegacyText<'a>),
}

impl Candidate<'_> {
    /// Returns the pointers under which the key may be stored, the one under the current pepper first.
    fn pointers(&self, peppers: &Peppers) -> Vec<Pointer> {
        match self {
            Self::Own(text) => peppers.pointers(text),
            Self::Legacy(text) => peppers.legacy_pointers(text),
        }
    }
}

impl KeyFinder {
    /// Creates a finder that remembers no keys yet. Keys of an older installation are accepted until `legacy_until`, if
    /// given.
    pub fn new(prefix: KeyPrefix, peppers: Refreshed<Peppers>, legacy_until: Option<Timestamp>) -> Self {
        Self { prefix, peppers, legacy_until, seen: Mutex::default() }
    }

    /// Finds a key by its text. Returns `None` if there is no such key.
    ///
    /// A text with a wrong checksum is refused without a lookup. The exception is a text that may be a key of an older
    /// installation, while those are accepted.
    ///
    /// # Errors
    /// The errors of the lookup, such as `UNAVAILABLE` if the table does not answer.
    pub async fn find<F: FindKey + Repoint>(
        &self,
        keys: &F,
        text: &str,
        now: Timestamp,
    ) -> Result<Option<KeyFacts>, Fault> {
        let Some(text) = self.candidate(text, now) else { return Ok(None) };
        let peppers = self.peppers.get(now).await;
        let pointers = text.pointers(&peppers);
        if let Some(facts) = pointers.first().and_then(|pointer| self.remembered(pointer)) {
            return Ok(Some(facts));
        }
        if let Some(facts) = self.look_up(keys, &pointers, now).await? {
            return Ok(Some(facts));
        }
        // The key may be stored under a pepper that was added after this execution environment started.
        let newer = self.peppers.refresh(now).await;
        if newer.versions() == peppers.versions() {
            return Ok(None);
        }
        self.look_up(keys, &text.pointers(&newer), now).await
    }

    /// Parses a text as a key of this installation, or of an older one while those are accepted. Spaces around it are
    /// dropped, because keys are pasted. Looks nothing up.
    fn candidate<'a>(&self, text: &'a str, now: Timestamp) -> Option<Candidate<'a>> {
        let text = pasted(text);
        let legacy =
            || LegacyText::parse(&self.prefix, text).filter(|_| self.legacy_until.is_some_and(|end| now < end));
        KeyText::parse(&self.prefix, text).map(Candidate::Own).or_else(|| legacy().map(Candidate::Legacy))
    }

    /// Replaces the remembered facts about a key. Needed when its payer has changed, the only fact that can.
    pub async fn correct(&self, text: &str, facts: &KeyFacts, now: Timestamp) {
        let Some(text) = self.candidate(text, now) else { return };
        if let Some(pointer) = text.pointers(&*self.peppers.get(now).await).into_iter().next() {
            self.remember(pointer, facts.clone());
        }
    }

    async fn look_up<F: FindKey + Repoint>(
        &self,
        keys: &F,
        pointers: &[Pointer],
        now: Timestamp,
    ) -> Result<Option<KeyFacts>, Fault> {
        let Some((found, facts)) = keys.find_key(pointers).await? else { return Ok(None) };
        if let Some(current) = pointers.first() {
            // Never move a key back to an older pepper: this execution environment may not yet know which one is
            // current.
            if found.pepper < current.pepper {
                // If this fails, the next execution environment that sees the key tries again. Until then the key is
                // found as before, and its old pepper cannot be retired.
                drop(keys.repoint(&found, current, &facts, now).await);
            }
            self.remember(current.clone(), facts.clone());
        }
        Ok(Some(facts))
    }

    fn remembered(&self, pointer: &Pointer) -> Option<KeyFacts> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&pointer.mac).cloned()
    }

    fn remember(&self, pointer: Pointer, facts: KeyFacts) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= SEEN_MAX {
            seen.clear();
        }
        seen.insert(pointer.mac, facts);
    }
}

#[cfg(test)]
#[path = "key_lookup_tests.rs"]
mod tests;
