use proptest::prelude::*;

use super::super::{GrantRequest, LedgerDelta, Measured, OnCreated, Pinned, Removal, UPLOAD_GRANT_VALID, Usage};
use super::*;
use crate::{Plan, UserId};

const NOW: Timestamp = Timestamp::from_secs(1_000);

fn pending() -> File {
    let owner = UserId::parse("user_ann1").unwrap();
    let request = GrantRequest::parse("a.png", "image/png", 1_000, None, None).unwrap();
    request.admit(&owner, Plan::Enterprise, UPLOAD_GRANT_VALID, NOW).unwrap()
}

fn arrival(version: &str) -> Arrival {
    let pinned = Pinned { version: version.to_owned(), etag: "e".to_owned(), sequencer: "5".to_owned() };
    Arrival { pinned, size: 990, measured: Measured::default() }
}

fn verdict(result: ScanResult) -> Verdict {
    Verdict::new(result, Some("EICAR-Test-File"))
}

fn kind(step: &Transition) -> Option<&'static str> {
    step.event.as_ref().map(|event| event.kind().name())
}

/// Applies a verdict, if it changes anything.
fn judge(file: &File, version: &str, result: ScanResult, policy: ScanPolicy) -> File {
    file.judged(version, &verdict(result), policy, NOW).map_or_else(|| file.clone(), |step| step.file)
}

#[test]
fn without_scanning_a_file_is_ready_as_before() {
    let file = pending();
    let (with, without) = (file.arrive(arrival("v1"), ScanPolicy::Off, NOW), file.accept(arrival("v1"), NOW));
    assert_eq!((&with.file, with.ledger, kind(&with)), (&without.file, without.ledger, kind(&without)));
    assert_eq!(with.file.scan, Scan::default());
}

fn pending_accepted() -> File {
    pending().accept(arrival("v1"), NOW).file
}

#[test]
fn a_file_is_ready_after_its_check_and_a_clean_verdict_in_either_order() {
    for policy in [ScanPolicy::Hold, ScanPolicy::Release] {
        let waiting = pending().arrive(arrival("v1"), policy, NOW);
        assert_eq!((waiting.file.status, kind(&waiting)), (Status::Processing, None));
        assert_eq!(waiting.ledger, LedgerDelta { committed: -10, reserved: -10, files: 0, bytes: 0 });
        let ready = waiting.file.judged("v1", &verdict(ScanResult::Clean), policy, NOW).unwrap();
        assert_eq!((ready.file.status, kind(&ready)), (Status::Ready, Some("file.ready")));
        assert_eq!(ready.ledger, LedgerDelta { committed: 0, reserved: -990, files: 1, bytes: 990 });

        let heard = pending().judged("v1", &verdict(ScanResult::Clean), policy, NOW).unwrap();
        assert_eq!((heard.file.status, kind(&heard), heard.ledger), (Status::Pending, None, LedgerDelta::default()));
        let at_once = heard.file.arrive(arrival("v1"), policy, NOW);
        assert_eq!((at_once.file.status, kind(&at_once)), (Status::Ready, Some("file.ready")));
        assert_eq!((ready.file.scan, ready.file.size), (at_once.file.scan, at_once.file.size));
    }
}

#[test]
fn malware_ends_a_file_before_its_check_after_it_and_when_it_is_ready() {
    let waiting = pending().arrive(arrival("v1"), ScanPolicy::Hold, NOW).file;
    let heard = judge(&pending(), "v1", ScanResult::Threats, ScanPolicy::Hold);
    let steps = [
        heard.arrive(arrival("v1"), ScanPolicy::Hold, NOW),
        waiting.judged("v1", &verdict(ScanResult::Threats), ScanPolicy::Hold, NOW).unwrap(),
        // It was ready before scanning was switched on, or an operator had it scanned again.
        pending_accepted().judged("v1", &verdict(ScanResult::Threats), ScanPolicy::Off, NOW).unwrap(),
    ];
    for step in steps {
        let file = &step.file;
        assert_eq!((file.status, kind(&step)), (Status::Infected, Some("file.infected")));
        assert_eq!(LedgerDelta::of(file), LedgerDelta::default());
        assert_eq!(file.rejected_reason.as_deref(), Some("contains malware: EICAR-Test-File"));
        assert_eq!(step.event.as_ref().unwrap().detail()["threat"], "EICAR-Test-File");
        assert_eq!(file.readable().unwrap_err().code, crate::Code::FileInfected);
        assert_eq!(file.on_created("v1"), OnCreated::RemoveVersion);
        assert!(file.has_infected_versions() && file.due_at().is_some());
        for result in ScanResult::ALL {
            assert_eq!(file.judged("v1", &verdict(result), ScanPolicy::Hold, NOW), None);
        }
        let cleared = file.cleared(NOW);
        assert_eq!((kind(&cleared), cleared.ledger, cleared.file.due_at()), (None, LedgerDelta::default(), None));
        assert!(!cleared.file.has_infected_versions());
    }
}

#[test]
fn verdicts_about_other_versions_change_nothing() {
    let waiting = pending().arrive(arrival("v1"), ScanPolicy::Hold, NOW).file;
    for file in [waiting, pending_accepted()] {
        for result in ScanResult::ALL {
            assert_eq!(file.judged("v2", &verdict(result), ScanPolicy::Hold, NOW), None);
        }
    }
    let heard = judge(&pending(), "v2", ScanResult::Clean, ScanPolicy::Hold);
    assert_eq!(heard.arrive(arrival("v1"), ScanPolicy::Hold, NOW).file.status, Status::Processing);
}

#[test]
fn a_file_that_cannot_be_scanned_is_held_or_released() {
    for (result, why) in [
        (ScanResult::Unsupported, Unscanned::Unsupported),
        (ScanResult::Failed, Unscanned::Failed),
        (ScanResult::AccessDenied, Unscanned::AccessDenied),
    ] {
        for (policy, status, state, event) in [
            (ScanPolicy::Hold, Status::Processing, ScanState::Held(why), None),
            (ScanPolicy::Release, Status::Ready, ScanState::Released(why), Some("file.ready")),
        ] {
            let waiting = pending().arrive(arrival("v1"), policy, NOW).file;
            let late = waiting.judged("v1", &verdict(result), policy, NOW).unwrap();
            let early = judge(&pending(), "v1", result, policy).arrive(arrival("v1"), policy, NOW);
            for step in [late, early] {
                assert_eq!((step.file.status, step.file.scan.state, kind(&step)), (status, Some(state), event));
                assert_eq!(step.file.due_at(), None);
                // A later scan that succeeds decides.
                let clean = step.file.judged("v1", &verdict(ScanResult::Clean), policy, NOW).unwrap();
                assert_eq!((clean.file.status, clean.file.scan.state), (Status::Ready, Some(ScanState::Clean)));
                assert_eq!(kind(&clean).is_some(), status == Status::Processing);
                assert_eq!(judge(&step.file, "v1", ScanResult::Threats, policy).status, Status::Infected);
            }
        }
    }
}

#[test]
fn a_file_without_a_verdict_is_held_or_released_after_thirty_minutes() {
    for (policy, status) in [
        (ScanPolicy::Hold, Status::Processing),
        (ScanPolicy::Release, Status::Ready),
        // Scanning was switched off meanwhile.
        (ScanPolicy::Off, Status::Ready),
    ] {
        let waiting = pending().arrive(arrival("v1"), ScanPolicy::Hold, NOW).file;
        let due = NOW.plus(VERDICT_WITHIN);
        assert_eq!(waiting.due_at(), Some(due));
        assert_eq!(waiting.unheard(policy, due.minus(Duration::from_secs(1))), None);
        let ended = waiting.unheard(policy, due).unwrap().file;
        assert_eq!((ended.status, ended.scan.state.unwrap().why()), (status, Some(Unscanned::NoVerdict)));
        assert_eq!(ended.unheard(policy, due), None, "it is no longer due");
        assert_eq!(judge(&ended, "v1", ScanResult::Clean, policy).status, Status::Ready, "the verdict came late");
    }
}

#[test]
fn no_file_is_released_unscanned_after_malware_in_another_version() {
    let mut file = pending();
    file = judge(&file, "bad", ScanResult::Threats, ScanPolicy::Release);
    for number in 0..20 {
        file = judge(&file, &format!("v{number}"), ScanResult::Clean, ScanPolicy::Release);
    }
    assert_eq!(file.scan.early.len(), EARLY_MAX);
    let waiting = file.arrive(arrival("x"), ScanPolicy::Release, NOW).file;
    assert_eq!(waiting.scan.early.len(), 1, "only the malware is remembered");
    let ended = waiting.unheard(ScanPolicy::Release, NOW.plus(VERDICT_WITHIN)).unwrap().file;
    assert_eq!((ended.status, ended.scan.state), (Status::Processing, Some(ScanState::Held(Unscanned::NoVerdict))));
}

#[test]
fn prefixes_say_which_files_are_scanned() {
    let file = pending();
    for (prefixes, unscanned, policy) in [
        ("", "held", ScanPolicy::Off),
        ("user_", "held", ScanPolicy::Hold),
        ("user_bob, user_ann", "released", ScanPolicy::Release),
        ("user_ann12", "held", ScanPolicy::Off),
    ] {
        assert_eq!(Scanning::parse(prefixes, unscanned).unwrap().of(&file.key), policy, "{prefixes}");
    }
    assert_eq!(Scanning::parse("user_", "maybe"), None);
}

#[test]
fn the_name_of_a_threat_is_cut_and_has_no_control_characters() {
    let long = format!("Bad\u{0}\r\n{}", "x".repeat(200));
    let threat = Verdict::new(ScanResult::Threats, Some(&long)).threat.unwrap();
    assert_eq!((threat.chars().count(), threat.starts_with("Badx")), (THREAT_MAX, true));
    assert_eq!(Verdict::new(ScanResult::Clean, Some("x")).threat, None);
    assert_eq!(Verdict::new(ScanResult::Threats, Some("\n")).threat, None);
}

/// What can happen to a file, in any order and any number of times. Versions are numbered.
#[derive(Clone, Debug)]
enum Happening {
    Created(u8),
    Verdict(u8, ScanResult),
    Removed(u8),
    OwnerDeletes,
    Sweep,
}

fn happening() -> impl Strategy<Value = Happening> {
    let result = prop::sample::select(ScanResult::ALL.to_vec());
    prop_oneof![
        (0_u8..3).prop_map(Happening::Created),
        (0_u8..3, result).prop_map(|(version, result)| Happening::Verdict(version, result)),
        (0_u8..3).prop_map(Happening::Removed),
        Just(Happening::OwnerDeletes),
        Just(Happening::Sweep),
    ]
}

fn happens(file: &File, what: &Happening, policy: ScanPolicy) -> Option<Transition> {
    let late = NOW.plus(VERDICT_WITHIN);
    match what {
        Happening::Created(version) => {
            let version = version.to_string();
            (file.on_created(&version) == OnCreated::Check).then(|| file.arrive(arrival(&version), policy, NOW))
        }
        Happening::Verdict(version, result) => file.judged(&version.to_string(), &verdict(*result), policy, NOW),
        Happening::Removed(version) => {
            file.ends_with(&version.to_string(), "9").then(|| file.remove(Removal::Deleted, NOW))
        }
        Happening::OwnerDeletes => None,
        Happening::Sweep if file.status == Status::Infected => file.has_infected_versions().then(|| file.cleared(NOW)),
        Happening::Sweep => file.unheard(policy, late),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// Whatever comes in whatever order: bytes are counted once, each event is told once, and only a version that was
    /// found clean, or may be released, is ever read.
    #[test]
    fn every_order_of_arrival_ends_well(
        steps in prop::collection::vec(happening(), 0..40),
        policy in prop::sample::select(vec![ScanPolicy::Off, ScanPolicy::Hold, ScanPolicy::Release]),
    ) {
        let mut file = pending();
        let mut usage = Usage::default();
        LedgerDelta::of(&file).apply(&mut usage, file.kind());
        let (mut told, mut heard): (Vec<&str>, Vec<(String, ScanResult)>) = (Vec::new(), Vec::new());
        for what in steps {
            if let Happening::Verdict(version, result) = &what {
                heard.push((version.to_string(), *result));
            }
            if matches!(what, Happening::OwnerDeletes) && file.status.is_visible() {
                file = file.deleting(NOW);
                continue;
            }
            let Some(step) = happens(&file, &what, policy) else { continue };
            prop_assert_eq!((step.seen, step.file.revision), (file.revision, file.revision + 1));
            // Nothing comes back from an end.
            let ended = |status| matches!(status, Status::Infected | Status::Deleting | Status::Deleted);
            prop_assert!(!ended(file.status) || ended(step.file.status));
            prop_assert!(file.status != Status::Infected || step.file.status == Status::Infected);
            step.ledger.apply(&mut usage, file.kind());
            told.extend(kind(&step));
            file = step.file;
            if let Ok(readable) = file.readable() {
                let said = |result| heard.contains(&(readable.version.clone(), result));
                prop_assert!(!said(ScanResult::Threats), "a version with malware can be read");
                prop_assert!(policy != ScanPolicy::Hold || said(ScanResult::Clean), "a held version can be read");
            }
            let mut sum = Usage::default();
            LedgerDelta::of(&file).apply(&mut sum, file.kind());
            prop_assert_eq!(&usage, &sum);
        }
        for once in ["file.ready", "file.infected", "file.deleted"] {
            prop_assert!(told.iter().filter(|kind| **kind == once).count() <= 1, "{once} was told twice");
        }
    }
}
