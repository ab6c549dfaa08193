//! Steps with API keys: issued, rotated, revoked, verified and charged.

use std::time::Duration;

use serde_json::{Value, json};

use super::books::{Charge, Key};
use super::events::{keyed, request, token};
use super::sim::Sim;
use super::steps::PEOPLE;
use crate::functions::SERVICE_TOKEN;

impl Sim {
    /// Issues a key.
    pub(super) fn issue_key(&mut self) {
        let number = self.books.number();
        let is_test = self.books.keys.len() > 1 && self.rng.percent(25);
        let environment = if is_test { "test" } else { "production" };
        let body = json!({ "name": format!("Key {number}"), "environment": environment,
            "scopes": ["pdf:read", "pdf:write"] });
        let event = self.of_key("POST /api/orgs/{org}/keys", "", &body);
        let issued =
            self.call(&format!("Ann issues key {number}"), "key-issue", &keyed(event, &format!("issue-{number}")));
        let Some((201, body)) = issued else { return };
        let text = |name: &str| body["data"][name].as_str().unwrap_or_default().to_owned();
        let texts = vec![(text("key"), None)];
        self.books.keys.push(Key { id: text("id"), texts, is_test, revoked: false, is_unsure: false });
    }

    /// Rotates a key, sometimes without grace for its previous text.
    pub(super) fn rotate_key(&mut self) {
        let Some(place) = self.some_key(|key| !key.revoked && !key.is_unsure) else { return };
        let number = self.books.number();
        let grace = if self.rng.percent(50) { 0 } else { 600 };
        let id = self.books.keys[place].id.clone();
        let event = self.of_key("POST /api/orgs/{org}/keys/{key}/rotate", &id, &json!({ "grace_seconds": grace }));
        let event = keyed(event, &format!("rotate-{number}"));
        let rotated = self.call(&format!("Ann rotates a key with {grace} seconds of grace"), "key-rotate", &event);
        let dead_from = self.now().plus(Duration::from_secs(grace));
        let key = &mut self.books.keys[place];
        match rotated {
            Some((201, body)) => {
                for (_, dead) in key.texts.iter_mut().filter(|(_, dead)| dead.is_none_or(|dead| dead > dead_from)) {
                    *dead = Some(dead_from);
                }
                key.texts.push((body["data"]["key"].as_str().unwrap_or_default().to_owned(), None));
            }
            Some(_) => {}
            None => key.is_unsure = true,
        }
    }

    /// Revokes a key.
    pub(super) fn revoke_key(&mut self) {
        let Some(place) = self.some_key(|key| !key.revoked) else { return };
        let id = self.books.keys[place].id.clone();
        let event = self.of_key("POST /api/orgs/{org}/keys/{key}/revoke", &id, &json!({ "reason": "drill" }));
        if let Some((200, _)) = self.call("Ann revokes a key", "key-revoke", &event) {
            self.books.keys[place].revoked = true;
        }
    }

    /// Verifies a key and charges it, with a new idempotency key.
    pub(super) fn verify(&mut self) {
        let Some((place, text, refused)) = self.some_text() else { return };
        let number = self.books.number();
        let price = 1 + self.rng.below(6);
        let cost = if self.books.keys[place].is_test { 0 } else { price };
        let body = json!({ "key": text, "scope": "pdf:read", "service": "pdf", "cost": price });
        let charge = Charge { key: format!("charge-{number}"), body, cost, receipt: None, is_unsure: false };
        let Some(answer) = self.charge(&charge, &format!("a service charges a key {price}")) else {
            self.books.charges.push(Charge { is_unsure: true, ..charge });
            return;
        };
        let receipt = answer["receipt_id"].as_str().map(str::to_owned);
        if answer["valid"] == true {
            if refused {
                self.breaks("a key was served after its revocation or the end of its old text was acknowledged");
            }
            if receipt.is_none() {
                self.breaks("a charge has no receipt");
            }
        } else if answer["code"] == "REVOKED" && !self.books.keys[place].revoked {
            // A revocation whose answer was lost.
            self.books.keys[place].revoked = true;
        }
        self.books.charges.push(Charge { receipt, ..charge });
    }

    /// Repeats a charge with its idempotency key, perhaps long afterwards.
    pub(super) fn repeat_charge(&mut self) {
        if self.books.charges.is_empty() {
            return;
        }
        let place = self.rng.index(self.books.charges.len());
        let charge = self.books.charges[place].clone();
        let Some(answer) = self.charge(&charge, "a service repeats a charge") else {
            self.books.charges[place].is_unsure |= charge.receipt.is_none();
            return;
        };
        let receipt = answer["receipt_id"].as_str().map(str::to_owned);
        match (&charge.receipt, receipt) {
            (Some(first), again) if again.as_ref() != Some(first) => {
                self.breaks(format!("a repeated charge was answered {again:?}, and {first} before"));
            }
            (None, Some(first)) => self.books.charges[place].receipt = Some(first),
            _ => {}
        }
    }

    /// Uses the idempotency key of a charge for another one, which must be refused.
    pub(super) fn reuse_charge(&mut self) {
        let done: Vec<Charge> = self.books.charges.iter().filter(|charge| charge.receipt.is_some()).cloned().collect();
        let Some(charge) = self.rng.pick(&done) else { return };
        let mut body = charge.body.clone();
        body["cost"] = 7.into();
        let event = keyed(request("POST /api/keys/verify", &[], SERVICE_TOKEN, &body), &charge.key);
        if let Some((status, _)) = self.call("a service reuses an idempotency key", "key-verify", &event)
            && status != 422
        {
            self.breaks(format!("an idempotency key was used for two charges, and the second was answered {status}"));
        }
    }

    fn charge(&mut self, charge: &Charge, who: &str) -> Option<Value> {
        let event = keyed(request("POST /api/keys/verify", &[], SERVICE_TOKEN, &charge.body), &charge.key);
        let (status, mut body) = self.call(who, "key-verify", &event)?;
        (status == 200).then(|| body["data"].take())
    }

    /// Creates a request of the owner to a route of keys.
    fn of_key(&self, route: &str, key: &str, body: &Value) -> Value {
        request(route, &[&self.books.org(), key], &token(PEOPLE[0], self.now()), body)
    }

    fn some_key(&mut self, fits: impl Fn(&Key) -> bool) -> Option<usize> {
        let fitting: Vec<usize> = (0..self.books.keys.len()).filter(|place| fits(&self.books.keys[*place])).collect();
        self.rng.pick(&fitting)
    }

    /// Draws a text of a key: its place, the text, and whether it must be refused from now on.
    pub(super) fn some_text(&mut self) -> Option<(usize, String, bool)> {
        let now = self.now();
        let any = self.rng.percent(25);
        let place = self.some_key(|key| any || !key.revoked)?;
        let key = self.books.keys[place].clone();
        let (text, dead_from) = if any { self.rng.pick(&key.texts)? } else { key.texts.last()?.clone() };
        Some((place, text, key.revoked || dead_from.is_some_and(|dead| dead < now)))
    }
}
