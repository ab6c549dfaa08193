//! The reconciliation on a stack of its own: whatever is left over or missing there is found, and the repair leaves the rest.

use std::collections::BTreeSet;

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use consigne_core::files::{DerivedKey, File, GrantRequest, MediaType, ObjectKey, Rendition, UPLOAD_GRANT_VALID};
use consigne_core::ports::{AbortUpload, ListDerived, ListUploads, ListVersions, OpenUploadInParts, PutDerived};
use consigne_core::{FileId, Plan, UserId};
use consigne_runtime::clock;
use consigne_testkit::pictures;
use consigne_testkit::stack::{Person, Stack};
use serde_json::{Value, json};

use super::further_stack::FurtherStack;

const RECONCILED: FurtherStack = FurtherStack { name: "reconciled", env_file: "target/local/reconciled.env" };

/// Uploads a picture and waits until nothing changes it any more.
async fn uploaded(person: &Person<'_>) -> ObjectKey {
    let key = person.upload("a.jpg", "image/jpeg", pictures::photo_with_place()).await;
    person.wait_until_derived(&key).await;
    ObjectKey::parse(&key).unwrap()
}

fn item_key(key: &ObjectKey) -> Value {
    json!({ "pk": { "S": format!("USER#{}", key.owner()) }, "sk": { "S": format!("FILE#{}", key.file()) } })
}

/// Sets an attribute of an item behind the functions' back.
async fn set(stack: &Stack, item: &Value, name: &str, value: Value) {
    let update = json!({
        "TableName": stack.name("TABLE_NAME"), "Key": item, "UpdateExpression": "SET #name = :value",
        "ExpressionAttributeNames": { "#name": name }, "ExpressionAttributeValues": { ":value": value },
    });
    stack.ask_table("UpdateItem", &update).await;
}

/// Runs the command. Returns its exit code and its report.
async fn reconcile(more: &[&str]) -> (Option<i32>, Value) {
    let arguments: Vec<&str> =
        ["reconcile", "--json", "--restart", "--grace", "0"].iter().chain(more).copied().collect();
    for _ in 0..60 {
        let (code, said) = RECONCILED.consigne_code(&arguments, "").await;
        let json =
            said.find('{').and_then(|start| serde_json::Deserializer::from_str(&said[start..]).into_iter().next());
        match json {
            Some(Ok(report)) => return (code, report),
            // The stack's own schedule is at work.
            _ if said.contains("is at work") || said.contains("taken over") => {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
            _ => panic!("{said}"),
        }
    }
    panic!("another run does not end");
}

fn found(report: &Value) -> BTreeSet<(String, String)> {
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let first = report["first"].as_array().unwrap().iter();
    first.map(|finding| (text(finding, "kind"), text(finding, "key"))).collect()
}

#[tokio::test]
async fn each_kind_of_difference_is_found_and_only_what_nothing_refers_to_is_removed() {
    let stack = RECONCILED.deploy(&["ReconcileRepair=remove".to_owned()]);
    // What an earlier run of this test has left.
    reconcile(&["--repair", "--yes"]).await;
    let earlier = found(&reconcile(&[]).await.1);

    let (table, bucket) = (stack.name("TABLE_NAME").to_owned(), stack.bucket());
    let person = stack.newcomer("pro");
    let owner = UserId::parse(&person.id).unwrap();
    let sound = uploaded(&person).await;
    let [orphan, other_version, other_size, old, marked, moved] = [
        uploaded(&person).await,
        uploaded(&person).await,
        uploaded(&person).await,
        uploaded(&person).await,
        uploaded(&person).await,
        uploaded(&person).await,
    ];
    let mut wanted: BTreeSet<(String, String)> = BTreeSet::new();
    let mut want = |kind: &str, key: &str| {
        wanted.insert((kind.to_owned(), key.to_owned()));
    };

    // A record that is lost, with its object and its thumbnails.
    stack.ask_table("DeleteItem", &json!({ "TableName": table, "Key": item_key(&orphan) })).await;
    want("object_without_record", orphan.as_str());
    // So are the thumbnails of a file that was rejected after all.
    for file in [orphan.file(), old.file()] {
        for copy in bucket.list_derived(&owner, file).await.unwrap() {
            want("derived_without_original", &copy.key);
        }
    }
    // A thumbnail whose original never was.
    let png = MediaType::from_name("image/png").unwrap();
    let copy = DerivedKey::mint(&owner, FileId::mint(clock::now()), Rendition::Small, png);
    bucket.put_derived(&copy, png, vec![0; 9]).await.unwrap();
    want("derived_without_original", copy.as_str());
    // Records that say something else than the bucket.
    set(&stack, &item_key(&other_version), "version_id", json!({ "S": "nowhere" })).await;
    want("other_version", other_version.as_str());
    set(&stack, &item_key(&other_size), "size", json!({ "N": "7" })).await;
    want("other_size", other_size.as_str());
    set(&stack, &item_key(&old), "status", json!({ "S": "rejected" })).await;
    want("version_without_record", old.as_str());
    // The record of a file whose object is somewhere else.
    let gone = ObjectKey::parse(&moved.as_str().replace("-a.jpg", "-b.jpg")).unwrap();
    set(&stack, &item_key(&moved), "s3_key", json!({ "S": gone.as_str() })).await;
    set(&stack, &item_key(&moved), "version_id", json!({ "S": "elsewhere" })).await;
    want("record_without_object", gone.as_str());
    want("object_without_record", moved.as_str());
    // A delete marker, an object that nothing here makes, and an open upload.
    let config = aws_sdk_s3::config::Builder::from(&stack.aws().sdk_config()).force_path_style(true).build();
    let client = aws_sdk_s3::Client::from_conf(config);
    client.delete_object().bucket(stack.name("BUCKET_NAME")).key(marked.as_str()).send().await.unwrap();
    want("delete_marker", marked.as_str());
    let strange = format!("{owner}/elsewhere/a b+c.png");
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"strange");
    client.put_object().bucket(stack.name("BUCKET_NAME")).key(&strange).body(body).send().await.unwrap();
    want("unknown_object", &strange);
    let film: File = GrantRequest::parse("a.mp4", "video/mp4", 1_000, None, None)
        .and_then(|request| request.admit(&owner, Plan::Pro, UPLOAD_GRANT_VALID, clock::now()))
        .unwrap();
    let upload = bucket.open_upload(&film, false).await.unwrap();
    want("upload_without_session", film.key.as_str());
    want("ledger_differs", owner.as_str());

    let (code, report) = reconcile(&[]).await;
    let new: BTreeSet<_> = found(&report).difference(&earlier).cloned().collect();
    assert_eq!((code, &new), (Some(1), &wanted), "{report:#}");
    assert_eq!(bucket.list_versions(orphan.as_str()).await.unwrap().len(), 1, "a report removes nothing");

    let (code, report) = reconcile(&["--repair", "--yes"]).await;
    assert_eq!(code, Some(1), "{report:#}");
    for key in [&orphan, &old, &moved] {
        assert_eq!(bucket.list_versions(key.as_str()).await.unwrap(), Vec::<String>::new(), "{key} is left");
    }
    for key in [&sound, &other_version, &other_size, &marked] {
        assert_eq!(bucket.list_versions(key.as_str()).await.unwrap().len(), 1, "{key} has its version");
    }
    assert!(!bucket.list_uploads(film.key.as_str()).await.unwrap().contains(&upload));
    bucket.abort_upload(film.key.as_str(), &upload).await.unwrap();
    assert_eq!(person.ticket(sound.as_str()).await.status, 200);
    let (_, audit) = RECONCILED.consigne_code(&["audit", "--action", "storage.", "--json"], "").await;
    for key in [&orphan, &old, &moved, &marked] {
        assert!(audit.contains(key.as_str()), "{key} is not in the audit log: {audit}");
    }
    let (_, report) = reconcile(&[]).await;
    let left: BTreeSet<String> = found(&report).difference(&earlier).map(|(kind, _)| kind.clone()).collect();
    let for_people = ["ledger_differs", "other_size", "other_version", "record_without_object", "unknown_object"];
    assert_eq!(left.iter().map(String::as_str).collect::<Vec<_>>(), for_people);

    // The function itself, with its own permissions: it reads everything, and finds nothing that is a day old.
    let answer = stack.invoke("reconcile", &json!({})).await.json();
    let states = [&answer["ended"], &answer["due"], &answer["held"]];
    assert!(states.iter().any(|state| state.is_boolean()), "{answer}");

    // A replica that refuses to be listed is reported, and all else is still compared.
    let replica = "consigne-reconciled-replica";
    // It exists if this test was interrupted before.
    drop(client.create_bucket().bucket(replica).send().await);
    let versions = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket(replica).versioning_configuration(versions).send().await.unwrap();
    let parameters = ["ReconcileRepair=remove".to_owned(), format!("ReplicaBucketArn=arn:aws:s3:::{replica}")];
    RECONCILED.deploy(&parameters);
    client.delete_bucket().bucket(replica).send().await.unwrap();
    let (code, report) = reconcile(&[]).await;
    let left: BTreeSet<String> = found(&report).difference(&earlier).map(|(kind, _)| kind.clone()).collect();
    let with_replica =
        for_people.into_iter().chain(["replica_unavailable"]).map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!((code, left), (Some(1), with_replica), "{report:#}");
}
