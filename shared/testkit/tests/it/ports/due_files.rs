//! Contract of the ports for files that are due.

use std::time::Duration;

use consigne_core::files::{File, Removal, SWEEP_MARGIN, UPLOAD_GRANT_VALID};
use consigne_core::ports::Due;

use super::files::{Files, granted};
use super::{all_due, eventually, now, on_both, owner};

on_both!(
    consigne_testkit::stack::Stack::table,
    due_files_are_listed_until_they_are_done,
    due_files_are_listed_once_the_oldest_first,
);

async fn due_files_are_listed_until_they_are_done(files: &impl Files) {
    let (owner, start) = (owner(), now().plus(Duration::from_hours(1_000)));
    let file = granted(files, &owner, "a.png", 10, start).await;
    let due_at = start.plus(UPLOAD_GRANT_VALID).plus(SWEEP_MARGIN);
    let mine = async |at| {
        let mine = all_due(files, at).await.into_iter().filter_map(|due| match due {
            Due::File(file) if *file.owner() == owner => Some(file.id().to_string()),
            Due::Event(entry) if entry.detail.contains(owner.as_str()) => Some(entry.kind),
            _ => None,
        });
        mine.collect::<Vec<_>>()
    };
    assert_eq!(mine(due_at.minus(Duration::from_millis(1))).await, Vec::<String>::new());
    let found = eventually(async || mine(due_at).await, |found| !found.is_empty()).await;
    assert_eq!(found, [file.id().to_string()]);
    let step = file.remove(Removal::Expired, start);
    assert!(files.apply_transition(&step).await.unwrap().is_committed());
    let found = eventually(async || mine(due_at).await, |found| *found == ["file.deleted"]).await;
    // On the deployed stack the stream may have carried the event already.
    assert!(found.is_empty() || found == ["file.deleted"], "{found:?}");
    files.clear_outbox(step.event.id).await.unwrap();
    files.clear_outbox(step.event.id).await.unwrap();
    let found = eventually(async || mine(due_at).await, Vec::is_empty).await;
    assert_eq!(found, Vec::<String>::new());
}

async fn due_files_are_listed_once_the_oldest_first(files: &impl Files) {
    let (owner, start) = (owner(), now().plus(Duration::from_hours(1_000)));
    let mut made = Vec::new();
    for n in 0..12_u64 {
        made.push(granted(files, &owner, "a.png", 10, start.plus(Duration::from_secs(n))).await);
    }
    let at = start.plus(UPLOAD_GRANT_VALID).plus(SWEEP_MARGIN).plus(Duration::from_mins(1));
    let walked = async || {
        let mine = all_due(files, at).await.into_iter().filter_map(|due| match due {
            Due::File(file) if *file.owner() == owner => Some(file.id()),
            _ => None,
        });
        mine.collect::<Vec<_>>()
    };
    let wanted: Vec<_> = made.iter().map(File::id).collect();
    assert_eq!(eventually(walked, |found| found.len() == wanted.len()).await, wanted);
    for file in made {
        let step = file.remove(Removal::Expired, start);
        assert!(files.apply_transition(&step).await.unwrap().is_committed());
        files.clear_outbox(step.event.id).await.unwrap();
    }
}
