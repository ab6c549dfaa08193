//! Contract of the ports for files that wait for a malware scan.

use consigne_core::Timestamp;
use consigne_core::files::{
    Arrival, File, LedgerDelta, Measured, Pinned, Scan, ScanPolicy, ScanResult, ScanState, Status, Unscanned,
    VERDICT_WITHIN, Verdict,
};
use consigne_core::ports::Due;

use super::files::{Files, granted};
use super::{all_due, now, on_both, owner};

on_both!(
    consigne_testkit::stack::Stack::table,
    steps_of_a_scan_are_stored_and_told_only_at_its_end,
    everything_about_a_scan_is_stored,
    a_file_is_due_until_its_verdict_comes,
);

fn arrival() -> Arrival {
    let pinned = Pinned { version: "v1".to_owned(), etag: "e1".to_owned(), sequencer: "05".to_owned() };
    Arrival { pinned, size: 9, measured: Measured::default() }
}

fn verdict(result: ScanResult) -> Verdict {
    Verdict::new(result, Some("EICAR-Test-File (not a virus)"))
}

async fn ledger_of(files: &impl Files, file: &File) -> [u64; 4] {
    let usage = files.get_usage(file.owner()).await.unwrap();
    [usage.committed, usage.reserved, usage.files(None), usage.bytes()]
}

async fn steps_of_a_scan_are_stored_and_told_only_at_its_end(files: &impl Files) {
    let (owner, now) = (owner(), now());
    let file = granted(files, &owner, "a.png", 10, now).await;
    let heard = file.judged("v0", &verdict(ScanResult::Clean), ScanPolicy::Hold, now).unwrap();
    let waiting = heard.file.arrive(arrival(), ScanPolicy::Hold, now);
    let ready = waiting.file.judged("v1", &verdict(ScanResult::Clean), ScanPolicy::Hold, now).unwrap();
    let infected = ready.file.judged("v1", &verdict(ScanResult::Threats), ScanPolicy::Hold, now).unwrap();
    let cleared = infected.file.cleared(now);
    for (step, status, ledger) in [
        (heard, Status::Pending, [10, 10, 0, 0]),
        (waiting, Status::Processing, [9, 9, 0, 0]),
        (ready, Status::Ready, [9, 0, 1, 9]),
        (infected, Status::Infected, [0, 0, 0, 0]),
        (cleared, Status::Infected, [0, 0, 0, 0]),
    ] {
        assert!(files.apply_transition(&step).await.unwrap().is_committed());
        assert!(!files.apply_transition(&step).await.unwrap().is_committed(), "{status:?} twice");
        let stored = files.get_file(&owner, file.id()).await.unwrap().unwrap();
        assert_eq!((stored.status, ledger_of(files, &file).await), (status, ledger));
        assert_eq!(stored, step.file);
    }
}

async fn everything_about_a_scan_is_stored(files: &impl Files) {
    let (owner, now) = (owner(), now());
    let file = granted(files, &owner, "a.png", 10, now).await;
    let mut step = file.arrive(arrival(), ScanPolicy::Off, now);
    let early = [
        ("v2", verdict(ScanResult::Threats)),
        ("v3", Verdict { result: ScanResult::Threats, threat: None }),
        ("v4", verdict(ScanResult::Clean)),
        ("v5", verdict(ScanResult::AccessDenied)),
    ];
    let early = early.map(|(version, verdict)| (version.to_owned(), verdict));
    for state in [
        ScanState::Waiting,
        ScanState::Clean,
        ScanState::Infected,
        ScanState::Held(Unscanned::Unsupported),
        ScanState::Held(Unscanned::NoVerdict),
        ScanState::Released(Unscanned::Failed),
        ScanState::Released(Unscanned::AccessDenied),
    ] {
        step.file.scan = Scan { state: Some(state), early: early.clone().into() };
        assert!(files.apply_transition(&step).await.unwrap().is_committed());
        assert_eq!(files.get_file(&owner, file.id()).await.unwrap().as_ref(), Some(&step.file));
        step.seen = step.file.revision;
        step.file.revision += 1;
        step.ledger = LedgerDelta::default();
    }
}

async fn a_file_is_due_until_its_verdict_comes(files: &impl Files) {
    // Some weeks from now, so that the deployed `sweep` does not take it.
    let (owner, now) = (owner(), now().plus(std::time::Duration::from_hours(24 * 40)));
    let file = granted(files, &owner, "a.png", 10, now).await;
    let waiting = file.arrive(arrival(), ScanPolicy::Hold, now);
    assert!(files.apply_transition(&waiting).await.unwrap().is_committed());
    assert!(super::eventually(async || is_due(files, &file, now).await, |is_due| *is_due).await);
    let step = waiting.file.unheard(ScanPolicy::Hold, now.plus(VERDICT_WITHIN)).unwrap();
    assert!(files.apply_transition(&step).await.unwrap().is_committed());
    assert!(
        !super::eventually(async || is_due(files, &file, now).await, |is_due| !*is_due).await,
        "a held file is no longer due"
    );
}

/// Returns whether `sweep` would find the file half an hour after its arrival.
async fn is_due(files: &impl Files, file: &File, arrived: Timestamp) -> bool {
    let due = all_due(files, arrived.plus(VERDICT_WITHIN)).await;
    due.into_iter().any(|due| matches!(due, Due::File(found) if found.id() == file.id()))
}
