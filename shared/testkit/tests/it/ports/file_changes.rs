//! Contract of the port that changes what an owner says about a file.

use std::time::Duration;

use consigne_core::Plan;
use consigne_core::files::{File, FilePatch};
use consigne_core::ports::{FileChange, FileChangeOutcome};
use consigne_core::rates::{OverRate, Rate, Window};
use futures_util::future::join_all;

use super::files::{Files, READY, granted, ready_file};
use super::{eventually, now, on_both, owner};

on_both!(
    consigne_testkit::stack::Stack::table,
    a_change_is_written_once_and_counted,
    a_change_needs_the_revision_that_was_read,
    a_change_in_a_full_window_is_refused,
);

fn retitled(file: &File, title: &str) -> File {
    let patch = FilePatch { metadata: [("title".to_owned(), Some(title.to_owned()))].into(), ..FilePatch::default() };
    file.patched(&patch).unwrap()
}

async fn a_change_is_written_once_and_counted(files: &impl Files) {
    let (owner, now) = (owner(), now());
    let file = ready_file(files, &owner, "a.png", 10, now).await;
    let change = FileChange { file: retitled(&file, "a"), plan: Plan::Free, now };
    assert_eq!(files.change_file(&change).await.unwrap(), FileChangeOutcome::Applied);
    assert_eq!(files.get_file(&owner, file.id()).await.unwrap(), Some(change.file.clone()));
    assert_eq!(files.change_file(&change).await.unwrap(), FileChangeOutcome::Conflict);
    let usage = files.get_usage(&owner).await.unwrap();
    assert_eq!(usage.windows.writes, Some(Window { started: now, count: 2 }));
    assert_eq!((usage.committed, usage.files(None)), (10, 1));
    // Later the window is a new one.
    let later = now.plus(Duration::from_mins(1));
    let change = FileChange { file: retitled(&change.file, "b"), plan: Plan::Free, now: later };
    assert_eq!(files.change_file(&change).await.unwrap(), FileChangeOutcome::Applied);
    let usage = files.get_usage(&owner).await.unwrap();
    assert_eq!(usage.windows.writes, Some(Window { started: later, count: 1 }));
    // It is listed with what it says now, at its old place.
    let list = async || files.list_files(&owner, READY, 10, None).await.unwrap().files;
    let listed = eventually(list, |listed| *listed == [change.file.clone()]).await;
    assert_eq!(listed, [change.file]);
}

async fn a_change_needs_the_revision_that_was_read(files: &impl Files) {
    let (owner, now) = (owner(), now());
    let file = ready_file(files, &owner, "a.png", 10, now).await;
    let changes = ["a", "b", "c"].map(|title| FileChange { file: retitled(&file, title), plan: Plan::Free, now });
    let outcomes = join_all(changes.iter().map(|change| files.change_file(change))).await;
    let applied = outcomes.iter().filter(|outcome| matches!(outcome, Ok(FileChangeOutcome::Applied))).count();
    assert_eq!(applied, 1, "{outcomes:?}");
    let marked = files.begin_delete(&file.key, now).await.unwrap().unwrap();
    let late = FileChange { file: retitled(&changes[0].file, "d"), plan: Plan::Free, now };
    assert_eq!(files.change_file(&late).await.unwrap(), FileChangeOutcome::Conflict);
    assert_eq!(files.get_file(&owner, file.id()).await.unwrap(), Some(marked));
    assert_eq!(files.get_usage(&owner).await.unwrap().windows.writes, Some(Window { started: now, count: 2 }));
}

async fn a_change_in_a_full_window_is_refused(files: &impl Files) {
    let (owner, now) = (owner(), now());
    let mut file = granted(files, &owner, "a.png", 10, now).await;
    for n in 1..Plan::Free.allowances().writes_per_minute {
        file = retitled(&file, &n.to_string());
        let change = FileChange { file: file.clone(), plan: Plan::Free, now };
        assert_eq!(files.change_file(&change).await.unwrap(), FileChangeOutcome::Applied, "{n}");
    }
    let change = FileChange { file: retitled(&file, "one more"), plan: Plan::Free, now };
    let full = OverRate { rate: Rate::Writes, started: now };
    assert_eq!(files.change_file(&change).await.unwrap(), FileChangeOutcome::OverRate(full));
    assert_eq!(files.get_file(&owner, file.id()).await.unwrap(), Some(file));
}
