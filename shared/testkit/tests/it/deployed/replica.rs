//! Replication to another bucket, on a stack of its own: S3 copies what is uploaded, and the copies of what must be gone go.

use std::time::Duration;

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use consigne_core::files::{DerivedKey, File, GrantRequest, MediaType, ObjectKey, Rendition, UPLOAD_GRANT_VALID};
use consigne_core::ports::{
    GetRun, KeepRun, ListDerived, ListUploads, ListVersions, OpenUploadInParts, PutDerived, RemoveVersion,
};
use consigne_core::reconcile::Run;
use consigne_core::{Plan, UserId};
use consigne_runtime::clock;
use consigne_storage::Bucket;
use consigne_testkit::pictures;
use consigne_testkit::stack::{Stack, fresh_user, until};
use serde_json::json;

use super::further_stack::FurtherStack;
use super::scans::eicar;
use super::text;

const REPLICATED: FurtherStack = FurtherStack { name: "replicated", env_file: "target/local/replicated.env" };
const REPLICA: &str = "consigne-replica";
const WATERMARK: &str = "private/watermark.png";
const WATERMARK_PNG: &[u8] = include_bytes!("../../../../core/tests/corpus/files/rgb.png");

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
    let stack = REPLICATED.deploy(&[
        format!("ReplicaBucketArn=arn:aws:s3:::{REPLICA}"),
        "ReconcileRepair=remove".to_owned(),
        format!("WatermarkKey={WATERMARK}"),
    ]);
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

    // A copy that is not there when its original goes may still come, so it is looked for again.
    let late = ann.upload("d.png", "image/png", png()).await;
    remove_all(&replica, &late).await;
    assert_eq!(ann.delete(&late).await.status, 200);
    let again = until(async || {
        let looks = stack.log_lines("erase-replica", "replica.look").await;
        looks.iter().any(|line| !line.contains("ReplicasErased")).then_some(())
    });
    assert_eq!(again.await, Some(()), "nobody looks again");

    // Nothing else has gone.
    assert_eq!(replica.list_versions(&kept).await.unwrap(), version);

    the_watermark_is_on_copies_of_the_free_plan(&stack).await;
    leftovers_are_removed_by_the_schedule(&stack, &replica, &kept).await;
    assert_eq!(replica.list_versions(&kept).await.unwrap(), version);
}

/// Removes all versions of an object behind the functions' back.
async fn remove_all(bucket: &Bucket, key: &str) {
    for version in bucket.list_versions(key).await.unwrap() {
        bucket.remove_version(key, &version).await.unwrap();
    }
}

/// A picture of the free plan has the watermark on its copies, one of another plan has not.
async fn the_watermark_is_on_copies_of_the_free_plan(stack: &Stack) {
    let config = aws_sdk_s3::config::Builder::from(&stack.aws().sdk_config()).force_path_style(true).build();
    let put = aws_sdk_s3::Client::from_conf(config).put_object().bucket(stack.name("BUCKET_NAME")).key(WATERMARK);
    put.body(WATERMARK_PNG.to_vec().into()).send().await.unwrap();
    let mut copies = Vec::new();
    for plan in ["free", "pro"] {
        let person = stack.newcomer(plan);
        let key = person.upload("a.jpg", "image/jpeg", pictures::photo_with_place()).await;
        let facts = person.wait_until_derived(&key).await;
        let url = text(&person.ticket(&text(&facts["thumbnails"], "256")).await.json(), "url");
        copies.push(stack.client.send("GET", &url, &[], Vec::new()).await.bytes);
    }
    assert!(copies[0] != copies[1] && copies.iter().all(|copy| copy.len() > 100), "no watermark");
}

/// What nothing refers to is removed from both buckets by the function that the schedule calls. It continues a run that an
/// operator has begun without a time of grace; its own leaves alone what is less than a day old.
async fn leftovers_are_removed_by_the_schedule(stack: &Stack, replica: &Bucket, kept: &str) {
    let (table, bucket, now) = (stack.table(), stack.bucket(), clock::now());
    let person = stack.newcomer("pro");
    let owner = UserId::parse(&person.id).unwrap();
    let lost = person.upload("a.jpg", "image/jpeg", pictures::photo_with_place()).await;
    person.wait_until_derived(&lost).await;
    let file = ObjectKey::parse(&lost).unwrap();
    let derived = bucket.list_derived(&owner, file.file()).await.unwrap();
    assert_eq!((derived.len(), replica.list_versions(&lost).await.unwrap().len()), (2, 1));
    let item = json!({ "pk": { "S": format!("USER#{owner}") }, "sk": { "S": format!("FILE#{}", file.file()) } });
    stack.ask_table("DeleteItem", &json!({ "TableName": stack.name("TABLE_NAME"), "Key": item })).await;
    // In the replica there is a copy for display too, from before only files were replicated.
    let jpeg = MediaType::from_name("image/jpeg").unwrap();
    let copy = DerivedKey::mint(&owner, file.file(), Rendition::Small, jpeg);
    replica.put_derived(&copy, jpeg, b"old".to_vec()).await.unwrap();
    let granted = |name: &str, media: &str| -> File {
        GrantRequest::parse(name, media, 1_000, None, None)
            .and_then(|request| request.admit(&owner, Plan::Pro, UPLOAD_GRANT_VALID, now))
            .unwrap()
    };
    let video = granted("a.mp4", "video/mp4");
    bucket.open_upload(&video, false).await.unwrap();
    // And a copy whose original has gone without an event, so that `erase-replica` never heard of it.
    let strayed = granted("b.png", "image/png");
    let config = aws_sdk_s3::config::Builder::from(&stack.aws().sdk_config()).force_path_style(true).build();
    let put = aws_sdk_s3::Client::from_conf(config).put_object().bucket(REPLICA).key(strayed.key.as_str());
    put.body(b"old".to_vec().into()).send().await.unwrap();

    // S3 tells the time of an object in whole seconds, and the run looks at what is older than itself.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let begun = until(async || {
        let before = table.get_run().await.unwrap();
        let mut run = Run::start(before.as_ref(), true, Duration::ZERO, clock::now());
        run.revision += 1;
        table.keep_run(&run, None).await.unwrap().is_committed().then_some(())
    });
    assert_eq!(begun.await, Some(()), "another run does not end");
    let over = until(async || {
        let answer = stack.invoke("reconcile", &json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        table.get_run().await.unwrap().is_some_and(|run| run.is_over()).then_some(())
    });
    assert_eq!(over.await, Some(()), "the run does not end");
    let left = async |bucket: &Bucket, key: &str| bucket.list_versions(key).await.unwrap().len();
    assert_eq!((left(&bucket, &lost).await, left(replica, &lost).await), (0, 0));
    assert_eq!(bucket.list_derived(&owner, file.file()).await.unwrap().len(), 0);
    assert_eq!((left(replica, copy.as_str()).await, left(replica, strayed.key.as_str()).await), (0, 0));
    assert_eq!(bucket.list_uploads(video.key.as_str()).await.unwrap(), Vec::<String>::new());
    assert_eq!(left(&bucket, kept).await, 1);
}
