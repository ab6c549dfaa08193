use proptest::prelude::*;

use super::super::{GrantRequest, UPLOAD_GRANT_VALID, Usage};
use super::*;
use crate::{Plan, UserId};

const NOW: Timestamp = Timestamp::from_secs(1_000);

fn pending(size: u64) -> File {
    let owner = UserId::parse("user_ann1").unwrap_or_else(|| panic!("is a user id"));
    GrantRequest::parse("a.png", "image/png", size, None, None)
        .and_then(|request| request.admit(&owner, Plan::Enterprise, UPLOAD_GRANT_VALID, NOW))
        .unwrap_or_else(|fault| panic!("{fault}"))
}

fn arrival(version: &str, sequencer: &str, size: u64) -> Arrival {
    let pinned = Pinned { version: version.to_owned(), etag: "e".to_owned(), sequencer: sequencer.to_owned() };
    Arrival { pinned, size, measured: Measured::default() }
}

#[test]
fn sequencers_compare_as_if_padded_on_the_right() {
    assert!(older("0055AED6DCD90281E4", "0055AED6DCD90281E5"));
    assert!(older("0055AED6", "0055AED6DC"));
    assert!(!older("0055AED6DC", "0055AED6"));
    assert!(!older("0055AED600", "0055AED6"));
    assert!(!older("00ab", "00AB"));
}

#[test]
fn accepting_moves_the_bytes_from_reserved_to_kept_at_their_measured_size() {
    let step = pending(1_000).accept(arrival("v1", "1", 990), NOW);
    assert_eq!(step.ledger, LedgerDelta { committed: -10, reserved: -1_000, files: 1, bytes: 990 });
    assert_eq!((step.seen, step.file.revision, step.file.status), (1, 2, Status::Ready));
    assert_eq!(step.event.unwrap().detail()["size"], 990);
}

#[test]
fn rejecting_releases_all_bytes_and_a_later_removal_none() {
    let rejected = pending(1_000).reject("no", NOW);
    assert_eq!(rejected.ledger, LedgerDelta { committed: -1_000, reserved: -1_000, files: 0, bytes: 0 });
    assert_eq!(rejected.file.remove(Removal::Deleted, NOW).ledger, LedgerDelta::default());
}

#[test]
#[should_panic(expected = "committed would become negative: 0 and -1000")]
fn releasing_more_than_the_ledger_counts_panics() {
    pending(1_000).remove(Removal::Expired, NOW).ledger.apply(&mut Usage::default(), Kind::Image);
}

#[test]
fn an_upload_is_checked_once_and_later_versions_are_removed() {
    let file = pending(10);
    assert_eq!(file.on_created("v1"), OnCreated::Check);
    let ready = file.accept(arrival("v1", "3", 10), NOW).file;
    assert_eq!(ready.on_created("v1"), OnCreated::Ignore);
    assert_eq!(ready.on_created("v2"), OnCreated::RemoveVersion);
    let gone = ready.remove(Removal::Deleted, NOW).file;
    assert_eq!(gone.on_created("v2"), OnCreated::RemoveVersion);
    let rejected = file.reject("no", NOW).file;
    assert_eq!(rejected.on_created("v1"), OnCreated::RemoveVersion);
}

#[test]
fn only_the_pinned_version_ends_a_file_and_only_by_a_younger_event() {
    let ready = pending(10).accept(arrival("null", "05", 10), NOW).file;
    assert!(ready.ends_with("null", "06"));
    assert!(!ready.ends_with("null", "04"));
    assert!(!ready.ends_with("v2", "06"));
    assert!(pending(10).ends_with("v1", "01"));
    assert!(!ready.remove(Removal::Deleted, NOW).file.ends_with("null", "07"));
}

/// Everything that can happen to a file, in any order and any number of times.
#[derive(Clone, Debug)]
enum Happening {
    Created(u8),
    Impostor,
    Deleted(u8),
    OwnerDeletes,
    Sweep,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        (0_u8..3).prop_map(Happening::Created),
        Just(Happening::Impostor),
        (0_u8..3).prop_map(Happening::Deleted),
        Just(Happening::OwnerDeletes),
        Just(Happening::Sweep),
    ]
}

fn happens(file: &File, what: &Happening) -> Option<Transition> {
    match what {
        Happening::Created(version) if file.on_created(&version.to_string()) == OnCreated::Check => {
            Some(file.accept(arrival(&version.to_string(), "5", u64::from(*version) * 7), NOW))
        }
        Happening::Impostor if file.status == Status::Pending => Some(file.reject("no", NOW)),
        Happening::Deleted(version) if file.ends_with(&version.to_string(), "9") => {
            Some(file.remove(Removal::Deleted, NOW))
        }
        Happening::Sweep if file.status == Status::Pending => Some(file.remove(Removal::Expired, NOW)),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The ledger is always the sum of what the records count, and a deleted file stays deleted.
    #[test]
    fn the_ledger_is_always_the_sum_of_the_records(
        sizes in prop::collection::vec(1_u64..1_000, 1..6),
        steps in prop::collection::vec((0_usize..6, happening()), 0..60),
    ) {
        let mut files: Vec<File> = sizes.iter().map(|size| pending(*size)).collect();
        let mut usage = Usage::default();
        for file in &files {
            LedgerDelta::of(file).apply(&mut usage, file.kind());
        }
        for (at, what) in steps {
            let at = at % files.len();
            let before = files[at].clone();
            match &what {
                Happening::OwnerDeletes if before.status.is_visible() => {
                    files[at].status = Status::Deleting;
                    files[at].revision += 1;
                }
                _ => if let Some(step) = happens(&before, &what) {
                    prop_assert_eq!(step.seen, before.revision);
                    step.ledger.apply(&mut usage, before.kind());
                    files[at] = step.file;
                }
            }
            prop_assert!(before.status != Status::Deleted || files[at].status == Status::Deleted);
            let mut sum = Usage::default();
            for file in &files {
                LedgerDelta::of(file).apply(&mut sum, file.kind());
            }
            prop_assert_eq!(&usage, &sum);
        }
    }
}
