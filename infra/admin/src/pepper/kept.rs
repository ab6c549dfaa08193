//! The text of the peppers' secret, and the changes that can be made to it.

use std::collections::BTreeMap;

use consigne_auth::Peppers;
use consigne_core::keys::Pointer;
use serde_json::{Map, Value};

/// Why a pepper cannot be retired.
#[derive(Debug)]
pub(crate) enum Bar {
    /// It does not exist.
    NotLive(String),
    /// It is the current one, under which new keys are stored.
    Current,
    /// It is the newest one. The next pepper would get its number, and cached results by number would refer to the
    /// wrong one.
    Newest,
}

/// Name, in the secret, of the pepper of an older installation.
const LEGACY: &str = "legacy";

/// All live peppers by version. That of an older installation has version 0. It has no `Debug`, because it contains
/// secrets.
pub(crate) struct Kept {
    current: u32,
    live: BTreeMap<u32, String>,
}

impl Kept {
    /// Parses `{"current": 1, "1": "...", "2": "..."}`, by the rules of the functions that read it too.
    ///
    /// # Errors
    /// If the functions could not use it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let unfit = |why: String| {
            format!("The secret of peppers cannot be used: {why}. Its previous value is under AWSPREVIOUS.")
        };
        let current = Peppers::parse(text).map_err(|error| unfit(error.to_string()))?.current();
        let fields: Map<String, Value> =
            serde_json::from_str(text).map_err(|_| unfit("it is not a JSON object".to_owned()))?;
        let version = |name: &str| if name == LEGACY { Some(Pointer::HASHED) } else { name.parse().ok() };
        let pepper = |(name, value): (String, Value)| Some((version(&name)?, value.as_str()?.to_owned()));
        Ok(Self { current, live: fields.into_iter().filter_map(pepper).collect() })
    }

    /// Encodes the secret's text.
    ///
    /// # Errors
    /// If the functions could not read it.
    pub(crate) fn render(&self) -> Result<String, String> {
        let mut fields = Map::new();
        fields.insert("current".to_owned(), self.current.into());
        let name = |version: u32| if version == Pointer::HASHED { LEGACY.to_owned() } else { version.to_string() };
        fields.extend(self.live.iter().map(|(version, pepper)| (name(*version), pepper.clone().into())));
        let text = Value::Object(fields).to_string();
        Peppers::parse(&text).map_err(|error| format!("Nothing was changed: {error}."))?;
        Ok(text)
    }

    /// Returns the version under which new keys are stored.
    pub(crate) fn current(&self) -> u32 {
        self.current
    }

    /// Returns the live versions, oldest first.
    pub(crate) fn versions(&self) -> impl Iterator<Item = u32> {
        self.live.keys().copied()
    }

    /// Returns whether a version is live.
    pub(crate) fn holds(&self, version: u32) -> bool {
        self.live.contains_key(&version)
    }

    fn newest(&self) -> u32 {
        self.versions().last().unwrap_or(self.current)
    }

    /// Adds a pepper without making it current. Returns its version.
    pub(crate) fn add(&mut self, pepper: String) -> Result<u32, String> {
        let next = self.newest().checked_add(1).ok_or("All version numbers are used up.")?;
        self.live.insert(next, pepper);
        Ok(next)
    }

    /// Adds the pepper of an older installation.
    pub(crate) fn take_legacy(&mut self, pepper: String) -> Result<(), String> {
        if self.holds(Pointer::HASHED) {
            return Err("There is already a pepper of an older installation, version 0. Retire it first.".to_owned());
        }
        self.live.insert(Pointer::HASHED, pepper);
        Ok(())
    }

    /// Makes a live version current. Returns `false` if it is already.
    pub(crate) fn promote(&mut self, version: u32) -> Result<bool, String> {
        if version == Pointer::HASHED {
            return Err("Pepper 0 is that of an older installation, under which no new keys are stored.".to_owned());
        }
        if !self.holds(version) {
            return Err(self.unknown(version));
        }
        let changes = self.current != version;
        self.current = version;
        Ok(changes)
    }

    /// Returns why a version cannot be retired, even if no key needs it.
    pub(crate) fn bar(&self, version: u32) -> Option<Bar> {
        if !self.holds(version) {
            return Some(Bar::NotLive(self.unknown(version)));
        }
        if version == self.current {
            return Some(Bar::Current);
        }
        (version == self.newest()).then_some(Bar::Newest)
    }

    /// Removes a version, unless [`Self::bar`] says why not.
    pub(crate) fn retire(&mut self, version: u32) -> Result<(), String> {
        let why = match self.bar(version) {
            None => {
                self.live.remove(&version);
                return Ok(());
            }
            Some(Bar::NotLive(problem)) => return Err(problem),
            Some(Bar::Current) => "is current: new keys are stored under it. Promote another one first",
            Some(Bar::Newest) => "is the newest, and the next one would get its number. Add a newer one first",
        };
        Err(format!("Pepper {version} {why}; `consigne pepper add` makes one."))
    }

    fn unknown(&self, version: u32) -> String {
        let live: Vec<String> = self.versions().map(|version| version.to_string()).collect();
        format!("Pepper {version} is not live; live are: {}.", live.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "0123456789abcdef0123456789abcdef";
    const TWO: &str = "fedcba9876543210fedcba9876543210";

    fn kept(text: &str) -> Kept {
        Kept::parse(text).ok().unwrap()
    }

    fn two() -> Kept {
        kept(&format!(r#"{{"current": 1, "1": "{ONE}", "2": "{TWO}"}}"#))
    }

    #[test]
    fn a_pepper_is_added_promoted_and_the_old_one_retired() {
        let mut held = kept(&format!(r#"{{"current": 1, "1": "{ONE}"}}"#));
        assert_eq!(held.add(TWO.to_owned()), Ok(2));
        assert_eq!(held.render().unwrap(), format!(r#"{{"current":1,"1":"{ONE}","2":"{TWO}"}}"#));
        assert_eq!(held.promote(2), Ok(true));
        assert_eq!(held.promote(2), Ok(false));
        assert_eq!(held.retire(1), Ok(()));
        assert_eq!(held.render().unwrap(), format!(r#"{{"current":2,"2":"{TWO}"}}"#));
    }

    #[test]
    fn the_current_the_newest_and_unknown_ones_stay() {
        let mut held = two();
        assert!(held.retire(1).unwrap_err().contains("is current"));
        assert!(held.retire(2).unwrap_err().contains("is the newest"));
        assert!(held.retire(7).unwrap_err().contains("live are: 1, 2."));
        assert!(held.promote(7).unwrap_err().contains("Pepper 7 is not live"));
        held.add(ONE.to_owned()).unwrap();
        assert_eq!(held.retire(2), Ok(()), "with a newer one its number is not given again");
        assert_eq!(held.add(TWO.to_owned()), Ok(4));
    }

    #[test]
    fn versions_are_numbers_not_texts() {
        let many: Vec<String> = (1..=10).map(|version| format!(r#""{version}": "{ONE}""#)).collect();
        let mut held = kept(&format!(r#"{{"current": 9, {}}}"#, many.join(", ")));
        assert_eq!(held.add(TWO.to_owned()), Ok(11));
    }

    #[test]
    fn the_pepper_of_an_older_installation_is_taken_and_retired_and_never_current() {
        let mut held = kept(&format!(r#"{{"current": 1, "1": "{ONE}"}}"#));
        assert_eq!(held.take_legacy("old-pepper".to_owned()), Ok(()));
        assert_eq!(held.render().unwrap(), format!(r#"{{"current":1,"legacy":"old-pepper","1":"{ONE}"}}"#));
        let mut again = kept(&held.render().unwrap());
        assert!(again.take_legacy("other-one".to_owned()).unwrap_err().contains("already"));
        assert!(again.promote(0).unwrap_err().contains("no new keys are stored"));
        assert_eq!(again.add(TWO.to_owned()), Ok(2));
        assert_eq!(again.retire(0), Ok(()));
        assert_eq!(again.render().unwrap(), format!(r#"{{"current":1,"1":"{ONE}","2":"{TWO}"}}"#));
        held.take_legacy("short".to_owned()).unwrap_err();
    }

    #[test]
    fn what_is_refused_shows_no_pepper() {
        for bad in ["", "{}", r#"{"current": 1}"#, &format!(r#"{{"current": 3, "1": "{ONE}"}}"#)] {
            let error = Kept::parse(bad).err().unwrap();
            assert!(error.contains("cannot be used") && !error.contains(ONE), "{error}");
        }
        let mut held = two();
        held.add("short".to_owned()).unwrap();
        assert!(!held.render().unwrap_err().contains("\"short\""));
    }
}
