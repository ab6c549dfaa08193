//! Contract of the ports for what is derived from pictures.

use std::collections::BTreeSet;

use consigne_core::files::{
    DerivativeState, Derivatives, DerivedCopy, DerivedKey, File, FilePatch, MediaType, ObjectKey, Rendition,
};
use consigne_core::idempotency::CommitOutcome;
use consigne_core::ports::{ListDerived, PutDerived, ReadHead, RemoveVersion};
use consigne_core::{FileId, UserId};

use super::{now, owner};

fn media(name: &str) -> &'static MediaType {
    MediaType::from_name(name).unwrap()
}

mod objects {
    use super::*;
    use crate::ports::on_both;

    on_both!(
        consigne_testkit::stack::Stack::bucket,
        a_copy_is_written_once_and_found_by_its_file,
        copies_of_other_files_are_not_found,
    );

    trait Objects: PutDerived + ListDerived + ReadHead + RemoveVersion {}
    impl<T: PutDerived + ListDerived + ReadHead + RemoveVersion> Objects for T {}

    async fn listed(objects: &impl Objects, owner: &UserId, file: FileId) -> BTreeSet<(String, String)> {
        let found = objects.list_derived(owner, file).await.unwrap();
        found.into_iter().map(|stored| (stored.key, stored.version)).collect()
    }

    async fn a_copy_is_written_once_and_found_by_its_file(objects: &impl Objects) {
        let (owner, file, jpeg) = (owner(), FileId::mint(now()), media("image/jpeg"));
        assert_eq!(listed(objects, &owner, file).await, BTreeSet::new());
        let small = DerivedKey::mint(&owner, file, Rendition::Small, jpeg);
        let large = DerivedKey::mint(&owner, file, Rendition::Large, jpeg);
        let first = objects.put_derived(&small, jpeg, b"small".to_vec()).await.unwrap().unwrap();
        let second = objects.put_derived(&large, jpeg, b"large".to_vec()).await.unwrap().unwrap();
        assert_eq!(objects.put_derived(&small, jpeg, b"other".to_vec()).await.unwrap(), None);
        let head = objects.read_head(small.as_str(), None, 9).await.unwrap().unwrap();
        assert_eq!((head.version, head.bytes), (first.clone(), b"small".to_vec()));
        let both = [(small.to_string(), first.clone()), (large.to_string(), second.clone())];
        assert_eq!(listed(objects, &owner, file).await, BTreeSet::from(both));
        objects.remove_version(small.as_str(), &first).await.unwrap();
        objects.remove_version(large.as_str(), &second).await.unwrap();
        assert_eq!(listed(objects, &owner, file).await, BTreeSet::new());
        // The key is free again.
        let again = objects.put_derived(&small, jpeg, b"again".to_vec()).await.unwrap().unwrap();
        objects.remove_version(small.as_str(), &again).await.unwrap();
    }

    async fn copies_of_other_files_are_not_found(objects: &impl Objects) {
        let (owner, webp) = (owner(), media("image/webp"));
        let longer = UserId::parse(&format!("{owner}2")).unwrap();
        let [file, other] = [now(), now()].map(FileId::mint);
        for (of, id) in [(&owner, other), (&longer, file)] {
            let key = DerivedKey::mint(of, id, Rendition::Small, webp);
            assert!(objects.put_derived(&key, webp, vec![1]).await.unwrap().is_some());
        }
        assert_eq!(listed(objects, &owner, file).await, BTreeSet::new());
        assert_eq!(listed(objects, &owner, other).await.len(), 1);
    }
}

mod records {
    use super::*;
    use crate::ports::files::{Files, READY, granted, ready_file};
    use crate::ports::{eventually, on_both};

    on_both!(
        consigne_testkit::stack::Stack::table,
        what_was_derived_is_recorded_and_listed,
        only_a_ready_file_is_recorded,
        a_change_of_its_owner_and_the_record_do_not_lose_each_other,
    );

    fn made() -> Derivatives {
        let copy =
            |rendition, name, version: &str| DerivedCopy { rendition, media: media(name), version: version.to_owned() };
        let copies = vec![
            copy(Rendition::Small, "image/jpeg", "v1"),
            copy(Rendition::Large, "image/webp", "v2"),
            copy(Rendition::Display, "image/jpeg", "v3"),
            copy(Rendition::Clean, "image/heic", "v4"),
        ];
        Derivatives { state: DerivativeState::Ready, copies }
    }

    async fn what_was_derived_is_recorded_and_listed(files: &impl Files) {
        let (owner, now) = (owner(), now());
        let file = ready_file(files, &owner, "a.png", 10, now).await;
        assert_eq!(file.derivatives, Some(Derivatives::none(DerivativeState::Pending)));
        let usage = files.get_usage(&owner).await.unwrap();
        for derivatives in [Derivatives::none(DerivativeState::Failed), made()] {
            let before = files.get_file(&owner, file.id()).await.unwrap().unwrap();
            let recorded = files.record_derivatives(&file, &derivatives).await.unwrap();
            assert_eq!(recorded, CommitOutcome::Committed);
            let want = File { derivatives: Some(derivatives), revision: before.revision + 1, ..file.clone() };
            assert_eq!(files.get_file(&owner, file.id()).await.unwrap(), Some(want.clone()));
            let list = async || files.list_files(&owner, READY, 10, None).await.unwrap().files;
            assert_eq!(eventually(list, |listed| *listed == [want.clone()]).await, [want]);
        }
        assert_eq!(files.get_usage(&owner).await.unwrap(), usage);
    }

    async fn only_a_ready_file_is_recorded(files: &impl Files) {
        let (owner, now) = (owner(), now());
        let file = ready_file(files, &owner, "a.png", 10, now).await;
        let mut other = file.clone();
        "another".clone_into(&mut other.pinned.as_mut().unwrap().version);
        assert_eq!(files.record_derivatives(&other, &made()).await.unwrap(), CommitOutcome::Conflict);
        let unknown = ObjectKey::parse(&format!("{owner}/images/{}-a.png", FileId::mint(now))).unwrap();
        let unknown = File { key: unknown, ..file.clone() };
        assert_eq!(files.record_derivatives(&unknown, &made()).await.unwrap(), CommitOutcome::Conflict);
        assert_eq!(files.get_file(&owner, unknown.id()).await.unwrap(), None);
        let waiting = granted(files, &owner, "b.png", 10, now).await;
        assert_eq!(files.record_derivatives(&waiting, &made()).await.unwrap(), CommitOutcome::Conflict);
        let marked = files.begin_delete(&file.key, now).await.unwrap().unwrap();
        assert_eq!(files.record_derivatives(&file, &made()).await.unwrap(), CommitOutcome::Conflict);
        assert_eq!(files.get_file(&owner, file.id()).await.unwrap(), Some(marked));
    }

    async fn a_change_of_its_owner_and_the_record_do_not_lose_each_other(files: &impl Files) {
        use consigne_core::Plan;
        use consigne_core::ports::{FileChange, FileChangeOutcome};
        let (owner, now) = (owner(), now());
        let file = ready_file(files, &owner, "a.png", 10, now).await;
        let patch = FilePatch { metadata: [("title".to_owned(), Some("t".to_owned()))].into(), ..FilePatch::default() };
        let stale = FileChange { file: file.patched(&patch).unwrap(), plan: Plan::Pro, now };
        assert!(files.record_derivatives(&file, &made()).await.unwrap().is_committed());
        assert_eq!(files.change_file(&stale).await.unwrap(), FileChangeOutcome::Conflict);
        let read = files.get_file(&owner, file.id()).await.unwrap().unwrap();
        let change = FileChange { file: read.patched(&patch).unwrap(), plan: Plan::Pro, now };
        assert_eq!(files.change_file(&change).await.unwrap(), FileChangeOutcome::Applied);
        // The record read before the change is stale, and its owner's words stay.
        assert!(
            files.record_derivatives(&file, &Derivatives::none(DerivativeState::Failed)).await.unwrap().is_committed()
        );
        let read = files.get_file(&owner, file.id()).await.unwrap().unwrap();
        assert_eq!((read.shown_metadata()["title"].as_str(), read.readable_copies().len()), ("t", 0));
    }
}
