//! Contract of the ports that publish files and find them by their addresses.

use consigne_core::Plan;
use consigne_core::PublicId;
use consigne_core::files::Removal;
use consigne_core::ports::{FileChangeOutcome, GetPublished, PublishFile};

use super::files::{Files, ready_file};
use super::{now, on_both, owner};

/// The ports under test.
pub trait Published: Files + PublishFile + GetPublished {}
impl<T: Files + PublishFile + GetPublished> Published for T {}

on_both!(
    consigne_testkit::stack::Stack::table,
    an_address_names_its_file_and_the_record_says_whether_it_still_has_it,
    a_publication_needs_the_revision_that_was_read,
    an_address_ends_with_its_file,
);

async fn an_address_names_its_file_and_the_record_says_whether_it_still_has_it(files: &impl Published) {
    let (owner, now) = (owner(), now());
    let file = ready_file(files, &owner, "a.png", 10, now).await;
    let step = file.publish(now).unwrap().unwrap();
    assert_eq!(files.get_published(step.id).await.unwrap(), None);
    assert_eq!(files.publish_file(&step, Plan::Free, now).await.unwrap(), FileChangeOutcome::Applied);
    assert_eq!(files.get_published(step.id).await.unwrap(), Some((owner.clone(), file.id())));
    let stored = files.get_file(&owner, file.id()).await.unwrap().unwrap();
    assert_eq!((stored.public_id(), &stored), (Some(step.id), &step.file));
    assert_eq!(files.get_usage(&owner).await.unwrap().windows.writes.unwrap().count, 2, "it counts as a write");

    let end = stored.unpublish(now).unwrap();
    assert_eq!(files.publish_file(&end, Plan::Free, now).await.unwrap(), FileChangeOutcome::Applied);
    assert_eq!(files.get_file(&owner, file.id()).await.unwrap().unwrap().published, None);
    assert_eq!(files.get_published(PublicId::mint(now)).await.unwrap(), None);
}

async fn a_publication_needs_the_revision_that_was_read(files: &impl Published) {
    let (owner, now) = (owner(), now());
    let file = ready_file(files, &owner, "a.png", 10, now).await;
    let [one, other] = [(); 2].map(|()| file.publish(now).unwrap().unwrap());
    assert_eq!(files.publish_file(&one, Plan::Free, now).await.unwrap(), FileChangeOutcome::Applied);
    assert_eq!(files.publish_file(&other, Plan::Free, now).await.unwrap(), FileChangeOutcome::Conflict);
    assert_eq!(files.get_published(other.id).await.unwrap(), None, "an address that lost leads nowhere");
    files.begin_delete(&file.key, now).await.unwrap().unwrap();
    let late = one.file.unpublish(now).unwrap();
    assert_eq!(files.publish_file(&late, Plan::Free, now).await.unwrap(), FileChangeOutcome::Conflict);
}

async fn an_address_ends_with_its_file(files: &impl Published) {
    let (owner, now) = (owner(), now());
    let file = ready_file(files, &owner, "a.png", 10, now).await;
    let step = file.publish(now).unwrap().unwrap();
    files.publish_file(&step, Plan::Free, now).await.unwrap();
    let marked = files.begin_delete(&file.key, now).await.unwrap().unwrap();
    assert_eq!((marked.published, marked.public_id()), (Some(step.id), None));
    assert!(files.apply_transition(&marked.remove(Removal::Deleted, now)).await.unwrap().is_committed());
    let gone = files.get_file(&owner, file.id()).await.unwrap().unwrap();
    assert!(gone.readable_at(step.id).is_none());
}
