//! The drill finds planted faults, finds nothing without one, and plays a seed the same way each time.

use consigne_testkit::drill::plants::Plant;
use consigne_testkit::drill::{Report, play};

/// Plays seeds until a rule is broken.
fn search(seeds: u64, plant: Option<&str>) -> Option<Report> {
    (1..=seeds).map(|seed| play(seed, plant)).find(|report| report.broken.is_some())
}

/// Asserts that a planted fault is found within some seeds, by a rule with these words.
fn is_found(plant: &str, words: &str) {
    let report = search(30, Some(plant)).unwrap_or_else(|| panic!("{plant} was not noticed"));
    let broken = report.broken.unwrap();
    assert!(broken.contains(words), "{plant} was noticed by another rule in seed {}: {broken}", report.seed);
}

#[test]
fn twenty_drills_break_no_rule_and_a_seed_leads_to_the_same_drill_again() {
    for seed in 1..=20 {
        let report = play(seed, None);
        assert_eq!(report.broken, None, "seed {seed}: {:#?}", report.transcript);
        assert!(report.tally.faults.values().sum::<u64>() > 20, "{:?}", report.tally);
        if seed <= 8 {
            assert_eq!(play(seed, None), report, "seed {seed}");
        }
    }
}

#[test]
fn planted_faults_are_found() {
    let plants = [
        ("charge-without-idempotency", "charge"),
        ("event-dropped", "event"),
        ("file-doubled", "times"),
        ("file-lost", "photo-"),
        ("hold-not-released", "credits"),
        ("ledger-not-reduced", "ledger"),
        ("mail-lost", "mail"),
        ("mail-without-claim", "twice"),
        ("purchase-credited-twice", "purchased"),
        ("refund-twice", "credits used"),
        ("revoke-ignored", "revo"),
        ("webhook-forgotten", "delivery"),
    ];
    assert_eq!(plants.map(|(plant, _)| plant).to_vec(), Plant::names());
    for (plant, words) in plants {
        is_found(plant, words);
    }
}
