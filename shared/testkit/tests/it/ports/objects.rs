//! Contract of the ports for objects in the bucket.

use consigne_core::ports::{ListVersions, Probe, ReadHead, ReadRange, RemoveVersion};
use consigne_storage::Bucket;
use consigne_testkit::fakes::World;
use consigne_testkit::stack::Stack;

use super::{on_both, owner};

/// A bucket that a test can fill.
struct Filled<T> {
    bucket: T,
    client: Option<(aws_sdk_s3::Client, String)>,
}

/// The ports under test, and a way to put objects.
trait Objects: ReadHead + ReadRange + RemoveVersion + ListVersions + Probe {
    async fn put(&self, key: &str, bytes: &[u8]) -> String;
}

impl Objects for World {
    async fn put(&self, key: &str, bytes: &[u8]) -> String {
        let version = format!("v{}", self.state().objects.get(key).map_or(1, |versions| versions.len() + 1));
        self.put_object(key, &version, bytes.to_vec());
        version
    }
}

impl ReadHead for Filled<Bucket> {
    async fn read_head(
        &self,
        key: &str,
        version: Option<&str>,
        length: u64,
    ) -> Result<Option<consigne_core::ports::ObjectHead>, consigne_core::Fault> {
        self.bucket.read_head(key, version, length).await
    }
}

impl ReadRange for Filled<Bucket> {
    async fn read_range(
        &self,
        key: &str,
        version: &str,
        from: u64,
        length: u64,
    ) -> Result<Option<Vec<u8>>, consigne_core::Fault> {
        self.bucket.read_range(key, version, from, length).await
    }
}

impl RemoveVersion for Filled<Bucket> {
    async fn remove_version(&self, key: &str, version: &str) -> Result<(), consigne_core::Fault> {
        self.bucket.remove_version(key, version).await
    }
}

impl ListVersions for Filled<Bucket> {
    async fn list_versions(&self, key: &str) -> Result<Vec<String>, consigne_core::Fault> {
        self.bucket.list_versions(key).await
    }
}

impl Probe for Filled<Bucket> {
    async fn probe(&self) -> Result<(), consigne_core::Fault> {
        self.bucket.probe().await
    }
}

impl Objects for Filled<Bucket> {
    async fn put(&self, key: &str, bytes: &[u8]) -> String {
        let (client, name) = self.client.as_ref().unwrap();
        let put = client.put_object().bucket(name).key(key).body(bytes.to_vec().into()).send().await.unwrap();
        put.version_id.unwrap()
    }
}

fn filled(stack: &Stack) -> Filled<Bucket> {
    let config = stack.aws().sdk_config();
    let config = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
    let client = (aws_sdk_s3::Client::from_conf(config), stack.name("BUCKET_NAME").to_owned());
    Filled { bucket: stack.bucket(), client: Some(client) }
}

on_both!(
    super::filled,
    a_versions_first_bytes_are_read_with_its_total_size,
    a_part_of_a_version_is_read_up_to_its_end,
    a_missing_version_is_not_an_error,
    a_removed_version_is_gone_and_the_others_stay,
    exactly_the_versions_of_a_key_are_listed,
    an_empty_object_can_be_read,
    the_bucket_answers_a_probe,
);

fn key() -> String {
    format!("tests/{}/a b+é.png", owner())
}

async fn a_versions_first_bytes_are_read_with_its_total_size(objects: &impl Objects) {
    let key = key();
    let first = objects.put(&key, b"first version").await;
    let second = objects.put(&key, b"second").await;
    let head = objects.read_head(&key, Some(&first), 5).await.unwrap().unwrap();
    assert_eq!((head.version.as_str(), head.size, head.bytes.as_slice()), (first.as_str(), 13, b"first".as_slice()));
    assert!(!head.etag.is_empty() && !head.etag.contains('"'));
    let head = objects.read_head(&key, None, 100).await.unwrap().unwrap();
    assert_eq!((head.version.as_str(), head.size, head.bytes.as_slice()), (second.as_str(), 6, b"second".as_slice()));
}

async fn a_part_of_a_version_is_read_up_to_its_end(objects: &impl Objects) {
    let key = key();
    let first = objects.put(&key, b"0123456789").await;
    let second = objects.put(&key, b"x").await;
    for (version, from, length, part) in [
        (&first, 0, 3, Some(&b"012"[..])),
        (&first, 4, 3, Some(b"456")),
        (&first, 8, 100, Some(b"89")),
        (&first, 10, 1, None),
        (&first, 99, 1, None),
        (&second, 0, 9, Some(b"x")),
    ] {
        let read = objects.read_range(&key, version, from, length).await.unwrap();
        assert_eq!(read.as_deref(), part, "{from} {length}");
    }
    objects.remove_version(&key, &first).await.unwrap();
    assert_eq!(objects.read_range(&key, &first, 0, 1).await.unwrap(), None);
}

async fn a_missing_version_is_not_an_error(objects: &impl Objects) {
    let key = key();
    assert_eq!(objects.read_head(&key, None, 10).await.unwrap(), None);
    let version = objects.put(&key, b"x").await;
    objects.remove_version(&key, &version).await.unwrap();
    objects.remove_version(&key, &version).await.unwrap();
    assert_eq!(objects.read_head(&key, Some(&version), 10).await.unwrap(), None);
    assert_eq!(objects.read_head(&key, None, 10).await.unwrap(), None);
}

async fn a_removed_version_is_gone_and_the_others_stay(objects: &impl Objects) {
    let key = key();
    let first = objects.put(&key, b"1").await;
    let second = objects.put(&key, b"2").await;
    objects.remove_version(&key, &second).await.unwrap();
    assert_eq!(objects.read_head(&key, None, 1).await.unwrap().unwrap().version, first);
    assert_eq!(objects.read_head(&key, Some(&second), 1).await.unwrap(), None);
}

async fn exactly_the_versions_of_a_key_are_listed(objects: &impl Objects) {
    let key = key();
    assert_eq!(objects.list_versions(&key).await.unwrap(), Vec::<String>::new());
    let first = objects.put(&key, b"1").await;
    let second = objects.put(&key, b"2").await;
    objects.put(&format!("{key}.bak"), b"another key that begins like it").await;
    let mut listed = objects.list_versions(&key).await.unwrap();
    listed.sort();
    let mut both = vec![first.clone(), second.clone()];
    both.sort();
    assert_eq!(listed, both);
    objects.remove_version(&key, &second).await.unwrap();
    assert_eq!(objects.list_versions(&key).await.unwrap(), [first]);
}

async fn an_empty_object_can_be_read(objects: &impl Objects) {
    let key = key();
    let version = objects.put(&key, b"").await;
    let head = objects.read_head(&key, Some(&version), 10).await.unwrap().unwrap();
    assert_eq!((head.version, head.size, head.bytes), (version, 0, Vec::new()));
}

async fn the_bucket_answers_a_probe(objects: &impl Objects) {
    objects.probe().await.unwrap();
}
