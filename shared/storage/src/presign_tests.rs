//! Compares every signed URL byte for byte with the one the SDK signs for the same request.

use aws_sdk_s3::config::{BehaviorVersion, Region, RequestChecksumCalculation};
use aws_sdk_s3::presigning::PresigningConfig;
use consigne_core::files::{Disposition, FileName, Kind, MediaType, ObjectKey};
use consigne_core::{FileId, UserId};
use proptest::prelude::*;

use super::*;

const ADDRESS: &str = "http://127.0.0.1:4566";

fn credentials(token: Option<String>) -> Credentials {
    Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token, None, "test")
}

fn sdk(token: Option<String>, endpoint: &Endpoint) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-3"))
        .credentials_provider(credentials(token))
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
    let config = match endpoint {
        Endpoint::Aws => config,
        Endpoint::At(address) => config.endpoint_url(address).force_path_style(true),
    };
    aws_sdk_s3::Client::from_conf(config.build())
}

fn presigner(token: Option<String>, endpoint: &Endpoint) -> Presigner {
    let lifetime = Lifetime { until: Timestamp::from_secs(10_000), when_over: || () };
    Presigner::new(credentials(token), lifetime, "eu-west-3", endpoint, "photos-bucket")
}

fn config(at: Timestamp, valid: Duration) -> PresigningConfig {
    let start = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(at.as_millis()).unwrap());
    PresigningConfig::builder().start_time(start).expires_in(valid).build().unwrap()
}

fn file(name: &str, content_type: &str, size: u64, sha256: Option<String>) -> File {
    let owner = UserId::parse("user_ann1").unwrap();
    let (name, media) = (FileName::stored(name.to_owned()), MediaType::from_name(content_type).unwrap());
    let key = ObjectKey::mint(&owner, Kind::Image, FileId::mint(Timestamp::from_secs(1)), &name, media);
    File { sha256, ..File::granted(key, name, media, size, Duration::from_secs(1), Timestamp::from_secs(1)) }
}

fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    prop_oneof![Just(Endpoint::Aws), Just(Endpoint::At(ADDRESS.to_owned()))]
}

fn session_token() -> impl Strategy<Value = Option<String>> {
    prop::option::of("[A-Za-z0-9+/=]{1,200}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// The keys here contain any character. Real keys use only a few, but the signer does not rely on that.
    #[test]
    fn a_url_for_any_key_equals_that_of_the_sdk(
        key in "[^/\\s\\p{Cc}][^\\p{Cc}]{0,80}", version in "[A-Za-z0-9._-]{1,40}", token in session_token(),
        at in 0_i64..4_000_000_000_000, valid in 1_u64..=604_800, endpoint in endpoint(),
    ) {
        let (at, valid) = (Timestamp::from_millis(at), Duration::from_secs(valid));
        let presigner = presigner(token.clone(), &endpoint);
        let url = presigner.url(&key, "GetObject", &[("versionId", &version)]);
        let ours = presigner.sign("GET", &url, &[], valid, at).unwrap();
        let request = sdk(token, &endpoint).get_object().bucket("photos-bucket").key(&key).version_id(&version);
        let theirs = on_runtime(request.presigned(config(at, valid))).unwrap();
        prop_assert_eq!(ours.as_str(), theirs.uri());
    }

    #[test]
    fn a_url_for_reading_equals_that_of_the_sdk(
        name in "[^\\p{Cc}/]{1,60}", version in "[A-Za-z0-9._-]{1,40}", token in session_token(),
        at in 0_i64..4_000_000_000_000, valid in 1_u64..=3_600, endpoint in endpoint(),
    ) {
        let (at, valid) = (Timestamp::from_millis(at), Duration::from_secs(valid));
        let file = file(&name, "image/svg+xml", 10, None);
        let file = Readable { key: file.key.to_string(), name: file.name, media: file.media, version: version.clone(), asked: None };
        let ours = presigner(token.clone(), &endpoint).read(&file, valid, at).unwrap();
        let request = sdk(token, &endpoint)
            .get_object()
            .bucket("photos-bucket")
            .key(file.key.as_str())
            .version_id(version)
            .response_cache_control(format!("private, max-age={}", valid.as_secs()))
            .response_content_type("image/svg+xml")
            .response_content_disposition(content_disposition(&file));
        let theirs = on_runtime(request.presigned(config(at, valid))).unwrap();
        prop_assert_eq!(ours.as_str(), theirs.uri());
    }

    #[test]
    fn a_url_for_uploading_equals_that_of_the_sdk(
        size in 1_u64..5_000_000_000, sha256 in prop::option::of("[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="),
        token in session_token(), at in 0_i64..4_000_000_000_000, valid in 1_u64..=3_600, endpoint in endpoint(),
    ) {
        let (at, valid) = (Timestamp::from_millis(at), Duration::from_secs(valid));
        let file = file("photo.png", "image/png", size, sha256.clone());
        let ours = presigner(token.clone(), &endpoint).upload(&file, valid, at).unwrap();
        let request = sdk(token, &endpoint)
            .put_object()
            .bucket("photos-bucket")
            .key(file.key.as_str())
            .content_type("image/png")
            .content_length(i64::try_from(size).unwrap())
            .if_none_match("*")
            .set_checksum_sha256(sha256);
        let theirs = on_runtime(request.presigned(config(at, valid))).unwrap();
        prop_assert_eq!(ours.url.as_str(), theirs.uri());
        let mut listed: Vec<_> = theirs.headers().filter(|(name, _)| *name != "content-length").collect();
        listed.sort_unstable();
        let mut given: Vec<_> = ours.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        given.sort_unstable();
        prop_assert_eq!(given, listed);
    }

    #[test]
    fn a_url_for_uploading_a_part_equals_that_of_the_sdk(
        length in 1_u64..5_000_000_000, number in 1_u32..=10_000, upload in "[A-Za-z0-9._~+/=-]{1,120}",
        sha256 in prop::option::of("[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="),
        token in session_token(), at in 0_i64..4_000_000_000_000, valid in 1_u64..=3_600, endpoint in endpoint(),
    ) {
        let (at, valid) = (Timestamp::from_millis(at), Duration::from_secs(valid));
        let file = file("film.mp4", "video/mp4", 5_000_000_000, None);
        let part = PartToSign { upload: &upload, number, length, sha256: sha256.as_deref() };
        let ours = presigner(token.clone(), &endpoint).upload_part(&file, &part, valid, at).unwrap();
        let request = sdk(token, &endpoint)
            .upload_part()
            .bucket("photos-bucket")
            .key(file.key.as_str())
            .upload_id(&upload)
            .part_number(i32::try_from(number).unwrap())
            .content_length(i64::try_from(length).unwrap())
            .set_checksum_sha256(sha256.clone());
        let theirs = on_runtime(request.presigned(config(at, valid))).unwrap();
        prop_assert_eq!(ours.url.as_str(), theirs.uri());
        let listed: Vec<_> = theirs.headers().filter(|(name, _)| *name != "content-length").collect();
        let given: Vec<_> = ours.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        prop_assert_eq!(given, listed);
    }
}

#[test]
fn a_download_has_the_persons_file_name_and_a_valid_header() {
    let asked = |name, content_type, asked| {
        let file = file(name, content_type, 1, None);
        let (key, name, media, version) = (file.key.to_string(), file.name, file.media, "v".to_owned());
        content_disposition(&Readable { key, name, media, version, asked })
    };
    let disposition = |name, content_type| asked(name, content_type, None);
    assert_eq!(disposition("a.png", "image/png"), "inline; filename=\"a.png\"");
    assert_eq!(
        disposition("photo été.png", "image/png"),
        "inline; filename=\"photo-ete.png\"; filename*=UTF-8''photo%20%C3%A9t%C3%A9.png"
    );
    assert_eq!(
        disposition("a\"; b=\".svg", "image/svg+xml"),
        "attachment; filename=\"a-b.svg\"; filename*=UTF-8''a%22%3B%20b%3D%22.svg"
    );
    assert_eq!(
        asked("写真.png", "image/png", Some(Disposition::Attachment)),
        "attachment; filename=\"file.png\"; filename*=UTF-8''%E5%86%99%E7%9C%9F.png"
    );
    // A page could run a script in the bucket's name.
    assert_eq!(asked("a.html", "text/html", Some(Disposition::Inline)), "attachment; filename=\"a.html\"");
}

#[test]
fn a_signed_url_never_outlives_its_credentials() {
    let presigner = presigner(None, &Endpoint::Aws);
    let validity = |at| presigner.validity(Duration::from_hours(1), Timestamp::from_secs(at)).ok();
    assert_eq!(validity(0), Some(Duration::from_hours(1)));
    assert_eq!(validity(9_000), Some(Duration::from_secs(1000)));
    assert_eq!(validity(9_940), Some(Duration::from_mins(1)));
    assert_eq!(validity(9_941), None);
    assert_eq!(validity(99_999), None);
}
