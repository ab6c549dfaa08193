use super::super::{GrantRequest, SWEEP_MARGIN, UPLOAD_GRANT_VALID};
use super::*;
use crate::{Plan, UserId};

const NOW: Timestamp = Timestamp::from_secs(1_000);
const SHA256: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

fn granted(size: u64, sha256: Option<&str>) -> File {
    let owner = UserId::parse("user_ann1").unwrap();
    let request = GrantRequest::parse("film.mp4", "video/mp4", size, sha256, None).unwrap();
    request.admit(&owner, Plan::Enterprise, UPLOAD_GRANT_VALID, NOW).unwrap()
}

fn session(checked: Option<bool>) -> PartSession {
    let upload = checked.map(|checked| OpenUpload { id: "u1".to_owned(), checked });
    PartSession { part_count: 3, upload, ..PartSession::of(3 * PART_SIZE) }
}

#[test]
fn only_files_above_the_threshold_are_divided() {
    assert_eq!(granted(ONE_PUT_MAX, Some(SHA256)).divided().unwrap().parts, None);
    let file = granted(ONE_PUT_MAX + 1, None).divided().unwrap();
    let session = file.parts.clone().unwrap();
    assert_eq!((session.part_size, session.part_count), (16_777_216, 7));
    assert_eq!(file.grant_expires_at, NOW.plus(SESSION_VALID));
    // S3 could not check it.
    let refused = granted(ONE_PUT_MAX + 1, Some(SHA256)).divided().unwrap_err();
    assert_eq!((refused.code, &refused.details["field"]), (Code::InvalidRequest, &"sha256".into()));
}

#[test]
fn parts_are_equal_but_the_last_and_add_up_to_the_file() {
    for size in [ONE_PUT_MAX + 1, 7 * PART_SIZE, 300 << 20, (5 << 30) - 1, 5 << 30] {
        let file = granted(size, None).divided().unwrap();
        let session = file.parts.clone().unwrap();
        assert!(session.part_count <= PARTS_MAX, "{size} bytes");
        let lengths: Vec<u64> = (1..=session.part_count).map(|number| file.part_length(&session, number)).collect();
        assert_eq!(lengths.iter().sum::<u64>(), size);
        let (last, others) = lengths.split_last().unwrap();
        assert!(others.iter().all(|length| *length == PART_SIZE) && (1..=PART_SIZE).contains(last), "{size} bytes");
    }
    assert_eq!(granted(5 << 30, None).divided().unwrap().parts.unwrap().part_count, PARTS_MAX);
}

#[test]
fn a_session_is_due_when_no_part_can_be_under_way_any_more() {
    let file = granted(5 << 30, None).divided().unwrap();
    assert_eq!(file.due_at(), Some(NOW.plus(SESSION_VALID).plus(SWEEP_MARGIN)));
}

#[test]
fn numbers_are_of_the_session_and_named_once() {
    let asked = |numbers: &[u32]| session(None).asked(numbers, &BTreeMap::new());
    assert_eq!(asked(&[3, 1]).unwrap(), BTreeMap::from([(1, None), (3, None)]));
    for wrong in [&[][..], &[0], &[4], &[1, 1]] {
        let fault = asked(wrong).unwrap_err();
        assert_eq!((fault.code, &fault.details["field"]), (Code::InvalidRequest, &"partNumbers".into()), "{wrong:?}");
    }
}

#[test]
fn all_parts_of_an_upload_have_a_checksum_or_none() {
    let asked = |upload: Option<bool>, checksums: &[&str]| {
        let checksums = checksums.iter().map(|number| ((*number).to_owned(), SHA256.to_owned())).collect();
        session(upload).asked(&[1, 2], &checksums).map_err(|fault| fault.details["field"].clone())
    };
    let refused = Err(serde_json::json!("sha256"));
    let checked = Ok(BTreeMap::from([(1, Some(SHA256.to_owned())), (2, Some(SHA256.to_owned()))]));
    for upload in [None, Some(true)] {
        assert_eq!(asked(upload, &["1", "2"]), checked, "{upload:?}");
    }
    for upload in [None, Some(false)] {
        assert_eq!(asked(upload, &[]), Ok(BTreeMap::from([(1, None), (2, None)])), "{upload:?}");
    }
    assert_eq!(asked(None, &["1"]), refused);
    assert_eq!(asked(Some(true), &[]), refused);
    assert_eq!(asked(Some(false), &["1", "2"]), refused);
    for stranger in ["3", "x", "-1"] {
        assert_eq!(asked(None, &["1", "2", stranger]), refused, "{stranger}");
    }
}

#[test]
fn a_completion_names_every_part_once() {
    let part = |number: u32, etag: &str| NamedPart { number, etag: etag.to_owned(), sha256: None };
    let named = session(Some(false)).named(vec![part(3, "c"), part(1, "\"a\""), part(2, "b")]).unwrap();
    assert_eq!(named, [part(1, "a"), part(2, "b"), part(3, "c")]);
    let fault = session(Some(false)).named(vec![part(2, "b")]).unwrap_err();
    assert_eq!((&fault.details["field"], &fault.details["missing"]), (&"parts".into(), &serde_json::json!([1, 3])));
    let all = || vec![part(1, "a"), part(2, "b"), part(3, "c")];
    for wrong in [part(4, "d"), part(0, "d"), part(1, "a"), part(1, ""), part(1, "a b"), part(1, &"a".repeat(65))] {
        let mut parts = all();
        if wrong.etag != "a" {
            parts.remove(0);
        }
        parts.push(wrong);
        let fault = session(Some(false)).named(parts).unwrap_err();
        assert_eq!((fault.code, &fault.details["field"]), (Code::InvalidRequest, &"parts".into()));
    }
    let mut checked = all();
    checked[1].sha256 = Some(SHA256.to_owned());
    assert!(session(Some(true)).named(checked.clone()).is_ok());
    assert_eq!(session(Some(false)).named(checked).unwrap_err().details["field"], "parts");
}

#[test]
fn parts_that_s3_has_otherwise_are_not_stored() {
    let part = |number, etag: &str, sha256: Option<&str>| NamedPart {
        number,
        etag: etag.to_owned(),
        sha256: sha256.map(str::to_owned),
    };
    let stored = |number, etag: &str| StoredPart {
        number,
        etag: etag.to_owned(),
        size: PART_SIZE,
        sha256: Some(SHA256.to_owned()),
    };
    let named = [part(1, "a", None), part(2, "b", Some(SHA256)), part(3, "c", Some("x")), part(4, "d", None)];
    let known = [stored(1, "a"), stored(2, "b"), stored(3, "c")];
    assert_eq!(PartSession::not_stored(&named, &known), [3, 4]);
    assert_eq!(PartSession::not_stored(&named[..1], &[stored(1, "z")]), [1]);
    assert_eq!(session(None).not_arrived(&known[1..2]), [1, 3]);
}

#[test]
fn a_session_is_open_until_the_file_has_arrived_or_time_is_up() {
    let code = |file: &File, at| file.open_session(at).map(|session| session.part_count).map_err(|fault| fault.code);
    let file = granted(5 << 30, None).divided().unwrap();
    let end = NOW.plus(SESSION_VALID);
    assert_eq!(code(&file, end.minus(Duration::from_millis(1))), Ok(PARTS_MAX));
    assert_eq!(code(&file, end), Err(Code::Conflict));
    assert_eq!(code(&File { status: Status::Ready, ..file.clone() }, NOW), Err(Code::Conflict));
    assert_eq!(code(&file.deleting(NOW), NOW), Err(Code::NotFound));
    assert_eq!(code(&granted(10, None), NOW), Err(Code::Conflict));
}
