//! A year of midnights: quotas and wallets are exact at every step, whether the nightly maintenance comes in time,
//! late, twice or never.

use std::collections::BTreeMap;
use std::time::Duration;

use consigne_core::credits::{LotKind, TEST_CREDITS, TEST_PERIOD, WalletId};
use consigne_core::files::Kind;
use consigne_core::jobs::{Admission, Ask, Job, NewJob};
use consigne_core::keys::KeyMode;
use consigne_core::periods::{Day, Month};
use consigne_core::ports::RequestJob;
use consigne_core::{LotId, Plan, Timestamp, UserId};
use consigne_testkit::fakes::World;
use consigne_testkit::functions;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::handlers::people::accounts::{KEY_ID, ORG, PEOPLE, found, key_id, org, put_key, sent_by_service, with};

/// Daily and monthly quota of the production key.
const DAILY: u64 = 3;
const MONTHLY: u64 = 61;
/// Credits that the organisation has bought, more than a year of calls costs.
const PAID: u64 = 10_000;
/// Promotional credits, which expire in the middle of the year.
const PROMO: u64 = 400;
const TEST_KEY: &str = "key_01M7YREWKH7VM7Z3Z2KWSH2FTX";

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// Returns when the promotional credits expire.
fn promo_ends() -> Timestamp {
    at("2024-03-10T12:00:00Z")
}

/// A simple model of quotas and wallets, which needs only a calendar.
#[derive(Default)]
struct Model {
    calls: BTreeMap<String, u64>,
    /// Requested articles, by month.
    requests: BTreeMap<String, u32>,
    promo: u64,
    paid: u64,
    /// The test wallet: time of its first use, number of its last period, and the credits left in that.
    test: Option<(Timestamp, u128, u64)>,
}

impl Model {
    fn begin() -> Self {
        Self { promo: PROMO, paid: PAID, ..Self::default() }
    }

    fn used(&self, period: &str) -> u64 {
        self.calls.get(period).copied().unwrap_or(0)
    }

    /// Makes a call with the production key. Returns the code and the remaining quotas.
    fn call(&mut self, now: Timestamp) -> (&'static str, Value) {
        if now >= promo_ends() {
            self.promo = 0;
        }
        let (day, month) = (Day::of(now).to_string(), Month::of(now).to_string());
        if self.used(&month) >= MONTHLY {
            return ("MONTHLY_QUOTA_EXCEEDED", Value::Null);
        }
        if self.used(&day) >= DAILY {
            return ("DAILY_QUOTA_EXCEEDED", Value::Null);
        }
        for period in [&day, &month] {
            *self.calls.entry(period.clone()).or_default() += 1;
        }
        match self.promo {
            0 => self.paid -= 1,
            _ => self.promo -= 1,
        }
        let left = json!({ "credits": self.promo + self.paid, "minute": null, "daily": DAILY - self.used(&day),
            "monthly": MONTHLY - self.used(&month) });
        ("VALID", left)
    }

    /// Requests an article. Returns whether the monthly allowance permits it.
    fn request_article(&mut self, now: Timestamp) -> bool {
        let taken = self.requests.entry(Month::of(now).to_string()).or_default();
        let allowed = *taken < Plan::Free.generations(Kind::Blog);
        *taken += u32::from(allowed);
        allowed
    }

    /// Makes a call with the test key that costs some credits. Returns the code and what remains.
    fn test_call(&mut self, cost: u64, now: Timestamp) -> (&'static str, Value) {
        let anchor = self.test.map_or(now, |(anchor, _, _)| anchor);
        let period = now.since(anchor).as_millis() / TEST_PERIOD.as_millis();
        let left = self.test.filter(|(_, last, _)| *last >= period).map_or(TEST_CREDITS, |(_, _, left)| left);
        let period = self.test.map_or(period, |(_, last, _)| last.max(period));
        let enough = left >= cost;
        self.test = Some((anchor, period, if enough { left - cost } else { left }));
        if enough {
            ("VALID", json!({ "credits": left - cost, "minute": null, "daily": null, "monthly": null }))
        } else {
            ("INSUFFICIENT_CREDITS", Value::Null)
        }
    }
}

/// An organisation with its two keys, on fakes.
struct Year {
    world: World,
    live: String,
    test: String,
}

impl Year {
    fn begin(start: Timestamp) -> Self {
        let world = World::default();
        found(&world, ORG, "Acme", &PEOPLE);
        world.change(|state| {
            let wallet = state.accounts.wallets.get_mut(&WalletId::Organisation(org(ORG))).unwrap();
            wallet.add(LotId::mint(start), LotKind::Paid, PAID, None);
            wallet.add(LotId::mint(start), LotKind::Promo, PROMO, Some(promo_ends()));
        });
        let live = put_key(&world, KEY_ID, KeyMode::Production, |key| {
            key.daily_quota = Some(DAILY);
            key.monthly_quota = Some(MONTHLY);
        });
        let test = put_key(&world, TEST_KEY, KeyMode::Test, |_| ());
        Self { world, live, test }
    }

    /// Verifies and charges a key. Returns the code and what remains.
    async fn call(&self, text: &str, cost: u64, now: Timestamp) -> (String, Value) {
        let event =
            with(sent_by_service(text, "key-verify", "probe"), &json!({ "cost": cost, "include": ["remaining"] }));
        let data = functions::verify_at(&self.world, event, now).await;
        (data["code"].as_str().unwrap().to_owned(), data["remaining"].clone())
    }

    /// Requests an article. Returns whether it was accepted.
    async fn request_article(&self, now: Timestamp) -> bool {
        let ask = Ask::text("Lighthouses", None, None).unwrap();
        let job = Job::accept(&UserId::parse("user_ann1").unwrap(), Plan::Free, Kind::Blog, ask, now);
        let new = NewJob { event: job.requested("https://api.example.com"), job, seen: None, idempotent: None };
        self.world.request_job(&new).await.unwrap() == Admission::Accepted
    }

    /// Runs the maintenance of a night.
    async fn maintenance(&self, night: Timestamp) {
        functions::tick(&self.world, "quota-reset", json!({ "time": night.to_string() })).await.unwrap();
        functions::deliver_night(&self.world).await;
    }

    fn counters(&self) -> usize {
        self.world.state().accounts.keys[&(org(ORG), key_id(KEY_ID))].used.len()
    }

    fn assert_books_balance(&self) {
        for wallet in self.world.state().accounts.wallets.values() {
            assert!(wallet.is_balanced(), "{wallet:?}");
        }
    }
}

/// When the maintenance of a night runs.
#[derive(Clone, Copy, Debug)]
enum Night {
    InTime,
    Never,
    Twice,
    /// So many hours late, after the calls in the meantime.
    Late(u64),
}

fn night() -> impl Strategy<Value = Night> {
    prop_oneof![
        3 => Just(Night::InTime),
        2 => Just(Night::Never),
        1 => Just(Night::Twice),
        2 => (1_u64..60).prop_map(Night::Late),
    ]
}

/// Makes calls around each midnight and in between, in one world with maintenance and in one without. Compares both
/// with the model.
async fn compare_with_model(first: Timestamp, nights: &[Night], costs: impl Fn(usize) -> u64) {
    let (with_maintenance, without) = (Year::begin(first), Year::begin(first));
    let mut model = Model::begin();
    let mut late: Vec<(Timestamp, Timestamp)> = Vec::new();
    let mut midnight = Day::of(first).starts();
    for (n, night) in nights.iter().enumerate() {
        let (due, cost) = (midnight.plus(Duration::from_mins(5)), costs(n));
        match night {
            Night::InTime => late.push((due, due)),
            Night::Twice => late.extend([(due, due), (due.plus(Duration::from_mins(1)), due)]),
            Night::Late(hours) => late.push((due.plus(Duration::from_hours(*hours)), due)),
            Night::Never => {}
        }
        let end = Day::of(midnight).ends();
        // The first and last moments of the day, and some in between.
        for moment in [
            midnight,
            due.plus(Duration::from_mins(1)),
            midnight.plus(Duration::from_hours(13)),
            end.minus(Duration::from_millis(1)),
        ] {
            let ripe: Vec<_> = late.iter().copied().filter(|(comes, _)| *comes <= moment).collect();
            late.retain(|(comes, _)| *comes > moment);
            for (_, night) in ripe {
                with_maintenance.maintenance(night).await;
            }
            let want = model.call(moment);
            let (test, article) = (model.test_call(cost, moment), model.request_article(moment));
            for year in [&with_maintenance, &without] {
                let got = year.call(&year.live, 1, moment).await;
                assert_eq!((got.0.as_str(), &got.1), (want.0, &want.1), "at {moment}, {night:?}");
                let got = year.call(&year.test, cost, moment).await;
                assert_eq!((got.0.as_str(), &got.1), (test.0, &test.1), "test at {moment}, {night:?}");
                assert_eq!(year.request_article(moment).await, article, "article at {moment}, {night:?}");
            }
        }
        midnight = end;
    }
    for year in [&with_maintenance, &without] {
        year.assert_books_balance();
    }
    let end = midnight.plus(Duration::from_mins(5));
    with_maintenance.maintenance(end).await;
    assert!(with_maintenance.counters() <= 41 + 14, "{} counters are left", with_maintenance.counters());
    let before = with_maintenance.world.state();
    with_maintenance.maintenance(end).await;
    assert_eq!(with_maintenance.world.state(), before, "the same night again changes nothing");
    // Only counters of past periods were deleted. The stored ones are the same in both worlds.
    let used = |year: &Year| year.world.state().accounts.keys[&(org(ORG), key_id(KEY_ID))].used.clone();
    let all = used(&without);
    assert!(used(&with_maintenance).iter().all(|(period, calls)| all.get(period) == Some(calls)));
    let wallet = |year: &Year| {
        let wallet = &year.world.state().accounts.wallets[&WalletId::Organisation(org(ORG))];
        wallet.with_lots_expired(end)
    };
    assert_eq!(
        (wallet(&with_maintenance).balance, wallet(&with_maintenance).expired),
        (wallet(&without).balance, wallet(&without).expired)
    );
}

#[tokio::test]
async fn quotas_and_wallets_are_exact_over_fourteen_months() {
    let mishaps =
        [Night::InTime, Night::Never, Night::Twice, Night::Late(2), Night::Late(30), Night::Never, Night::Never];
    let nights: Vec<Night> = mishaps.iter().copied().cycle().take(430).collect();
    // This covers 31 December, 29 February, ends of months of 28 to 31 days, and the end of the promotional credits.
    compare_with_model(at("2023-11-20T00:00:00Z"), &nights, |n| n as u64 % 7 + 1).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn quotas_and_wallets_are_exact_around_the_end_of_february(
        nights in prop::collection::vec(night(), 20..60), start in 0_u64..30, cost in 1_u64..40,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let first = at("2024-01-25T00:00:00Z").plus(Duration::from_hours(24 * start));
        runtime.block_on(compare_with_model(first, &nights, |n| (n as u64 * cost) % 40 + 1));
    }
}

#[tokio::test]
async fn maintenance_of_a_future_night_ends_nothing_early() {
    let now = consigne_runtime::clock::now();
    let year = Year::begin(now);
    let hour = Duration::from_hours(1);
    year.world.change(|state| {
        let wallet = state.accounts.wallets.get_mut(&WalletId::Organisation(org(ORG))).unwrap();
        wallet.add(LotId::mint(now), LotKind::Promo, 5, Some(now.plus(hour)));
    });
    year.call(&year.live, 1, now).await;
    year.call(&year.test, 1, now).await;
    let before = year.world.state();
    year.maintenance(now.plus(hour * 24 * 400)).await;
    assert_eq!(year.world.state(), before);
}
