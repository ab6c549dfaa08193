use proptest::prelude::*;

use super::*;
use crate::UserId;
use crate::keys::{KeyMode, KeyStatus};

const NOW: Timestamp = Timestamp::from_secs(1_795_257_000);
const CODES: [&str; 12] = ["AT", "BE", "CH", "DE", "ES", "FR", "GB", "IT", "LU", "NL", "PT", "SE"];

fn minutes(n: u64) -> Timestamp {
    NOW.plus(Duration::from_mins(n))
}

fn found(finding: Option<Finding>, field: &str) -> Option<u64> {
    finding.map(|finding| json!(finding.anomaly)["details"][field].as_u64().unwrap())
}

#[test]
fn ten_countries_in_an_hour_raise_no_alarm_and_eleven_do() {
    let calls = |count: usize, every: u64| -> Vec<(Timestamp, &str)> {
        (0..).map(|n| minutes(n * every)).zip(CODES.into_iter().take(count)).collect()
    };
    assert_eq!(found(countries(&calls(10, 0), NOW), "countries"), None);
    assert_eq!(found(countries(&calls(11, 0), NOW), "countries"), Some(11));
    assert_eq!(found(countries(&calls(11, 5), NOW), "countries"), Some(11), "fifty minutes from first to last");
    assert_eq!(found(countries(&calls(11, 6), NOW), "countries"), None, "an hour from first to last");
    assert_eq!(found(countries(&calls(12, 6), NOW), "countries"), None, "ten in any hour");
    let often: Vec<_> =
        (0..50).flat_map(|n| calls(10, 0).into_iter().map(move |(_, code)| (minutes(n), code))).collect();
    assert_eq!(found(countries(&often, NOW), "countries"), None, "however often");
}

#[test]
fn twenty_keys_in_ten_minutes_raise_no_alarm_and_twenty_one_do() {
    let made = |count: u64, seconds: u64| -> Vec<Timestamp> {
        (0..count).map(|n| NOW.plus(Duration::from_secs(n * seconds))).collect()
    };
    assert_eq!(found(keys_created(&made(20, 1), NOW), "keys"), None);
    assert_eq!(found(keys_created(&made(21, 1), NOW), "keys"), Some(21));
    assert_eq!(found(keys_created(&made(21, 29), NOW), "keys"), Some(21));
    assert_eq!(found(keys_created(&made(100, 30), NOW), "keys"), None, "twenty in any ten minutes");
    assert_eq!(keys_created(&[], NOW), None);
}

fn key(created_at: Timestamp, used: &[(u16, u64)]) -> ApiKey {
    let used = used.iter().map(|(days, calls)| (Day::of(NOW).minus(*days).to_string(), *calls));
    ApiKey {
        org: OrgId::derive(&["a"]),
        id: KeyId::derive(&["k"]),
        name: "Key".to_owned(),
        environment: KeyMode::Production,
        scopes: BTreeSet::new(),
        minute_quota: None,
        daily_quota: None,
        monthly_quota: None,
        expires_at: None,
        status: KeyStatus::Active,
        generation: 1,
        previous_until: None,
        prefix: "sk_live".to_owned(),
        hint: "abcd".to_owned(),
        spender: None,
        created_by: UserId::parse("user_ann1").unwrap(),
        created_at,
        migrated_at: None,
        revoked: None,
        last_used: None,
        used: used.collect(),
        minute: None,
        revision: 1,
    }
}

#[test]
fn a_jump_is_ten_times_the_median_and_a_hundred_calls_at_least() {
    let old = NOW.minus(Duration::from_hours(24 * 30));
    let week =
        |today: u64, usual: u64| -> Vec<(u16, u64)> { (1..=7).map(|day| (day, usual)).chain([(0, today)]).collect() };
    let jump = |used: &[(u16, u64)]| found(usage_jump(&key(old, used), NOW), "calls");
    assert_eq!(jump(&week(1_000, 100)), None);
    assert_eq!(jump(&week(1_001, 100)), Some(1_001));
    assert_eq!((jump(&week(99, 1)), jump(&week(100, 1))), (None, Some(100)));
    assert_eq!(jump(&[(0, 150), (1, 100), (2, 100), (3, 100)]), Some(150), "most days had none");
    assert_eq!(jump(&[(0, 150), (1, 100), (2, 100), (3, 100), (4, 100)]), None, "most days had as many");
    assert_eq!(jump(&[(0, 5_000), (8, 1_000), (9, 1_000)]), Some(5_000), "the week before does not count");
    let young = NOW.minus(Duration::from_hours(24 * 7));
    assert_eq!(usage_jump(&key(young, &week(5_000, 0)), NOW), None, "it has no week behind it");
    let migrated = ApiKey { migrated_at: Some(young), ..key(old, &week(5_000, 0)) };
    assert_eq!(usage_jump(&migrated, NOW), None, "its week was in the older installation");
}

#[test]
fn a_jump_just_before_midnight_is_found_after_it_with_the_same_quiet_time() {
    let busy = key(NOW.minus(Duration::from_hours(24 * 30)), &[(0, 5_000)]);
    let midnight = Day::of(NOW).ends();
    let seen = |minutes| usage_jump(&busy, midnight.plus(Duration::from_mins(minutes)));
    let finding = usage_jump(&busy, NOW).unwrap();
    assert_eq!(finding.quiet_until, midnight.plus(LOOK_BACK));
    assert_eq!(
        (seen(0), seen(89)),
        (Some(finding.clone()), Some(finding)),
        "the same finding, which the first alarm silences"
    );
    assert_eq!(seen(90), None);
}

proptest! {
    #[test]
    fn the_most_countries_of_any_hour_are_found(
        calls in proptest::collection::vec((0_u64..10_800, 0_usize..12), 0..60),
    ) {
        let calls: Vec<(Timestamp, &str)> =
            calls.into_iter().map(|(at, code)| (NOW.plus(Duration::from_secs(at)), CODES[code])).collect();
        let within = |start: Timestamp| {
            let inside = calls.iter().filter(|(at, _)| *at >= start && at.since(start) < HOUR);
            inside.map(|(_, code)| *code).collect::<BTreeSet<_>>().len() as u64
        };
        let most = calls.iter().map(|(at, _)| within(*at)).max().unwrap_or(0);
        let want = (most > COUNTRIES_MAX as u64).then_some(most);
        prop_assert_eq!(found(countries(&calls, NOW), "countries"), want);
    }
}
