//! Contract of the list of files, if their records are large: a page ends after one megabyte.

use consigne_core::Plan;
use consigne_core::files::{File, Grant, GrantOutcome, Metadata, Status};
use consigne_core::ports::{Filter, GrantUpload, ListFiles};

use super::{eventually, file_of, now, on_both, owner};

on_both!(consigne_testkit::stack::Stack::table, a_page_of_large_records_is_short_and_the_list_continues);

/// More records than fit in one megabyte, of over 2 KB each.
const RECORDS: usize = 520;

async fn a_page_of_large_records_is_short_and_the_list_continues(files: &(impl GrantUpload + ListFiles + Sync)) {
    let (owner, now) = (owner(), now());
    for _ in 0..RECORDS {
        let metadata = Metadata::stored([("note".to_owned(), "x".repeat(2_040))].into());
        let file = File { metadata, ..file_of(&owner, "a.png", 1, now) };
        let grant = Grant { file, plan: Plan::Enterprise, job: None, seen: None, idempotency: None, now };
        assert_eq!(files.grant_upload(&grant).await.unwrap(), GrantOutcome::Granted);
    }
    let filter = Filter { status: Status::Pending, kind: None };
    let all = async || {
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let page = files.list_files(&owner, filter, 1_000, after.as_ref()).await.unwrap();
            pages.push(page.files.iter().map(File::id).collect::<Vec<_>>());
            after = page.next;
            if after.is_none() {
                return pages;
            }
        }
    };
    let pages = eventually(all, |pages| pages.iter().map(Vec::len).sum::<usize>() == RECORDS).await;
    assert!(pages.len() > 1 && pages[0].len() > 300, "{:?}", pages.iter().map(Vec::len).collect::<Vec<_>>());
    let mut seen: Vec<_> = pages.concat();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), RECORDS, "a file is missing or shown twice");
}
