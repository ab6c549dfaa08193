//! A day on which many organisations make many calls, with the statistics that must be counted for it.

use std::collections::BTreeMap;
use std::time::Duration;

use consigne_core::OrgId;
use consigne_core::credits::{ChargeOutcome, CreditGrantOutcome, LotKind, Outcome};
use consigne_core::keys::KeyFacts;
use consigne_core::periods::Day;
use consigne_core::ports::{ChargeKey, GrantCredits, KeepOutcome, ListStats};
use consigne_core::stats::{CountedCall, DaySpan, Figures, Tally};
use consigne_runtime::clock;
use consigne_storage::Table;
use futures_util::future::join_all;
use serde_json::json;

use crate::accounts;

/// Number of organisations that make calls at the same time. The calls of one organisation are made one after the
/// other, because concurrent ones would mostly wait for its wallet.
const AT_ONCE: usize = 20;

/// The day, with the expected statistics of every organisation.
#[derive(Debug)]
pub struct BusyDay {
    day: Day,
    want: BTreeMap<OrgId, Figures>,
}

impl BusyDay {
    /// Charges keys of new organisations at times within the day, and reports the outcomes of most calls.
    pub async fn make(table: &Table, day: Day, orgs: usize, calls: usize) -> Self {
        let shares: Vec<usize> = (0..orgs).map(|n| calls / orgs + usize::from(n < calls % orgs)).collect();
        let mut want = BTreeMap::new();
        for some in shares.chunks(AT_ONCE) {
            want.extend(join_all(some.iter().map(|calls| one(table, day, *calls))).await);
        }
        Self { day, want }
    }

    /// Counts the organisations whose stored statistics are missing or wrong.
    pub async fn missing(&self, table: &Table) -> usize {
        let mut missing = 0;
        for (org, want) in &self.want {
            let stored = table.list_stats(*org, DaySpan::of(self.day)).await.expect("the table answers");
            missing += usize::from(stored.first().is_none_or(|stats| stats.figures != *want));
        }
        missing
    }

    /// Returns the number of all calls.
    pub fn calls(&self) -> u64 {
        self.want.values().map(|figures| figures.requests).sum()
    }
}

/// Makes the calls of one organisation.
async fn one(table: &Table, day: Day, calls: usize) -> (OrgId, Figures) {
    let now = clock::now();
    let (org, owner) = accounts::found(table, now).await;
    let grant = accounts::credits(org, LotKind::Paid, 10_000_000, None, now);
    assert_eq!(table.grant_credits(&grant).await.expect("the table answers"), CreditGrantOutcome::Granted);
    let keys = [
        accounts::issue(table, &accounts::key(org, &owner, false, now)).await,
        accounts::issue(table, &accounts::key(org, &owner, false, now)).await,
    ];
    let mut tally = Tally::default();
    for n in 0..calls {
        tally.count(&call(table, day, &keys[n % 2], n as u64, calls as u64).await);
    }
    (org, tally.figures())
}

/// Makes the n-th of the day's calls.
async fn call(table: &Table, day: Day, key: &KeyFacts, n: u64, of: u64) -> CountedCall {
    let at = day.starts().plus(Duration::from_hours(24).mul_f64(share(n, of)));
    let mut charge = accounts::charge(key, n % 7 + 1, None, at);
    let pick =
        |names: &[&str]| names.get(usize::try_from(n).unwrap_or(0) % (names.len() + 1)).map(|name| (*name).to_owned());
    charge.receipt.call.service = pick(&["pdf", "ai", "mileage"]);
    charge.receipt.call.country = pick(&["FR", "DE", "BE", "CH"]);
    assert_eq!(table.charge_key(&charge).await.expect("the table answers"), ChargeOutcome::Charged);
    if !n.is_multiple_of(5) {
        let status_code = [200, 204, 302, 404, 500][usize::try_from(n / 5 % 5).unwrap_or(0)];
        let outcome = Outcome { status_code, response_ms: n * n % 4_001, details: json!({ "n": n }) };
        table.keep_outcome(charge.receipt.id, "pdf-api", &outcome, clock::now()).await.expect("the table answers");
        charge.receipt.outcome = Some(outcome);
    }
    CountedCall::of(&charge.receipt)
}

/// Returns the time of the n-th of `of` calls, as a share of the day from 0 to 1.
// Counts of calls are small.
#[allow(clippy::cast_precision_loss)]
fn share(n: u64, of: u64) -> f64 {
    n as f64 / of as f64
}
