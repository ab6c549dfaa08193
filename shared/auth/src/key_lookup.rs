//! Writing keys and finding them again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use consigne_core::keys::{KeyFacts, KeyMode, Pointer};
use consigne_core::ports::{FindKey, Repoint};
use consigne_core::text::hex;
use consigne_core::{Fault, Timestamp};

use crate::{KeyPrefix, KeyText, LegacyText, Peppers, Refreshed};

/// Keys remembered before all are forgotten.
const SEEN_MAX: usize = 10_000;

/// Writes the texts of keys.
#[derive(Debug)]
pub struct KeyMint {
    prefix: KeyPrefix,
    peppers: Refreshed<Peppers>,
}

impl KeyMint {
    /// Makes a mint.
    pub fn new(prefix: KeyPrefix, peppers: Refreshed<Peppers>) -> Self {
        Self { prefix, peppers }
    }

    /// Gives the beginning of keys of an environment.
    pub fn prefix(&self, environment: KeyMode) -> String {
        self.prefix.of(environment)
    }

    /// Gives the pepper new keys are written under.
    pub async fn current(&self, now: Timestamp) -> u32 {
        self.peppers.get(now).await.current()
    }

    /// Reads the peppers again: what is written under the current one was refused.
    pub async fn refresh(&self, now: Timestamp) {
        self.peppers.refresh(now).await;
    }

    /// Gives 256 random bits, for a request that brings no idempotency key.
    ///
    /// # Panics
    /// Panics when the operating system has no randomness to give, without which no key is safe.
    pub fn nonce() -> String {
        let mut bytes = [0_u8; 32];
        // Only fails on systems without a random source; there is no safe answer without one.
        #[allow(clippy::expect_used)]
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        hex(&bytes)
    }

    /// Writes the text that follows from a request, and the place it is kept at: the same text for the same request, so
    /// that a lost answer can be given again although no text is kept.
    ///
    /// `request` ends in a nonce or in the caller's idempotency key, of which the table has only a hash; whoever has the
    /// table and the peppers therefore still cannot write any key anew.
    ///
    /// # Errors
    /// `CONFLICT` when the pepper is no longer live, long after the request.
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

/// Finds keys by their texts, and remembers of each what never changes.
#[derive(Debug)]
pub struct KeyFinder {
    prefix: KeyPrefix,
    peppers: Refreshed<Peppers>,
    legacy_until: Option<Timestamp>,
    seen: Mutex<HashMap<String, KeyFacts>>,
}

/// A text that may be a key's.
enum Shown<'a> {
    Own(KeyText),
    Legacy(LegacyText<'a>),
}

impl Shown<'_> {
    /// Gives the places its key may be found at, that under the current pepper first.
    fn pointers(&self, peppers: &Peppers) -> Vec<Pointer> {
        match self {
            Self::Own(text) => peppers.pointers(text),
            Self::Legacy(text) => peppers.legacy_pointers(text),
        }
    }
}

impl KeyFinder {
    /// Makes a finder that has seen nothing. Keys of an older installation are looked for until a time, if there is one.
    pub fn new(prefix: KeyPrefix, peppers: Refreshed<Peppers>, legacy_until: Option<Timestamp>) -> Self {
        Self { prefix, peppers, legacy_until, seen: Mutex::default() }
    }

    /// Finds a key; `None` when no key has this text. A text with a wrong checksum is looked up nowhere, unless it may be a
    /// key of an older installation and those still work: then once, like any other.
    pub async fn find<F: FindKey + Repoint>(
        &self,
        keys: &F,
        text: &str,
        now: Timestamp,
    ) -> Result<Option<KeyFacts>, Fault> {
        let Some(text) = self.shown(text, now) else { return Ok(None) };
        let peppers = self.peppers.get(now).await;
        let pointers = text.pointers(&peppers);
        if let Some(facts) = pointers.first().and_then(|pointer| self.get_idempotency_record(pointer)) {
            return Ok(Some(facts));
        }
        if let Some(facts) = self.look_up(keys, &pointers, now).await? {
            return Ok(Some(facts));
        }
        // It may have been written under a pepper that was added since this environment started.
        let newer = self.peppers.refresh(now).await;
        if newer.versions() == peppers.versions() {
            return Ok(None);
        }
        self.look_up(keys, &text.pointers(&newer), now).await
    }

    /// Takes a text for a key's own, or for one of an older installation while those work. Looks nothing up.
    fn shown<'a>(&self, text: &'a str, now: Timestamp) -> Option<Shown<'a>> {
        let legacy =
            || LegacyText::parse(&self.prefix, text).filter(|_| self.legacy_until.is_some_and(|end| now < end));
        KeyText::parse(&self.prefix, text).map(Shown::Own).or_else(|| legacy().map(Shown::Legacy))
    }

    /// Remembers that a key's facts have changed after all: its spender has left.
    pub async fn correct(&self, text: &str, facts: &KeyFacts, now: Timestamp) {
        let Some(text) = self.shown(text, now) else { return };
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
            // Never back to an older one, should this environment not know yet that a newer one is current.
            if found.pepper < current.pepper {
                // A failure only leaves this to the next environment that sees the key; until then it is found as now, and
                // the old pepper cannot be retired.
                drop(keys.repoint(&found, current, &facts, now).await);
            }
            self.remember(current.clone(), facts.clone());
        }
        Ok(Some(facts))
    }

    fn get_idempotency_record(&self, pointer: &Pointer) -> Option<KeyFacts> {
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
