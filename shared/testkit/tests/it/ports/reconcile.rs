//! Contract of the ports of the reconciliation.

use std::collections::{BTreeMap, BTreeSet};

use consigne_core::files::{File, Grant, MediaType, Rendition};
use consigne_core::idempotency::CommitOutcome;
use consigne_core::ports::{
    AbortUpload, GetLedgerSums, GetRecords, GetRun, GrantUpload, KeepRun, ListOwners, ListUploadPage, ListVersionPage,
    OpenUploadInParts, PutDerived, RemoveVersion, WalkRecords,
};
use consigne_core::reconcile::{GRACE, ListedVersion, Marker, Recorded, Run};
use consigne_core::{FileId, Plan, UserId};

use super::{file_of, now, on_both, owner};

mod objects {
    use super::*;

    on_both!(
        consigne_testkit::stack::Stack::bucket,
        versions_are_listed_page_by_page_in_the_order_of_keys,
        open_uploads_are_listed_with_their_time,
    );

    trait Objects: ListVersionPage + PutDerived + RemoveVersion + ListUploadPage + OpenUploadInParts + AbortUpload {}
    impl<T: ListVersionPage + PutDerived + RemoveVersion + ListUploadPage + OpenUploadInParts + AbortUpload> Objects for T {}

    async fn versions_are_listed_page_by_page_in_the_order_of_keys(objects: &impl Objects) {
        let (owner, png) = (owner(), MediaType::from_name("image/png").unwrap());
        let longer = UserId::parse(&format!("{owner}2")).unwrap();
        let mut wanted = BTreeMap::new();
        for of in [&owner, &owner, &owner, &longer] {
            let key = consigne_core::files::DerivedKey::mint(of, FileId::mint(now()), Rendition::Small, png);
            let version = objects.put_derived(&key, png, vec![0; 7]).await.unwrap().unwrap();
            wanted.insert(key.to_string(), version);
        }
        let prefix = format!("derived/{owner}/");
        let (mut found, mut after) = (Vec::new(), None);
        for page in 1.. {
            let (some, next) = objects.list_version_page(&prefix, after.as_ref(), 2).await.unwrap();
            assert!(some.len() <= 2 && page <= 2, "too many pages");
            found.extend(some);
            after = next;
            if after.is_none() {
                break;
            }
        }
        let seen: Vec<(String, String)> = found.iter().map(|one| (one.key.clone(), one.version.clone())).collect();
        let theirs: Vec<(String, String)> =
            wanted.iter().filter(|(key, _)| key.starts_with(&prefix)).map(|(k, v)| (k.clone(), v.clone())).collect();
        assert_eq!(seen, theirs, "the keys of a longer id are no keys of the user");
        assert!(found.iter().all(|ListedVersion { size, is_marker, .. }| (*size, *is_marker) == (7, false)));
        // A position behind a key names no version.
        let behind = Marker { key: seen[0].0.clone(), within: None };
        let (rest, _) = objects.list_version_page(&prefix, Some(&behind), 9).await.unwrap();
        assert_eq!(rest, found[1..]);
        for (key, version) in wanted {
            objects.remove_version(&key, &version).await.unwrap();
        }
        assert_eq!(objects.list_version_page(&prefix, None, 9).await.unwrap(), (vec![], None));
    }

    async fn open_uploads_are_listed_with_their_time(objects: &impl Objects) {
        let file = file_of(&owner(), "a.png", 1_000, now());
        let id = objects.open_upload(&file, false).await.unwrap();
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let (some, next) = objects.list_upload_page(after.as_ref()).await.unwrap();
            found.extend(some.into_iter().filter(|upload| upload.id == id));
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found.len(), 1);
        assert!(found[0].key == file.key.as_str() && found[0].at <= now());
        objects.abort_upload(file.key.as_str(), &id).await.unwrap();
    }
}

mod records {
    use super::*;

    on_both!(
        consigne_testkit::stack::Stack::table,
        records_are_walked_in_the_order_of_their_ids,
        ledgers_and_owners_are_those_of_grants,
        a_run_is_written_once_for_each_revision,
    );

    trait Records: GrantUpload + WalkRecords + GetRecords + GetLedgerSums + ListOwners + GetRun + KeepRun {}
    impl<T: GrantUpload + WalkRecords + GetRecords + GetLedgerSums + ListOwners + GetRun + KeepRun> Records for T {}

    async fn granted(table: &impl Records, owner: &UserId, count: u64) -> Vec<File> {
        let mut files = Vec::new();
        for n in 0..count {
            let file = file_of(owner, "a.png", 100 + n, now());
            let (seen, idempotency) = (None, None);
            let grant = Grant { file: file.clone(), plan: Plan::Pro, job: None, seen, idempotency, now: now() };
            table.grant_upload(&grant).await.unwrap();
            files.push(file);
        }
        files.sort_by_key(File::id);
        files
    }

    async fn records_are_walked_in_the_order_of_their_ids(table: &impl Records) {
        let owner = owner();
        let files = granted(table, &owner, 3).await;
        let ids: Vec<FileId> = files.iter().map(File::id).collect();
        let walk = async |between, after| {
            let (records, _) = table.walk_records(&owner, between, after).await.unwrap();
            records.iter().map(Recorded::id).collect::<Vec<_>>()
        };
        assert_eq!(walk((None, None), None).await, ids);
        assert_eq!(walk((None, None), Some(ids[0])).await, ids[1..]);
        assert_eq!(walk((Some(ids[1]), Some(ids[1])), None).await, ids[1..2]);
        let other = (owner.clone(), FileId::mint(now()));
        let asked = BTreeSet::from([(owner.clone(), ids[2]), other]);
        let found = table.get_records(&asked).await.unwrap();
        assert_eq!(found, BTreeMap::from([((owner.clone(), ids[2]), Recorded::File(Box::new(files[2].clone())))]));
    }

    async fn ledgers_and_owners_are_those_of_grants(table: &impl Records) {
        let (owner, nobody) = (owner(), super::owner());
        granted(table, &owner, 2).await;
        let found = table.get_ledger_sums(&BTreeSet::from([owner.clone(), nobody])).await.unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), [&owner]);
        assert_eq!((found[&owner].committed, found[&owner].reserved), (201, 201));
        let listed = super::super::eventually(
            async || table.list_owners(owner.as_str(), 1).await.unwrap(),
            |listed| *listed == [owner.clone()],
        );
        assert_eq!(listed.await, std::slice::from_ref(&owner));
    }

    async fn a_run_is_written_once_for_each_revision(table: &impl Records) {
        // Schedules may run on a deployed stack, so another run may be in the way.
        for _ in 0..5 {
            let before = table.get_run().await.unwrap();
            let mut run = Run::start(before.as_ref(), false, GRACE, now());
            run.revision += 1;
            if table.keep_run(&run, None).await.unwrap() == CommitOutcome::Conflict {
                continue;
            }
            assert_eq!(table.keep_run(&run, None).await.unwrap(), CommitOutcome::Conflict);
            let kept = table.get_run().await.unwrap().unwrap();
            assert_eq!((kept.revision, kept.phase), (run.revision, run.phase));
            return;
        }
        panic!("the run was never written");
    }
}
