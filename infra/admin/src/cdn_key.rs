//! `consigne cdn-key`: replaces the key that signs URLs of the CDN, while URLs are in use.
//!
//! The secret has up to two keys, in the slots `a` and `b`. `make deploy EDGE=1` hands their public keys to the CDN and writes
//! the ids that the CDN gave them into the secret. A key signs only once the CDN has it, and leaves only once no URL that it
//! has signed is valid.

use std::time::Duration;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use consigne_core::Timestamp;
use consigne_core::files::TICKET_MAX;
use consigne_runtime::clock;
use consigne_runtime::settings::CDN_KEYS_ARN;
use consigne_storage::CdnKeys;
use serde_json::{Map, Value, json};

use crate::operator::{Operator, work};
use crate::report::{Outcome, Report};
use crate::stack_env::Which;

/// The places for keys.
const SLOTS: [&str; 2] = ["a", "b"];
/// How long after a promotion the former key is still needed: environments sign with it for five minutes, and what they
/// sign is valid for an hour.
const NEEDED: Duration = TICKET_MAX.saturating_add(Duration::from_mins(5));

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the keys by their ids, and which one signs. Never shows a key.
    #[command(after_help = "\
Examples:
  consigne cdn-key status
  consigne cdn-key status --json")]
    Status,
    /// Create the next key. It signs nothing until it is promoted; first `make deploy EDGE=1` hands it to the CDN.
    New,
    /// Let the newer key sign from now on.
    Promote,
    /// Remove the key that does not sign: the former one, or a new one that was never promoted.
    Retire {
        /// Remove it although URLs that it has signed may be valid, because it leaked.
        #[arg(long)]
        now: bool,
    },
}

pub(crate) fn run(which: &Which, command: &Command) -> Outcome {
    let names = [CDN_KEYS_ARN.name];
    let operator = match command {
        Command::Status => Operator::of_stack(which, &names)?,
        Command::New => Operator::to_change(which, &names, "Create another key for URLs of the CDN")?,
        Command::Promote => Operator::to_change(which, &names, "Sign URLs of the CDN with the newer key")?,
        Command::Retire { .. } => Operator::to_change(which, &names, "Remove the key that does not sign")?,
    };
    let secret = operator.secret(&CDN_KEYS_ARN)?;
    work(async {
        let held = secret.read().await?;
        let mut keys = Kept::parse(&held.text)?;
        let text = match command {
            Command::Status => return Ok(Report::new(keys.status(), keys.document())),
            Command::New => {
                keys.add(&new_key()?)?;
                "There is another key. Hand it to the CDN with `make deploy EDGE=1`, then `consigne cdn-key promote`."
            }
            Command::Promote => {
                keys.promote(clock::now())?;
                "Within five minutes URLs are signed with the newer key. In 65 minutes: `consigne cdn-key retire`."
            }
            Command::Retire { now } => {
                keys.retire(*now, clock::now())?;
                "The key is removed. `make deploy EDGE=1` takes it from the CDN, and then nothing signed with it is read."
            }
        };
        secret.replace(&held, keys.render()?).await?;
        Ok(Report::done(text, keys.document()))
    })
}

/// Creates a private key in PEM: RSA with 2048 bits, the only size that `CloudFront` accepts.
fn new_key() -> Result<String, String> {
    let failed = |_| "No key could be made.".to_owned();
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
    let body = STANDARD.encode(der.as_ref());
    let mut pem = "-----BEGIN PRIVATE KEY-----\n".to_owned();
    for line in body.as_bytes().chunks(64) {
        pem.extend(line.iter().map(|byte| char::from(*byte)));
        pem.push('\n');
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    Ok(pem)
}

/// The secret's text, parsed. It has no `Debug`, because it contains keys.
struct Kept(Map<String, Value>);

impl Kept {
    /// Parses the secret, by the rules of the functions that read it too.
    fn parse(text: &str) -> Result<Self, String> {
        let unfit = |why: String| format!("The secret cannot be used: {why}. Its previous value is under AWSPREVIOUS.");
        CdnKeys::parse(text).map_err(|error| unfit(error.to_string()))?;
        serde_json::from_str(text).map(Self).map_err(|_| unfit("it is not a JSON object".to_owned()))
    }

    fn render(&self) -> Result<String, String> {
        let text = Value::Object(self.0.clone()).to_string();
        CdnKeys::parse(&text).map_err(|error| format!("Nothing was changed: {error}."))?;
        Ok(text)
    }

    fn current(&self) -> &str {
        self.0.get("current").and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the slot that does not sign.
    fn other(&self) -> &'static str {
        if self.current() == SLOTS[0] { SLOTS[1] } else { SLOTS[0] }
    }

    fn id(&self, slot: &str) -> Option<&str> {
        self.0.get(slot)?.get("id")?.as_str().filter(|id| !id.is_empty())
    }

    fn add(&mut self, private: &str) -> Result<(), String> {
        let slot = self.other();
        if self.0.contains_key(slot) {
            return Err(
                "There are two keys already. `consigne cdn-key retire` removes the one that does not sign.".to_owned()
            );
        }
        self.0.insert(slot.to_owned(), json!({ "private": private }));
        Ok(())
    }

    fn promote(&mut self, now: Timestamp) -> Result<(), String> {
        let slot = self.other();
        if !self.0.contains_key(slot) {
            return Err("There is only one key. `consigne cdn-key new` creates another.".to_owned());
        }
        if self.id(slot).is_none() {
            return Err("The CDN does not have the newer key yet. `make deploy EDGE=1` hands it over.".to_owned());
        }
        self.0[slot]["since"] = now.to_string().into();
        self.0.insert("current".to_owned(), slot.into());
        Ok(())
    }

    fn retire(&mut self, leaked: bool, now: Timestamp) -> Result<(), String> {
        let slot = self.other();
        if !self.0.contains_key(slot) {
            return Err("There is only one key, and without it nothing could be read.".to_owned());
        }
        let since = self.0[self.current()].get("since").and_then(Value::as_str).and_then(Timestamp::parse);
        // A key that has signed before has been promoted, or was the first one. A new one never has.
        let has_signed = self.0[slot].get("since").is_some() || since.is_some();
        if let Some(until) = since.filter(|_| has_signed && !leaked).map(|since| since.plus(NEEDED))
            && now < until
        {
            return Err(format!(
                "URLs that the former key has signed are valid until {until}. If it leaked: `consigne cdn-key retire --now`."
            ));
        }
        self.0.remove(slot);
        Ok(())
    }

    fn status(&self) -> String {
        let line = |slot: &&str| {
            let role = if *slot == self.current() { "signs" } else { "does not sign" };
            self.0
                .contains_key(*slot)
                .then(|| format!("{slot}  {}  {role}", self.id(slot).unwrap_or("not at the CDN yet")))
        };
        SLOTS.iter().filter_map(line).collect::<Vec<_>>().join("\n")
    }

    /// Returns the ids for programs.
    fn document(&self) -> Value {
        let key = |slot: &&str| self.0.contains_key(*slot).then(|| json!({ "slot": slot, "id": self.id(slot) }));
        json!({ "current": self.current(), "keys": SLOTS.iter().filter_map(key).collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_257_000);

    fn one() -> Kept {
        let text = json!({ "current": "a", "a": { "id": "K1", "private": new_key().unwrap() } }).to_string();
        Kept::parse(&text).ok().unwrap()
    }

    #[test]
    fn a_key_is_added_handed_over_promoted_and_the_former_one_retired() {
        let mut keys = one();
        assert!(keys.promote(NOW).unwrap_err().contains("only one key"));
        assert!(keys.retire(false, NOW).unwrap_err().contains("only one key"));
        keys.add(&new_key().unwrap()).unwrap();
        assert!(keys.add(&new_key().unwrap()).unwrap_err().contains("two keys already"));
        assert!(keys.promote(NOW).unwrap_err().contains("does not have the newer key"));
        keys.0["b"]["id"] = "K2".into();
        keys.promote(NOW).unwrap();
        assert_eq!(keys.status(), "a  K1  does not sign\nb  K2  signs");
        CdnKeys::parse(&keys.render().unwrap()).unwrap();
        assert!(keys.retire(false, NOW.plus(Duration::from_mins(64))).unwrap_err().contains("are valid until"));
        keys.retire(false, NOW.plus(Duration::from_mins(65))).unwrap();
        assert_eq!(keys.document(), json!({ "current": "b", "keys": [{ "slot": "b", "id": "K2" }] }));
    }

    #[test]
    fn a_key_that_leaked_and_one_that_never_signed_leave_at_once() {
        let mut keys = one();
        keys.add(&new_key().unwrap()).unwrap();
        keys.retire(false, NOW).unwrap();
        keys.add(&new_key().unwrap()).unwrap();
        keys.0["b"]["id"] = "K2".into();
        keys.promote(NOW).unwrap();
        keys.retire(true, NOW).unwrap();
        assert!(!keys.status().contains("PRIVATE") && !keys.document().to_string().contains("PRIVATE"));
    }
}
