use proptest::prelude::*;

use super::*;

const NOON: Timestamp = Timestamp::from_secs(1_795_262_400);

#[test]
fn the_write_after_the_last_is_refused_until_the_window_ends() {
    let start = Timestamp::from_secs(1_000);
    let full = Window { started: start, count: 60 };
    let last_moment = start.plus(Duration::from_millis(59_999));
    assert_eq!(Window::admit(Some(full), Span::Minute, 60, last_moment), None);
    let fresh = start.plus(MINUTE);
    assert_eq!(Window::admit(Some(full), Span::Minute, 60, fresh), Some(Window { started: fresh, count: 1 }));
}

#[test]
fn a_day_ends_at_midnight_in_utc_however_late_its_window_opened() {
    let midnight = Day::of(NOON).ends();
    let late = Window { started: midnight.minus(Duration::from_millis(1)), count: 2_000 };
    assert_eq!(Window::admit(Some(late), Span::Day, 2_000, late.started), None);
    assert_eq!(Window::admit(Some(late), Span::Day, 2_000, midnight), Some(Window { started: midnight, count: 1 }));
    // The clock of another environment may be behind. It counts in the new day.
    let new = Window { started: midnight, count: 1 };
    assert_eq!(Window::admit(Some(new), Span::Day, 2_000, late.started), Some(Window { count: 2, ..new }));
}

#[test]
fn a_refusal_says_when_to_come_back() {
    let over = OverRate { rate: Rate::Writes, started: Timestamp::from_secs(0) };
    let fault = over.refusal(Plan::Free, Timestamp::from_millis(59_500));
    assert!(fault.headers.contains(&("retry-after", "1".to_owned())));
    assert!(fault.headers.contains(&("ratelimit-limit", "60".to_owned())));
    assert_eq!(fault.details["resets_at"], "1970-01-01T00:01:00Z");
}

#[test]
fn the_refusal_of_a_days_last_grant_says_when_the_day_ends() {
    let over = OverRate { rate: Rate::Grants, started: NOON.minus(Duration::from_hours(3)) };
    let fault = over.refusal(Plan::Free, NOON);
    for header in [
        ("retry-after", "43200"),
        ("ratelimit-limit", "2000"),
        ("ratelimit-remaining", "0"),
        ("ratelimit-reset", "43200"),
    ] {
        assert!(fault.headers.contains(&(header.0, header.1.to_owned())), "{:?}", fault.headers);
    }
    assert_eq!(fault.message, "Your plan allows 2000 grants to upload a day; try again at 2026-11-22T00:00:00Z");
}

#[test]
fn a_refused_rate_counts_nothing_at_the_others() {
    let grants = Some(Window { started: NOON, count: 2_000 });
    let windows = Windows { grants, ..Windows::default() };
    let refused = windows.admit(&[Rate::Writes, Rate::Grants], Plan::Free, NOON);
    assert_eq!(refused, Err(OverRate { rate: Rate::Grants, started: NOON }));
    let admitted = windows.admit(&[Rate::Writes], Plan::Free, NOON).unwrap();
    assert_eq!((admitted.writes, admitted.grants), (Some(Window { started: NOON, count: 1 }), grants));
}

#[test]
fn every_plan_allows_at_least_one_of_everything() {
    for plan in Plan::ALL {
        assert!(Rate::ALL.into_iter().all(|rate| rate.limit(plan) > 0));
    }
}

proptest! {
    #[test]
    fn no_window_ever_holds_more_than_the_limit(
        span in prop_oneof![Just((Span::Minute, 9_000_u64)), Just((Span::Day, 12_000_000))],
        limit in 0_u64..20,
        steps in prop::collection::vec(0_u64..1_000, 1..200),
    ) {
        let ((span, longest), mut window, mut now, mut admitted) = (span, None, NOON, Vec::new());
        for step in steps {
            now = now.plus(Duration::from_millis(step * longest / 1_000));
            let before = Window::counted(window, span, now);
            if let Some(next) = Window::admit(window, span, limit, now) {
                prop_assert_eq!(Window::counted(Some(next), span, now), before + 1);
                window = Some(next);
                admitted.push((next.started, now));
            } else {
                prop_assert_eq!(before, limit);
            }
        }
        for (started, at) in &admitted {
            prop_assert!(*at < span.ends(*started));
            prop_assert!(admitted.iter().filter(|(other, _)| other == started).count() as u64 <= limit);
        }
        // Two windows of a day are never in the same one.
        let mut starts: Vec<Timestamp> = admitted.iter().map(|(started, _)| *started).collect();
        starts.dedup();
        prop_assert!(starts.windows(2).all(|pair| pair[1] >= span.ends(pair[0])));
    }
}
