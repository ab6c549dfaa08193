//! What the clients of a drill know and did: what was acknowledged to them, and what may have happened besides.

use std::collections::{BTreeMap, BTreeSet};

use consigne_core::{OrgId, Timestamp};
use serde_json::Value;

/// An upload that was granted.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Its owner.
    pub person: &'static str,
    /// The key of the file.
    pub key: String,
    /// The name of the file, which no other upload has.
    pub name: String,
    /// Whether a good object was put in time.
    pub is_good: bool,
    /// Whether a request to delete it was made.
    pub delete_asked: bool,
    /// Whether its deletion was acknowledged.
    pub deleted: bool,
    /// The last request to publish (true) or withdraw it, and whether that was acknowledged.
    pub published: Option<(bool, bool)>,
}

/// An API key that was issued.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its id.
    pub id: String,
    /// Its texts, oldest first, and from when each must be refused.
    pub texts: Vec<(String, Option<Timestamp>)>,
    /// Whether it is for tests: a person's test wallet pays.
    pub is_test: bool,
    /// Whether its revocation was acknowledged.
    pub revoked: bool,
    /// Whether a rotation was not acknowledged: then nobody knows the newest text.
    pub is_unsure: bool,
}

/// A charge: one idempotency key of a server that verifies keys.
#[derive(Clone, Debug)]
pub struct Charge {
    /// The idempotency key.
    pub key: String,
    /// The request's body.
    pub body: Value,
    /// Its cost to the organisation's wallet; 0 if a test wallet pays.
    pub cost: u64,
    /// The receipt, once it was acknowledged.
    pub receipt: Option<String>,
    /// Whether an attempt got no answer.
    pub is_unsure: bool,
}

/// A hold that was opened.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its id.
    pub id: String,
    /// The credits it holds.
    pub amount: u64,
    /// The credits that its acknowledged end has spent.
    pub used: Option<u64>,
    /// Whether its end was asked for.
    pub end_asked: bool,
}

/// A paid checkout session.
#[derive(Clone, Debug)]
pub struct Sale {
    /// The credits that were bought.
    pub credits: u64,
    /// The credits that refunds take back.
    pub taken_back: u64,
}

/// What clients know and did.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// The organisation.
    pub org: Option<OrgId>,
    /// Granted uploads.
    pub uploads: Vec<Upload>,
    /// Issued keys.
    pub keys: Vec<Key>,
    /// Charges.
    pub charges: Vec<Charge>,
    /// Open and ended holds.
    pub holds: Vec<Held>,
    /// Calls through the gateway. Each may have cost one credit.
    pub gateway_calls: u64,
    /// Calls through the gateway that were answered.
    pub gateway_answered: u64,
    /// Sales.
    pub sales: Vec<Sale>,
    /// Credits that were granted.
    pub granted: u64,
    /// Number of requests for jobs.
    pub jobs_asked: u64,
    /// Accepted jobs, by id, and who asked for each.
    pub jobs: BTreeMap<String, &'static str>,
    /// Addresses of invited people.
    pub invited: Vec<String>,
    /// People whose erasure was acknowledged.
    pub erased: BTreeSet<&'static str>,
    /// Jobs of which an outside generator has heard and that it has not done.
    pub work: Vec<String>,
    /// Jobs of which it has heard.
    pub heard: BTreeSet<String>,
    /// Payments of orders.
    pub orders: Vec<String>,
    /// Number of mails that were looked at.
    pub mails_seen: usize,
    /// How often each mail was sent, by event and recipient.
    pub mails: BTreeMap<(String, String), u64>,
    /// How often a mail of an event may have been sent without its sender learning of it.
    pub mails_unsure: BTreeMap<String, u64>,
    /// The last number that made a name unique.
    pub last: u64,
}

impl Books {
    /// Returns a new number for names.
    pub fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Returns the organisation's id as text.
    pub fn org(&self) -> String {
        self.org.map(|org| org.to_string()).unwrap_or_default()
    }
}
