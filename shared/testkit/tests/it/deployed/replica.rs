//! Replication to another bucket, on a stack of its own: S3 copies what is uploaded, and the copies of what must be gone go.

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use consigne_core::ports::ListVersions;
use consigne_storage::Bucket;
use consigne_testkit::pictures;
use consigne_testkit::stack::{Stack, fresh_user, until};

use super::further_stack::FurtherStack;
use super::scans::eicar;
use super::text;

const REPLICATED: FurtherStack = FurtherStack { name: "replicated", env_file: "target/local/replicated.env" };
const REPLICA: &str = "consigne-replica";

/// Creates the bucket to which the stack replicates, with versions.
async fn create_replica(stack: &Stack) -> Bucket {
    let config = aws_sdk_s3::config::Builder::from(&stack.aws().sdk_config()).force_path_style(true).build();
    let client = aws_sdk_s3::Client::from_conf(config);
    // It exists if this test has run before.
    drop(client.create_bucket().bucket(REPLICA).send().await);
    let versions = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket(REPLICA).versioning_configuration(versions).send().await.unwrap();
    Bucket::new(&stack.aws().config, REPLICA)
}

/// Waits until the replica has no version of a key.
async fn wait_until_gone(replica: &Bucket, key: &str) {
    let gone = until(async || replica.list_versions(key).await.unwrap().is_empty().then_some(()));
    gone.await.unwrap_or_else(|| panic!("the replica still has {key}"));
}

#[tokio::test]
async fn copies_follow_their_originals_until_the_end() {
    let replica = create_replica(&Stack::find()).await;
    let stack = REPLICATED.deploy(&[format!("ReplicaBucketArn=arn:aws:s3:::{REPLICA}")]);
    let ann = stack.person(&fresh_user().replace("user_t", "user_scant"), "pro");
    let png = || pictures::png(640, 480, 1000);
    let (kept, deleted) =
        (ann.upload("a.png", "image/png", png()).await, ann.upload("b.png", "image/png", png()).await);
    let version = stack.bucket().list_versions(&kept).await.unwrap();
    assert_eq!((version.len(), replica.list_versions(&kept).await.unwrap()), (1, version.clone()));

    // Deleted by its owner.
    assert_eq!(replica.list_versions(&deleted).await.unwrap().len(), 1);
    assert_eq!(ann.delete(&deleted).await.status, 200);
    wait_until_gone(&replica, &deleted).await;

    // Of another type than it was said to be.
    let grant = ann.grant("c.png", "image/png", 1000).await.json();
    assert_eq!(ann.put(&grant, pictures::gif(1000)).await.status, 200);
    let rejected = text(&grant, "s3Key");
    ann.wait_for(&rejected, "rejected").await;
    wait_until_gone(&replica, &rejected).await;

    // With malware.
    let grant = ann.grant("notes.md", "text/markdown", eicar().len()).await.json();
    assert_eq!(ann.put(&grant, eicar()).await.status, 200);
    let infected = text(&grant, "s3Key");
    ann.wait_for(&infected, "infected").await;
    wait_until_gone(&replica, &infected).await;

    // Nothing else has gone.
    assert_eq!(replica.list_versions(&kept).await.unwrap(), version);
}
