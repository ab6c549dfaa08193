use super::*;
use crate::files::{
    Arrival, Derivatives, DerivedCopy, Measured, ObjectKey, OpenUpload, PartSession, Pinned, Removal, Rendition,
};
use crate::files::{FileName, MediaType};
use crate::reconcile::ListedVersion;

const KEY: &str = "user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH2FTR-a.png";
const DERIVED: &str = "derived/user_ann1/01M7YREWKH7VM7Z3Z2KWSH2FTR/256.png";
const THEN: Timestamp = Timestamp::from_secs(1_000);
const CUTOFF: Timestamp = Timestamp::from_secs(1_000_000);

fn pending() -> File {
    let (name, media) = (FileName::parse("a.png").unwrap(), MediaType::from_name("image/png").unwrap());
    File::granted(ObjectKey::parse(KEY).unwrap(), name, media, 10, Duration::from_mins(15), THEN)
}

fn ready() -> File {
    let pinned = Pinned { version: "v1".to_owned(), etag: String::new(), sequencer: String::new() };
    pending().accept(Arrival { pinned, size: 10, measured: Measured::default() }, THEN).file
}

fn version(key: &str, version: &str, size: u64) -> ListedVersion {
    ListedVersion { key: key.to_owned(), version: version.to_owned(), size, is_marker: false, at: THEN }
}

fn kinds(area: Area, record: Option<File>, versions: &[ListedVersion], complete: bool) -> Vec<&'static str> {
    let group = area.group(if area == Area::Originals { KEY } else { DERIVED }).unwrap();
    let record = record.map(|file| Recorded::File(Box::new(file)));
    let look = Judged { area, group: &group, record: record.as_ref(), versions, complete, cutoff: CUTOFF };
    judge(&look).into_iter().map(|finding| finding.kind.name()).collect()
}

fn originals(record: Option<File>, versions: &[ListedVersion]) -> Vec<&'static str> {
    kinds(Area::Originals, record, versions, true)
}

#[test]
fn a_record_and_its_version_agree() {
    assert!(originals(Some(ready()), &[version(KEY, "v1", 10)]).is_empty());
    assert!(originals(None, &[]).is_empty());
    let deleted = ready().remove(Removal::Deleted, THEN).file;
    assert!(originals(Some(deleted), &[]).is_empty());
}

#[test]
fn versions_without_a_use_are_left_over_unless_they_are_young() {
    let (kept, old) = (version(KEY, "v1", 10), version(KEY, "v0", 3));
    let marker = ListedVersion { is_marker: true, ..version(KEY, "m", 0) };
    let found = originals(Some(ready()), &[kept.clone(), old.clone(), marker]);
    assert_eq!(found, ["version_without_record", "delete_marker"]);
    let young = ListedVersion { at: CUTOFF, ..old.clone() };
    assert!(originals(Some(ready()), &[kept, young.clone()]).is_empty());
    assert!(originals(None, &[young]).is_empty());
    assert_eq!(originals(None, std::slice::from_ref(&old)), ["object_without_record"]);
    let deleted = ready().remove(Removal::Deleted, THEN).file;
    assert_eq!(originals(Some(deleted), &[old]), ["version_without_record"]);
}

#[test]
fn without_its_own_version_nothing_of_a_key_is_left_over() {
    assert_eq!(originals(Some(ready()), &[version(KEY, "v2", 10)]), ["other_version"]);
    assert_eq!(originals(Some(ready()), &[]), ["record_without_object"]);
    assert_eq!(originals(Some(ready()), &[version(KEY, "v1", 9)]), ["other_size"]);
    // A look that saw only a part does not know what is missing, so it suspects what it saw.
    assert_eq!(kinds(Area::Originals, Some(ready()), &[version(KEY, "v2", 10)], false), ["version_without_record"]);
    assert!(kinds(Area::Originals, Some(ready()), &[], false).is_empty());
}

#[test]
fn work_in_progress_is_no_finding() {
    let arriving = File { granted_at: CUTOFF, grant_expires_at: CUTOFF, ..pending() };
    assert!(originals(Some(arriving), &[version(KEY, "v1", 10)]).is_empty());
    let deleting = File { changed_at: CUTOFF, status: Status::Deleting, ..ready() };
    assert!(originals(Some(deleting), &[]).is_empty());
    let changed = File { changed_at: CUTOFF, ..ready() };
    assert!(originals(Some(changed), &[version(KEY, "v2", 10)]).is_empty());
    assert_eq!(originals(Some(pending()), &[]), ["overdue_record"]);
}

#[test]
fn what_is_derived_belongs_to_its_original() {
    let media = MediaType::from_name("image/png").unwrap();
    let copy = DerivedCopy { rendition: Rendition::Small, media, version: "d1".to_owned() };
    let with = |state, copies| File { derivatives: Some(Derivatives { state, copies }), ..ready() };
    let done = with(DerivativeState::Ready, vec![copy]);
    let derived = |record, version: &str| {
        kinds(
            Area::Derived,
            Some(record),
            &[ListedVersion { version: version.to_owned(), ..self::version(DERIVED, "", 5) }],
            true,
        )
    };
    assert!(derived(done.clone(), "d1").is_empty());
    assert_eq!(derived(done.clone(), "d2"), ["derived_missing"]);
    assert!(derived(with(DerivativeState::Pending, vec![]), "d1").is_empty());
    assert_eq!(derived(with(DerivativeState::Failed, vec![]), "d1"), ["version_without_record"]);
    assert_eq!(derived(done.remove(Removal::Deleted, THEN).file, "d1"), ["derived_without_original"]);
    assert_eq!(kinds(Area::Derived, None, &[version(DERIVED, "d1", 5)], true), ["derived_without_original"]);
    assert!(kinds(Area::Derived, None, &[], true).is_empty());
}

#[test]
fn objects_of_a_record_that_cannot_be_read_are_left_alone() {
    let group = Area::Originals.group(KEY).unwrap();
    let record = Recorded::Unreadable { owner: group.owner.clone(), file: group.file };
    let versions = [version(KEY, "v1", 10)];
    let mut look = Judged {
        area: Area::Originals,
        group: &group,
        record: Some(&record),
        versions: &versions,
        complete: false,
        cutoff: CUTOFF,
    };
    assert!(judge(&look).is_empty());
    look.complete = true;
    assert!(judge(&look).is_empty());
    let own = Area::Originals.group_of(&record);
    (look.group, look.versions) = (&own, &[]);
    let found: Vec<FindingKind> = judge(&look).into_iter().map(|finding| finding.kind).collect();
    assert_eq!(found, [FindingKind::UnreadableRecord]);
}

#[test]
fn an_upload_is_explained_by_the_session_that_names_it() {
    let upload = |id: &str, at| ListedUpload { key: KEY.to_owned(), id: id.to_owned(), at };
    let named = Some(OpenUpload { id: "u1".to_owned(), checked: false });
    let session = PartSession { part_size: 16 << 20, part_count: 2, upload: named, completing: None };
    let file = File { parts: Some(session), ..pending() };
    let of = |file: File, id, at| judge_upload(&upload(id, at), Some(&Recorded::File(Box::new(file))), CUTOFF);
    assert_eq!(of(file.clone(), "u1", THEN), None);
    assert_eq!(of(file.clone(), "u2", CUTOFF), None);
    assert!(of(file.clone(), "u2", THEN).is_some());
    let ended = file.remove(Removal::Expired, THEN).file;
    assert!(of(ended, "u1", THEN).is_some());
    assert!(judge_upload(&upload("u1", THEN), None, CUTOFF).is_some());
}
