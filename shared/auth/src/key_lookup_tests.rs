use std::collections::HashMap;

use consigne_core::{KeyId, OrgId};

use super::*;

const ONE: &str = "0123456789abcdef0123456789abcdef";
const TWO: &str = "fedcba9876543210fedcba9876543210";
const NOW: Timestamp = Timestamp::from_secs(1_000);

/// A store of pointers that counts the lookups and records the moves to another pepper.
#[derive(Default)]
struct CountingStore {
    pointers: Mutex<HashMap<PointerKey, KeyFacts>>,
    asked: Mutex<u32>,
    moved: Mutex<Vec<(u32, u32)>>,
}

/// A pointer as a map's key: the pepper's version and the MAC.
type PointerKey = (u32, String);

impl FindKey for CountingStore {
    async fn find_key(&self, pointers: &[Pointer]) -> Result<Option<(Pointer, KeyFacts)>, Fault> {
        *self.asked.lock().unwrap() += 1;
        let known = self.pointers.lock().unwrap();
        let find = |pointer: &Pointer| known.get(&(pointer.pepper, pointer.mac.clone())).cloned();
        Ok(pointers.iter().find_map(|pointer| Some((pointer.clone(), find(pointer)?))))
    }
}

impl Repoint for CountingStore {
    async fn repoint(&self, old: &Pointer, new: &Pointer, key: &KeyFacts, _: Timestamp) -> Result<(), Fault> {
        self.moved.lock().unwrap().push((old.pepper, new.pepper));
        self.pointers.lock().unwrap().insert((new.pepper, new.mac.clone()), key.clone());
        Ok(())
    }
}

fn sk() -> KeyPrefix {
    KeyPrefix::parse("sk").unwrap()
}

fn peppers(current: u32, live: &[(u32, &str)]) -> Peppers {
    let live: Vec<String> = live.iter().map(|(version, secret)| format!(r#""{version}": "{secret}""#)).collect();
    Peppers::parse(&format!(r#"{{"current": {current}, {}}}"#, live.join(", "))).unwrap()
}

fn finder(peppers: Peppers) -> KeyFinder {
    KeyFinder::new(sk(), Refreshed::fixed(peppers), None)
}

/// Writes a key under one pepper and returns its text.
async fn written(register: &CountingStore, peppers: Peppers, version: u32) -> String {
    let mint = KeyMint::new(sk(), Refreshed::fixed(peppers));
    let (text, pointer) = mint.text(version, KeyMode::Production, &["test", &KeyMint::nonce()], NOW).await.unwrap();
    let facts = KeyFacts {
        org: OrgId::mint(NOW),
        id: KeyId::mint(NOW),
        environment: KeyMode::Production,
        generation: 1,
        spender: None,
    };
    register.pointers.lock().unwrap().insert((pointer.pepper, pointer.mac), facts);
    text.expose().to_owned()
}

#[tokio::test]
async fn a_key_is_looked_up_once_and_a_malformed_text_never() {
    let register = CountingStore::default();
    let text = written(&register, peppers(1, &[(1, ONE)]), 1).await;
    let finder = finder(peppers(1, &[(1, ONE)]));
    for _ in 0..3 {
        assert!(finder.find(&register, &text, NOW).await.unwrap().is_some());
    }
    for bad in ["", "sk_live_x", &text[..50], &format!("{text}0"), &text.replacen("live", "test", 1)] {
        assert_eq!(finder.find(&register, bad, NOW).await.unwrap(), None);
    }
    assert_eq!(*register.asked.lock().unwrap(), 1);
}

/// Stores the pointer of a migrated key of an older installation.
fn put_migrated_key(register: &CountingStore, pointer: Pointer) {
    let facts = KeyFacts {
        org: OrgId::mint(NOW),
        id: KeyId::mint(NOW),
        environment: KeyMode::Production,
        generation: 1,
        spender: None,
    };
    register.pointers.lock().unwrap().insert((pointer.pepper, pointer.mac), facts);
}

#[tokio::test]
async fn a_key_of_an_older_installation_is_looked_up_once_until_such_keys_end() {
    let (old, unknown) = ("sk_live_an-older-key_0123456789", "sk_live_nobodys-key_0123456789");
    let register = CountingStore::default();
    let one = peppers(1, &[(1, ONE)]);
    put_migrated_key(&register, one.legacy_pointer(&LegacyText::parse(&sk(), old).unwrap()).unwrap());
    let asked = || *register.asked.lock().unwrap();
    assert_eq!(finder(one.clone()).find(&register, old, NOW).await.unwrap(), None);
    assert_eq!(asked(), 0, "without such a time nothing is looked up");

    let end = NOW.plus(std::time::Duration::from_secs(1));
    let finder = KeyFinder::new(sk(), Refreshed::fixed(one), Some(end));
    assert_eq!(finder.find(&register, unknown, NOW).await.unwrap(), None);
    assert_eq!(asked(), 1, "one look-up for a text that may be a key");
    for _ in 0..3 {
        assert!(finder.find(&register, old, NOW).await.unwrap().is_some());
    }
    assert_eq!(asked(), 2, "and one for a key, whose facts are remembered");
    for none in ["", "sk_live_short", "pk_live_short", "sk_live_an older key 0123456789"] {
        assert_eq!(finder.find(&register, none, NOW).await.unwrap(), None);
    }
    for text in [old, unknown] {
        assert_eq!(finder.find(&register, text, end).await.unwrap(), None, "also what is remembered");
    }
    assert_eq!(asked(), 2);
}

#[tokio::test]
async fn a_migrated_key_of_another_prefix_is_found_until_such_keys_end() {
    let old = "acme_test_an-older-key_0123456789";
    let register = CountingStore::default();
    let one = peppers(1, &[(1, ONE)]);
    put_migrated_key(&register, one.legacy_pointer(&LegacyText::parse(&sk(), old).unwrap()).unwrap());
    let end = NOW.plus(std::time::Duration::from_secs(1));
    let finder = KeyFinder::new(sk(), Refreshed::fixed(one), Some(end));
    assert!(finder.find(&register, old, NOW).await.unwrap().is_some());
    assert_eq!(finder.find(&register, old, end).await.unwrap(), None);
}

#[tokio::test]
async fn a_key_migrated_as_a_hash_moves_to_the_current_pepper_at_its_first_use() {
    let old = "sk_live_an-older-key_0123456789";
    let text = || LegacyText::parse(&sk(), old).unwrap();
    let with = |legacy: &str| Peppers::parse(&format!(r#"{{"current": 1, "1": "{ONE}"{legacy}}}"#)).unwrap();
    let (register, both) = (CountingStore::default(), with(r#", "legacy": "an-older-pepper""#));
    put_migrated_key(&register, both.legacy_pointers(&text()).pop().unwrap());
    let finder =
        |peppers| KeyFinder::new(sk(), Refreshed::fixed(peppers), Some(NOW.plus(std::time::Duration::from_secs(1))));
    assert_eq!(finder(with("")).find(&register, old, NOW).await.unwrap(), None, "without that pepper");
    assert!(finder(both.clone()).find(&register, old, NOW).await.unwrap().is_some());
    assert!(finder(both).find(&register, old, NOW).await.unwrap().is_some());
    assert_eq!(*register.moved.lock().unwrap(), [(Pointer::HASHED, 1)], "once");
    assert!(finder(with("")).find(&register, old, NOW).await.unwrap().is_some(), "it is needed no more");
}

#[tokio::test]
async fn what_is_stored_of_a_key_is_no_key() {
    let old = "sk_live_an-older-key_0123456789";
    let register = CountingStore::default();
    let live = Peppers::parse(&format!(r#"{{"current": 1, "1": "{ONE}", "legacy": "an-older-pepper"}}"#)).unwrap();
    written(&register, live.clone(), 1).await;
    for pointer in live.legacy_pointers(&LegacyText::parse(&sk(), old).unwrap()) {
        put_migrated_key(&register, pointer);
    }
    let stored: Vec<String> = register.pointers.lock().unwrap().keys().map(|(_, mac)| mac.clone()).collect();
    assert_eq!(stored.len(), 3);
    let end = NOW.plus(std::time::Duration::from_secs(1));
    for until in [None, Some(end)] {
        let finder = KeyFinder::new(sk(), Refreshed::fixed(live.clone()), until);
        for mac in &stored {
            for text in [mac.clone(), format!("sk_live_{mac}"), format!("sk_test_{mac}")] {
                assert_eq!(finder.find(&register, &text, NOW).await.unwrap(), None, "{text}");
            }
        }
    }
}

#[tokio::test]
async fn a_key_is_found_under_either_pepper_and_moves_to_the_current_one() {
    let register = CountingStore::default();
    let text = written(&register, peppers(1, &[(1, ONE)]), 1).await;
    let both = || peppers(2, &[(1, ONE), (2, TWO)]);
    assert!(finder(both()).find(&register, &text, NOW).await.unwrap().is_some());
    assert!(finder(both()).find(&register, &text, NOW).await.unwrap().is_some());
    assert_eq!(*register.moved.lock().unwrap(), [(1, 2)], "once");
    assert!(
        finder(peppers(2, &[(2, TWO)])).find(&register, &text, NOW).await.unwrap().is_some(),
        "pepper 1 is not needed"
    );
}

#[tokio::test]
async fn a_key_never_moves_to_an_older_pepper() {
    let register = CountingStore::default();
    let text = written(&register, peppers(2, &[(1, ONE), (2, TWO)]), 2).await;
    // An execution environment that knows the new pepper, but not yet that it is the current one.
    let behind = finder(peppers(1, &[(1, ONE), (2, TWO)]));
    assert!(behind.find(&register, &text, NOW).await.unwrap().is_some());
    assert!(register.moved.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_key_under_a_newly_added_pepper_is_found_after_the_peppers_are_read_again() {
    let register = CountingStore::default();
    let text = written(&register, peppers(2, &[(1, ONE), (2, TWO)]), 2).await;
    let fetch: crate::Fetch<Peppers> = Box::new(|| Box::pin(async { Ok(peppers(2, &[(1, ONE), (2, TWO)])) }));
    let finder = KeyFinder::new(sk(), Refreshed::new(peppers(1, &[(1, ONE)]), NOW, fetch), None);
    assert!(finder.find(&register, &text, NOW).await.unwrap().is_some());
}
