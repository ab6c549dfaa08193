//! Contract of the ports for file records and ledgers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use consigne_core::files::{
    Arrival, Dimensions, File, Grant, GrantOutcome, Kind, LedgerDelta, LedgerState, Metadata, ObjectKey, Pinned,
    Removal, Status,
};
use consigne_core::periods::Day;
use consigne_core::ports::{
    ApplyTransition, BeginDelete, ChangeFile, ClearOutbox, Filter, FindDue, GetFile, GetFiles, GetUsage, GrantUpload,
    ListFiles,
};
use consigne_core::rates::{OverRate, Rate, Window};
use consigne_core::{IdempotencyKey, Plan, Timestamp, UserId};
use futures_util::future::join_all;

use super::{eventually, file_of, now, on_both, owner};

/// The ports under test.
pub trait Files:
    GrantUpload
    + GetFile
    + GetFiles
    + GetUsage
    + ListFiles
    + BeginDelete
    + ChangeFile
    + ApplyTransition
    + FindDue
    + ClearOutbox
    + Sync
{
}
impl<T> Files for T where
    T: GrantUpload
        + GetFile
        + GetFiles
        + GetUsage
        + ListFiles
        + BeginDelete
        + ChangeFile
        + ApplyTransition
        + FindDue
        + ClearOutbox
        + Sync
{
}

on_both!(
    consigne_testkit::stack::Stack::table,
    a_grant_is_read_back_as_it_was_made,
    several_files_are_read_at_once,
    a_plans_limit_is_exact_to_the_byte,
    concurrent_grants_never_exceed_the_plan,
    a_window_admits_its_allowance_of_writes_and_then_a_new_one_opens,
    a_day_of_grants_ends_at_midnight_and_a_new_one_starts_from_one,
    concurrent_grants_are_all_counted_in_the_day,
    an_idempotency_key_is_for_one_request_of_one_user,
    a_step_is_applied_once_with_its_ledger_and_event,
    every_field_of_a_record_is_stored,
    of_ten_deletions_one_succeeds,
    a_deletion_needs_the_exact_key,
    lists_are_newest_first_in_pages,
    lists_can_be_filtered_by_status_and_kind,
    files_that_are_being_deleted_are_counted_until_they_are_gone,
);

fn grant(file: &File, plan: Plan, now: Timestamp) -> Grant {
    Grant { file: file.clone(), plan, job: None, seen: None, idempotency: None, now }
}

pub(super) async fn granted(files: &impl Files, owner: &UserId, name: &str, size: u64, now: Timestamp) -> File {
    let file = file_of(owner, name, size, now);
    assert_eq!(files.grant_upload(&grant(&file, Plan::Enterprise, now)).await.unwrap(), GrantOutcome::Granted);
    file
}

fn arrival(size: u64) -> Arrival {
    let pinned = Pinned { version: "v1".to_owned(), etag: "e1".to_owned(), sequencer: "05".to_owned() };
    Arrival { pinned, size, dimensions: Some(Dimensions { width: 3, height: 4 }) }
}

pub(super) async fn ready_file(files: &impl Files, owner: &UserId, name: &str, size: u64, now: Timestamp) -> File {
    let step = granted(files, owner, name, size, now).await.accept(arrival(size), now);
    assert!(files.apply_transition(&step).await.unwrap().is_committed());
    step.file
}

async fn a_grant_is_read_back_as_it_was_made(files: &impl Files) {
    let (owner, now) = (owner(), now());
    let file = granted(files, &owner, "a.png", 10, now).await;
    assert_eq!(files.get_file(&owner, file.id()).await.unwrap(), Some(file.clone()));
    assert_eq!(files.get_file(&super::owner(), file.id()).await.unwrap(), None);
    let usage = files.get_usage(&owner).await.unwrap();
    assert_eq!((usage.committed, usage.reserved, usage.files(None)), (10, 10, 0));
    let opened = Some(Window { started: now, count: 1 });
    assert_eq!((usage.windows.writes, usage.windows.grants), (opened, opened));
}

async fn several_files_are_read_at_once(files: &impl Files) {
    let (owner, now) = (owner(), now());
    let (first, second) =
        (granted(files, &owner, "a.png", 10, now).await, granted(files, &owner, "b.md", 10, now).await);
    let deleted = granted(files, &owner, "c.png", 10, now).await;
    files.begin_delete(&deleted.key, now).await.unwrap();
    let unknown = file_of(&owner, "d.png", 1, now);
    let asked: BTreeSet<_> = [&first, &second, &deleted, &unknown].map(File::id).into();
    let found = files.get_files(&owner, &asked).await.unwrap();
    let wanted = [first.clone(), second, deleted.deleting(now)].map(|file| (file.id(), file));
    assert_eq!(found, BTreeMap::from(wanted));
    assert_eq!(files.get_files(&super::owner(), &asked).await.unwrap(), BTreeMap::new());
    assert_eq!(files.get_files(&owner, &BTreeSet::new()).await.unwrap(), BTreeMap::new());
    // One batch is full of keys that do not exist, and of one that does.
    let mut many: BTreeSet<_> = (0..99).map(|_| file_of(&owner, "e.png", 1, now).id()).collect();
    many.insert(first.id());
    assert_eq!(files.get_files(&owner, &many).await.unwrap().len(), 1);
}

async fn a_plans_limit_is_exact_to_the_byte(files: &impl Files) {
    let (owner, now) = (owner(), now());
    let limit = Plan::Free.allowances().storage;
    let almost = file_of(&owner, "a.png", limit - 10, now);
    assert_eq!(files.grant_upload(&grant(&almost, Plan::Free, now)).await.unwrap(), GrantOutcome::Granted);
    let eleven = file_of(&owner, "b.png", 11, now);
    let refused = files.grant_upload(&grant(&eleven, Plan::Free, now)).await.unwrap();
    assert_eq!(refused, GrantOutcome::OverQuota { committed: limit - 10 });
    assert_eq!(files.get_file(&owner, eleven.id()).await.unwrap(), None);
    let ten = file_of(&owner, "c.png", 10, now);
    assert_eq!(files.grant_upload(&grant(&ten, Plan::Free, now)).await.unwrap(), GrantOutcome::Granted);
    // A larger plan has room at once. A plan below the current usage has none.
    let one = file_of(&owner, "d.png", 1, now);
    assert_eq!(files.grant_upload(&grant(&one, Plan::Basic, now)).await.unwrap(), GrantOutcome::Granted);
    let again = file_of(&owner, "e.png", 1, now);
    let refused = files.grant_upload(&grant(&again, Plan::Free, now)).await.unwrap();
    assert_eq!(refused, GrantOutcome::OverQuota { committed: limit + 1 });
}

async fn concurrent_grants_never_exceed_the_plan(files: &impl Files) {
    let (owner, now) = (owner(), now());
    let limit = Plan::Pro.allowances().storage;
    granted(files, &owner, "most.png", limit - 100, now).await;
    let tries: Vec<Grant> =
        (0..40).map(|n| grant(&file_of(&owner, &format!("{n}.png"), 10, now), Plan::Pro, now)).collect();
    let outcomes = join_all(tries.iter().map(|one| files.grant_upload(one))).await;
    let granted = outcomes.iter().filter(|outcome| matches!(outcome, Ok(GrantOutcome::Granted))).count();
    assert_eq!(granted, 10, "{outcomes:?}");
    assert_eq!(files.get_usage(&owner).await.unwrap().committed, limit);
}

async fn a_window_admits_its_allowance_of_writes_and_then_a_new_one_opens(files: &impl Files) {
    let (owner, start) = (owner(), now());
    for n in 0..60_u64 {
        let at = start.plus(Duration::from_millis(n * 900));
        let file = file_of(&owner, "a.png", 1, at);
        assert_eq!(files.grant_upload(&grant(&file, Plan::Free, at)).await.unwrap(), GrantOutcome::Granted, "{n}");
    }
    let late = start.plus(Duration::from_millis(59_999));
    let refused = files.grant_upload(&grant(&file_of(&owner, "a.png", 1, late), Plan::Free, late)).await.unwrap();
    assert_eq!(refused, GrantOutcome::OverRate(OverRate { rate: Rate::Writes, started: start }));
    assert_eq!(files.get_usage(&owner).await.unwrap().committed, 60);
    let anew = start.plus(Duration::from_mins(1));
    let admitted = files.grant_upload(&grant(&file_of(&owner, "a.png", 1, anew), Plan::Free, anew)).await.unwrap();
    assert_eq!(admitted, GrantOutcome::Granted);
    let windows = files.get_usage(&owner).await.unwrap().windows;
    assert_eq!(windows.writes, Some(Window { started: anew, count: 1 }));
    assert_eq!(windows.grants.map(|window| window.count), Some(61), "61 grants on this day");
}

/// Makes grants of one byte for a plan that allows many, one second apart, so that the day's count is `count`.
async fn count_grants(files: &impl Files, owner: &UserId, count: u64, start: Timestamp) {
    for n in 0..count {
        granted(files, owner, "a.png", 1, start.plus(Duration::from_secs(n))).await;
    }
}

async fn a_day_of_grants_ends_at_midnight_and_a_new_one_starts_from_one(files: &impl Files) {
    let (owner, midnight) = (owner(), Day::of(now()).ends());
    count_grants(files, &owner, 5, midnight.minus(Duration::from_secs(5))).await;
    let counted = async || files.get_usage(&owner).await.unwrap().windows.grants.unwrap();
    assert_eq!(counted().await, Window { started: midnight.minus(Duration::from_secs(5)), count: 5 });
    count_grants(files, &owner, 2, midnight).await;
    assert_eq!(counted().await, Window { started: midnight, count: 2 });
    // An environment whose clock is behind counts in the new day, and does not reopen the old one.
    granted(files, &owner, "a.png", 1, midnight.minus(Duration::from_millis(1))).await;
    assert_eq!(counted().await, Window { started: midnight, count: 3 });
}

async fn concurrent_grants_are_all_counted_in_the_day(files: &impl Files) {
    let (owner, now) = (owner(), Day::of(now()).starts().plus(Duration::from_hours(12)));
    granted(files, &owner, "a.png", 1, now).await;
    // Across the end of a minute, so that both windows change.
    let at = |n: u64| now.plus(Duration::from_secs(30 + n * 2));
    let tries: Vec<Grant> =
        (0..20).map(|n| grant(&file_of(&owner, "b.png", 1, at(n)), Plan::Enterprise, at(n))).collect();
    let outcomes = join_all(tries.iter().map(|one| files.grant_upload(one))).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(GrantOutcome::Granted))), "{outcomes:?}");
    let usage = files.get_usage(&owner).await.unwrap();
    assert_eq!((usage.windows.grants.map(|window| window.count), usage.committed), (Some(21), 21));
}

async fn an_idempotency_key_is_for_one_request_of_one_user(files: &impl Files) {
    let (ann, bob, now) = (owner(), owner(), now());
    let with_key = |owner: &UserId, fingerprint: &str, at| Grant {
        file: file_of(owner, "a.png", 10, at),
        plan: Plan::Free,
        job: None,
        seen: None,
        idempotency: Some(IdempotencyKey { key: "order 17".to_owned(), fingerprint: fingerprint.to_owned() }),
        now: at,
    };
    let first = with_key(&ann, "f1", now);
    assert_eq!(files.grant_upload(&first).await.unwrap(), GrantOutcome::Granted);
    let again = files.grant_upload(&with_key(&ann, "f1", now)).await.unwrap();
    assert_eq!(again, GrantOutcome::Replayed(Box::new(first.file.clone())));
    assert_eq!(files.grant_upload(&with_key(&ann, "f2", now)).await.unwrap(), GrantOutcome::KeyReused);
    assert_eq!(files.grant_upload(&with_key(&bob, "f2", now)).await.unwrap(), GrantOutcome::Granted);
    assert_eq!(files.get_usage(&ann).await.unwrap().committed, 10);
    // A day later the key can be used again, even if its item was not deleted yet.
    let later = now.plus(Duration::from_secs(24 * 60 * 60 + 1));
    assert_eq!(files.grant_upload(&with_key(&ann, "f3", later)).await.unwrap(), GrantOutcome::Granted);
}

async fn a_step_is_applied_once_with_its_ledger_and_event(files: &impl Files) {
    let (owner, now) = (owner(), now());
    let file = granted(files, &owner, "a.png", 10, now).await;
    let settle = file.accept(arrival(9), now);
    assert!(files.apply_transition(&settle).await.unwrap().is_committed());
    assert!(!files.apply_transition(&settle).await.unwrap().is_committed());
    assert!(!files.apply_transition(&file.reject("no", now)).await.unwrap().is_committed());
    let usage = files.get_usage(&owner).await.unwrap();
    assert_eq!(
        (usage.committed, usage.reserved, usage.of(Kind::Image).files, usage.of(Kind::Image).bytes),
        (9, 0, 1, 9)
    );
    assert!(files.apply_transition(&settle.file.remove(Removal::Deleted, now)).await.unwrap().is_committed());
    let usage = files.get_usage(&owner).await.unwrap();
    assert_eq!((usage.committed, usage.reserved, usage.files(None), usage.bytes()), (0, 0, 0, 0));
}

async fn every_field_of_a_record_is_stored(files: &impl Files) {
    let (owner, now) = (owner(), now());
    let mut file = granted(files, &owner, "Été 👩\u{200D}🚀 \"q\".png", 10, now).await;
    let texts = [("title", "L'été"), ("note", ""), ("a.b-c_D", "two\nlines")];
    file.metadata = Metadata::stored(texts.map(|(name, text)| (name.to_owned(), text.to_owned())).into());
    file.sha256 = Some("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned());
    let mut step = file.accept(arrival(10), now);
    step.file.rejected_reason = Some("declared image/png, found text".to_owned());
    for (status, ledger_state) in [
        (Status::Processing, LedgerState::Reserved),
        (Status::Ready, LedgerState::Kept),
        (Status::Infected, LedgerState::Kept),
        (Status::Rejected, LedgerState::Nothing),
        (Status::Deleting, LedgerState::Kept),
        (Status::Deleted, LedgerState::Nothing),
    ] {
        (step.file.status, step.file.ledger_state) = (status, ledger_state);
        assert!(files.apply_transition(&step).await.unwrap().is_committed());
        assert_eq!(files.get_file(&owner, file.id()).await.unwrap().as_ref(), Some(&step.file));
        step.seen = step.file.revision;
        step.file.revision += 1;
        // The ledger changes once. From here on only the record does.
        step.ledger = LedgerDelta::default();
    }
}

async fn of_ten_deletions_one_succeeds(files: &impl Files) {
    let (owner, now) = (owner(), now());
    let file = ready_file(files, &owner, "a.png", 10, now).await;
    let later = now.plus(Duration::from_secs(1));
    let outcomes = join_all((0..10).map(|_| files.begin_delete(&file.key, later))).await;
    let given: Vec<File> = outcomes.into_iter().filter_map(Result::unwrap).collect();
    let marked = files.get_file(&owner, file.id()).await.unwrap().unwrap();
    assert_eq!(marked, file.deleting(later));
    assert_eq!(given, std::slice::from_ref(&marked));
    assert!(files.apply_transition(&marked.remove(Removal::Deleted, later)).await.unwrap().is_committed());
    assert_eq!(files.begin_delete(&file.key, later).await.unwrap(), None);
}

async fn a_deletion_needs_the_exact_key(files: &impl Files) {
    let (owner, now) = (owner(), now());
    let file = ready_file(files, &owner, "a.png", 10, now).await;
    for other in [
        file.key.as_str().replace("-a.png", "-b.png"),
        file.key.as_str().replace("/images/", "/videos/"),
        file.key.as_str().replace(owner.as_str(), super::owner().as_str()),
    ] {
        let key = ObjectKey::parse(&other).unwrap();
        assert_eq!(files.begin_delete(&key, now).await.unwrap(), None, "{other}");
    }
    assert_eq!(files.get_file(&owner, file.id()).await.unwrap(), Some(file));
}

pub(super) const READY: Filter = Filter { status: Status::Ready, kind: None };

async fn lists_are_newest_first_in_pages(files: &impl Files) {
    let (owner, start) = (owner(), now());
    let mut made = Vec::new();
    for n in 0..7_u64 {
        // Two of them have the same time, so their ids decide.
        let at = start.plus(Duration::from_millis(n / 2 * 1000));
        made.push(ready_file(files, &owner, &format!("{n}.png"), 1, at).await);
    }
    made.sort_by_key(|file| std::cmp::Reverse((file.changed_at, file.id())));
    let whole =
        eventually(async || files.list_files(&owner, READY, 10, None).await.unwrap(), |page| page.files.len() == 7);
    let whole = whole.await;
    assert_eq!((&whole.files, &whole.next), (&made, &None));
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = files.list_files(&owner, READY, 3, after.as_ref()).await.unwrap();
        assert!(page.files.len() <= 3);
        seen.extend(page.files);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, made);
    // A page that ends exactly at the end of the list has no next page.
    assert_eq!(files.list_files(&owner, READY, 7, None).await.unwrap().next, None);
    assert_eq!(files.list_files(&super::owner(), READY, 7, None).await.unwrap().files, []);
}

async fn lists_can_be_filtered_by_status_and_kind(files: &impl Files) {
    let (owner, now) = (owner(), now());
    let image = ready_file(files, &owner, "a.png", 1, now).await;
    let text = ready_file(files, &owner, "b.md", 1, now.plus(Duration::from_secs(1))).await;
    let waiting = granted(files, &owner, "c.png", 1, now.plus(Duration::from_secs(2))).await;
    let waiting_text = granted(files, &owner, "d.md", 1, now.plus(Duration::from_secs(3))).await;
    let names = async |status, kind| {
        let page = files.list_files(&owner, Filter { status, kind }, 10, None).await.unwrap();
        page.files.iter().map(File::id).collect::<Vec<_>>()
    };
    let shown = async |status, kind, wanted: &[&File]| {
        let wanted: Vec<_> = wanted.iter().map(|file| file.id()).collect();
        let found = eventually(async || names(status, kind).await, |found| *found == wanted).await;
        assert_eq!(found, wanted, "{status:?} {kind:?}");
        assert_eq!(files.count_files(&owner, Filter { status, kind }).await.unwrap(), wanted.len() as u64);
    };
    shown(Status::Ready, None, &[&text, &image]).await;
    shown(Status::Ready, Some(Kind::Image), &[&image]).await;
    shown(Status::Ready, Some(Kind::Blog), &[&text]).await;
    shown(Status::Ready, Some(Kind::Video), &[]).await;
    shown(Status::Pending, None, &[&waiting_text, &waiting]).await;
    shown(Status::Pending, Some(Kind::Image), &[&waiting]).await;
    files.begin_delete(&image.key, now).await.unwrap();
    shown(Status::Ready, None, &[&text]).await;
    shown(Status::Ready, Some(Kind::Image), &[]).await;
}

async fn files_that_are_being_deleted_are_counted_until_they_are_gone(files: &impl Files) {
    let (owner, now) = (owner(), now());
    let image = ready_file(files, &owner, "a.png", 1, now).await;
    ready_file(files, &owner, "b.md", 1, now).await;
    let waiting = granted(files, &owner, "c.png", 1, now).await;
    let counted = async |kind, wanted| {
        let count = async || files.count_deleting(&owner, kind).await.unwrap();
        assert_eq!(eventually(count, |count| *count == wanted).await, wanted, "{kind:?}");
    };
    counted(None, 0).await;
    let marked = files.begin_delete(&image.key, now).await.unwrap().unwrap();
    // The ledger does not count a grant as a file.
    files.begin_delete(&waiting.key, now).await.unwrap().unwrap();
    counted(None, 1).await;
    counted(Some(Kind::Image), 1).await;
    counted(Some(Kind::Blog), 0).await;
    assert_eq!(files.get_usage(&owner).await.unwrap().files(None), 2);
    assert!(files.apply_transition(&marked.remove(Removal::Deleted, now)).await.unwrap().is_committed());
    counted(None, 0).await;
    counted(Some(Kind::Image), 0).await;
    assert_eq!(files.get_usage(&owner).await.unwrap().files(None), 1);
}
