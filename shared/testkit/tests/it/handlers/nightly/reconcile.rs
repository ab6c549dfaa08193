//! Whatever is planted is found, and nothing else; and a repair removes what nothing refers to, and nothing else.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use consigne_core::UserId;
use consigne_core::audit::{Actor, AuditAction, Origin};
use consigne_core::files::Kind;
use consigne_core::reconcile::{Finding, FindingKind, GRACE, Run};
use consigne_testkit::planted::Planted;
use consigne_usecases::reconcile::{Asked, Begin, Begun, Pages, Reconciler};
use proptest::prelude::*;

fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

fn origin() -> Origin {
    Origin { actor: Actor::Operator("zoe".to_owned()), ip: None, user_agent: None, plan: None }
}

/// Runs a whole reconciliation. It is interrupted after every `pages_at_once` pages.
async fn reconcile(planted: &Planted, repair: bool, pages: Pages, pages_at_once: u32) -> Run {
    let (origin, at) = (origin(), planted.at());
    let clock = move || at;
    let asked = Asked { begin: Begin::Now, repair, grace: GRACE };
    loop {
        let buckets = (&planted.world, Some(&planted.replica));
        let reconciler = Reconciler::new(&planted.world, buckets, &origin, &clock).with_pages(pages);
        let Begun::Ours(mut run) = reconciler.begin(&asked).await.unwrap() else { panic!("nobody else has the run") };
        let mut left = pages_at_once;
        let goes_on = |_: &Run| {
            left -= 1;
            left > 0
        };
        reconciler.advance(&mut run, goes_on).await.unwrap();
        if run.is_over() {
            return run;
        }
    }
}

fn found(run: &Run) -> BTreeSet<(FindingKind, String, Option<String>)> {
    run.first.iter().map(|finding| (finding.kind, finding.key.clone(), finding.version.clone())).collect()
}

/// Plants differences, each given by a kind, a user and a kind of file.
fn plant(files: &[(usize, usize)], differences: &[(usize, usize, usize)]) -> Planted {
    // One id begins as another does.
    let users = ["user_ann1", "user_ann12", "user_Bob", "user_zed"].map(user);
    let mut planted = Planted::default();
    for (owner, kind) in files {
        planted.sound(&users[*owner], Kind::ALL[*kind]);
    }
    for owner in &users[..3] {
        planted.innocent(owner, Kind::Image);
    }
    for (finding, owner, kind) in differences {
        let finding = FindingKind::ALL[*finding];
        // A ledger is not compared if one of its records cannot be read.
        let owner = match finding {
            FindingKind::UnreadableRecord => &users[3],
            FindingKind::LedgerDiffers => &users[owner % 3],
            _ => &users[*owner],
        };
        planted.plant(finding, owner, Kind::ALL[*kind]);
    }
    planted
}

fn all_found(run: &Run, planted: &Planted) {
    assert_eq!(found(run), planted.wanted);
    assert_eq!(run.findings(), planted.wanted.len() as u64, "something was counted twice: {:?}", run.found);
}

const KINDS: usize = FindingKind::ALL.len();

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn all_that_is_planted_is_found_and_nothing_else(
        files in prop::collection::vec((0..4_usize, 0..6_usize), 0..25),
        differences in prop::collection::vec((0..KINDS, 0..4_usize, 0..6_usize), 0..18),
        versions in 1..9_u32,
        owners in 1..4_u32,
        records in 0..4_usize,
        pages_at_once in 1..5_u32,
    ) {
        let pages = Pages { versions, versions_to_repair: versions, owners };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let planted = plant(&files, &differences);
            planted.world.change(|state| state.reconcile.records_in_a_page = records);
            let before = planted.world.state();
            let run = reconcile(&planted, false, pages, pages_at_once).await;
            all_found(&run, &planted);
            let (after, events) = (planted.world.state(), usize::from(!planted.wanted.is_empty()));
            assert_eq!((after.objects, after.files, after.uploads), (before.objects, before.files, before.uploads));
            assert_eq!(after.outbox.iter().filter(|(_, entry)| entry.kind == "storage.reconciled").count(), events);

            let run = reconcile(&planted, true, pages, pages_at_once).await;
            all_found(&run, &planted);
            repaired_and_nothing_else(&planted, &run);
            let again = reconcile(&planted, false, pages, pages_at_once).await;
            assert_eq!(found(&again), planted.wanted.iter().filter(|(kind, ..)| !kind.is_repaired()).cloned().collect());
        });
    }
}

/// Asserts that exactly what a repair should remove is gone, and that the audit log has each removal once.
fn repaired_and_nothing_else(planted: &Planted, run: &Run) {
    let (state, replica) = (planted.world.state(), planted.replica.state());
    let removed: Vec<_> = planted.wanted.iter().filter(|(kind, ..)| kind.is_repaired()).collect();
    for (kind, key, version) in &planted.wanted {
        let objects = if *kind == FindingKind::ReplicaWithoutOriginal { &replica.objects } else { &state.objects };
        let version = version.as_deref().unwrap_or_default();
        let is_there = objects.get(key).is_some_and(|versions| versions.iter().any(|one| one.id == version));
        let is_open = state.uploads.contains_key(version);
        assert!(!kind.is_repaired() || !(is_there || is_open), "{kind:?} {key} {version} is left");
    }
    assert_eq!(run.repaired.values().sum::<u64>(), removed.len() as u64);
    for file in state.files.values() {
        let Some(pinned) = file.keeps() else { continue };
        let damaged = planted.wanted.iter().any(|(kind, key, _)| !kind.is_repaired() && key == file.key.as_str());
        let versions = state.objects.get(file.key.as_str());
        let is_there = versions.is_some_and(|all| all.iter().any(|one| one.id == pinned.version));
        assert!(is_there || damaged, "{} was removed although it has a record", file.key);
    }
    let audit: Vec<_> = state.accounts.audit.iter().collect();
    assert!(audit.iter().all(|entry| entry.action == AuditAction::StorageRepaired));
    let subjects: BTreeSet<_> = audit
        .iter()
        .map(|entry| (entry.subject.clone(), entry.details["version"].as_str().map(str::to_owned)))
        .collect();
    let wanted: BTreeSet<_> = removed.iter().map(|(_, key, version)| (key.clone(), version.clone())).collect();
    assert_eq!((audit.len(), subjects), (removed.len(), wanted));
}

fn one_of_each() -> Planted {
    let each: Vec<_> = (0..KINDS).map(|kind| (kind, kind % 4, kind % 6)).collect();
    plant(&[(0, 0), (1, 1), (2, 2), (3, 3)], &each)
}

#[tokio::test]
async fn whoever_comes_meanwhile_is_told_that_the_run_is_held_until_its_lease_ends() {
    let planted = one_of_each();
    let (origin, at) = (origin(), planted.at());
    let clock = move || at;
    let asked = Asked { begin: Begin::Now, repair: false, grace: GRACE };
    let first = Reconciler::new(&planted.world, (&planted.world, None), &origin, &clock);
    let Begun::Ours(mut run) = first.begin(&asked).await.unwrap() else { panic!("it is free") };
    let second = Reconciler::new(&planted.world, (&planted.world, None), &origin, &clock);
    assert!(matches!(second.begin(&asked).await.unwrap(), Begun::Held(_)));
    let later = move || at.plus(Duration::from_mins(6));
    let third = Reconciler::new(&planted.world, (&planted.world, None), &origin, &later);
    assert!(matches!(third.begin(&asked).await.unwrap(), Begun::Ours(_)));
    // The first one wakes up, and notices at its next write that the run is no longer its own.
    assert!(first.advance(&mut run, |_| true).await.is_err());
}

#[tokio::test]
async fn what_is_needed_again_before_its_removal_stays() {
    let mut planted = Planted::default();
    let ann = user("user_ann1");
    planted.plant(FindingKind::ObjectWithoutRecord, &ann, Kind::Book);
    let (_, key, _) = planted.wanted.first().unwrap().clone();
    // Somebody restores the record at each point of the run in turn.
    let run_of = async |skip: Option<u32>| {
        let planted = {
            let mut planted = Planted::default();
            planted.plant(FindingKind::ObjectWithoutRecord, &user("user_ann1"), Kind::Book);
            planted
        };
        if let Some(skip) = skip {
            planted.world.interleave(skip, |state| {
                let mut other = Planted::default();
                let mut file = other.sound(&user("user_ann1"), Kind::Book);
                if let Some(pinned) = file.pinned.as_mut() {
                    "o1".clone_into(&mut pinned.version);
                }
                state.files.insert((file.owner().clone(), file.id()), file);
            });
        }
        reconcile(&planted, true, Pages::default(), 100).await;
        (planted.world.interleaving_is_left(), planted.world.state())
    };
    for skip in 0.. {
        let (is_left, state) = run_of(Some(skip)).await;
        let removed = !state.objects.contains_key(&key);
        let audited = state.accounts.audit.len();
        assert_eq!(audited, usize::from(removed), "a removal has an entry, and nothing else has");
        if is_left {
            assert!(removed && skip > 8, "the run ended before effect {skip}");
            break;
        }
    }
}

#[tokio::test]
async fn a_hundred_thousand_objects_with_planted_differences_of_each_kind() {
    let mut planted = Planted::default();
    let large = user("user_large");
    let small: Vec<UserId> = (0..500).map(|n| user(&format!("user_s{n}"))).collect();
    for n in 0..30_000 {
        planted.sound(&large, Kind::ALL[n % 6]);
    }
    for n in 0..55_000 {
        planted.sound(&small[n % small.len()], Kind::ALL[n % 6]);
    }
    for n in 0..KINDS * 20 {
        let (kind, owner) = (FindingKind::ALL[n % KINDS], &small[n * 7 % 400]);
        let owner = if kind == FindingKind::UnreadableRecord { &small[400 + n % 100] } else { owner };
        planted.plant(kind, owner, Kind::ALL[n % 6]);
    }
    let objects = planted.world.state().objects.len();
    assert!(objects >= 99_000, "{objects} objects");
    let (calls, begun) = (planted.world.effects(), Instant::now());
    let run = reconcile(&planted, false, Pages::default(), u32::MAX).await;
    let calls = planted.world.effects() - calls;
    // Read with `cargo test ... a_hundred_thousand -- --nocapture`.
    #[allow(clippy::print_stderr)]
    {
        eprintln!("{objects} objects: {calls} calls in {:?}, {:?}", begun.elapsed(), run.checked);
    }
    all_found(&run, &planted);
    // A thousand objects of a few users cost a dozen calls; each user one more, and each finding two.
    assert!(calls < 6_000, "{calls} calls");
}

#[tokio::test]
async fn a_run_with_a_limit_removes_no_more_and_reports_the_rest() {
    let mut planted = Planted::default();
    for _ in 0..5 {
        planted.plant(FindingKind::ObjectWithoutRecord, &user("user_ann1"), Kind::Book);
    }
    let (origin, at) = (origin(), planted.at());
    let clock = move || at;
    let reconciler = Reconciler::new(&planted.world, (&planted.world, None), &origin, &clock).with_at_most(2);
    let asked = Asked { begin: Begin::Now, repair: true, grace: GRACE };
    let Begun::Ours(mut run) = reconciler.begin(&asked).await.unwrap() else { panic!("it is free") };
    reconciler.advance(&mut run, |_| true).await.unwrap();
    assert_eq!(run.repaired.values().sum::<u64>(), 2);
    assert_eq!((run.findings(), planted.world.state().objects.len()), (5, 3), "all are reported");
}

#[tokio::test]
async fn a_schedule_that_only_reports_does_not_go_on_with_a_repair_by_hand() {
    let planted = one_of_each();
    let (origin, at) = (origin(), planted.at());
    let clock = move || at;
    let by_hand = Reconciler::new(&planted.world, (&planted.world, None), &origin, &clock);
    let asked = Asked { begin: Begin::Now, repair: true, grace: GRACE };
    assert!(matches!(by_hand.begin(&asked).await.unwrap(), Begun::Ours(run) if run.repair));
    // It is killed. The schedule comes after its lease has ended.
    let later = move || at.plus(Duration::from_mins(6));
    let schedule = Reconciler::new(&planted.world, (&planted.world, None), &origin, &later);
    for (repair, due, expected) in [(false, at, None), (false, later(), Some(false))] {
        let asked = Asked { begin: Begin::IfBefore(due), repair, grace: GRACE };
        let begun = match schedule.begin(&asked).await.unwrap() {
            Begun::Ours(run) => Some(run.repair),
            Begun::NotDue => None,
            Begun::Held(_) => panic!("the lease has ended"),
        };
        assert_eq!(begun, expected);
    }
}

/// Compares, with repairs or without, a world whose replica has a version that is left over.
async fn with_replica(replica: impl Fn(&Planted), repair: bool) -> (Planted, Run) {
    with_replica_in(replica, repair, Pages::default()).await
}

async fn with_replica_in(replica: impl Fn(&Planted), repair: bool, pages: Pages) -> (Planted, Run) {
    let mut planted = Planted::default();
    planted.plant(FindingKind::ObjectWithoutRecord, &user("user_ann1"), Kind::Book);
    planted.plant(FindingKind::ReplicaWithoutOriginal, &user("user_bob1"), Kind::Book);
    planted.replica = planted.replica.as_client_of("replica");
    replica(&planted);
    let run = reconcile(&planted, repair, pages, 100).await;
    (planted, run)
}

#[tokio::test]
async fn a_replica_that_cannot_be_listed_is_reported_and_stops_nothing() {
    for repair in [false, true] {
        let (planted, run) = with_replica(|planted| planted.replica.take_down("replica"), repair).await;
        let counts: Vec<_> = run.found.iter().map(|(kind, found)| (*kind, *found)).collect();
        assert_eq!(counts, [(FindingKind::ObjectWithoutRecord, 1), (FindingKind::ReplicaUnavailable, 1)]);
        let finding = run.first.iter().find(|finding| finding.kind == FindingKind::ReplicaUnavailable).unwrap();
        assert_eq!((finding.key.as_str(), finding.reason.contains("replica is down")), ("user_", true), "{finding:?}");
        assert_eq!(planted.world.state().objects.len(), usize::from(!repair), "the bucket itself is repaired");
        assert_eq!((run.left(FindingKind::ReplicaUnavailable), planted.replica.state().objects.len()), (1, 1));
        let told = planted.world.state().outbox.last().unwrap().1.clone();
        assert!(told.kind == "storage.reconciled" && told.detail.contains("replica_unavailable"), "{}", told.detail);
    }
}

#[tokio::test]
async fn a_replica_that_goes_down_or_refuses_removals_does_not_keep_a_repair_from_its_end() {
    let (planted, run) = with_replica(|planted| planted.replica.refuse_removals(true), true).await;
    assert_eq!((run.left(FindingKind::ReplicaWithoutOriginal), run.left(FindingKind::ReplicaUnavailable)), (1, 1));
    assert_eq!(planted.replica.state().objects.len(), 1);

    // It is asked once, however much is to be removed: each try leaves an entry in the audit log.
    let more = |planted: &Planted| {
        for n in 0..30 {
            let key = format!("user_bob1/books/01M7YREWKH7VM7Z3Z2KWSH{n:04}-a.md");
            planted.replica.put_object(&key, "r1", vec![0; 3]);
        }
        planted.replica.refuse_removals(true);
    };
    let pages = Pages { versions_to_repair: 5, ..Pages::default() };
    let (planted, run) = with_replica_in(more, true, pages).await;
    assert_eq!((run.left(FindingKind::ReplicaWithoutOriginal), run.left(FindingKind::ReplicaUnavailable)), (31, 1));
    let audited = planted.world.state().accounts.audit.len();
    assert_eq!((audited, planted.world.state().objects.len()), (2, 0), "one of the bucket, one of the replica");

    // It goes down between the comparison and the repair: the run was written, then its caller was killed.
    let mut planted = Planted::default();
    planted.plant(FindingKind::ReplicaWithoutOriginal, &user("user_bob1"), Kind::Book);
    planted.replica = planted.replica.as_client_of("replica");
    let (origin, at) = (origin(), planted.at());
    let clock = move || at;
    let asked = Asked { begin: Begin::Now, repair: true, grace: GRACE };
    let first = Reconciler::new(&planted.world, (&planted.world, Some(&planted.replica)), &origin, &clock);
    let Begun::Ours(mut run) = first.begin(&asked).await.unwrap() else { panic!("it is free") };
    run.pending.push((
        true,
        Finding {
            kind: FindingKind::ReplicaWithoutOriginal,
            key: planted.wanted.first().unwrap().1.clone(),
            version: Some("r1".to_owned()),
            size: None,
            at: None,
            reason: String::new(),
        },
    ));
    planted.replica.take_down("replica");
    first.advance(&mut run, |_| true).await.unwrap();
    assert!(run.is_over() && run.pending.is_empty());
    assert!(run.left(FindingKind::ReplicaUnavailable) >= 1, "{:?}", run.found);
}
