use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consigne_core::files::{File, Metadata};
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::{GRANTED, call, pending_at, ready, world_with};

/// Creates ready files of one user. Each is one second newer than the previous one.
fn many(count: u32) -> Vec<File> {
    let file = |n: u32| {
        let key = format!("user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH{n:04}-photo.png");
        let mut file = ready(&pending_at(&key));
        file.changed_at = GRANTED.plus(std::time::Duration::from_secs(n.into()));
        file
    };
    (0..count).map(file).collect()
}

async fn page(world: &World, user: &str, query: &str) -> Value {
    let mut event = payload::event("list", "plain", &functions::issuer().token(user, "pro"));
    event["rawQueryString"] = query.into();
    functions::call(world, "list", event).await
}

#[tokio::test]
async fn a_page_shows_the_newest_files_and_a_cursor() {
    let mut answer = call(&world_with(&many(3)), "list", "plain").await;
    assert!(answer["body"]["nextCursor"].is_string());
    answer["body"]["nextCursor"] = json!("<cursor>");
    insta::assert_json_snapshot!(answer, @r#"
    {
      "status": 200,
      "body": {
        "files": [
          {
            "fileId": "<id>",
            "key": "user_ann1/images/<id>-photo.png",
            "filename": "photo été.png",
            "size": 1000,
            "contentType": "image/png",
            "kind": "image",
            "status": "ready",
            "width": 640,
            "height": 480,
            "dimensions": "measured",
            "lastModified": "<time>",
            "metadata": {},
            "durationSeconds": null,
            "derivative": "pending",
            "thumbnails": {}
          },
          {
            "fileId": "<id>",
            "key": "user_ann1/images/<id>-photo.png",
            "filename": "photo été.png",
            "size": 1000,
            "contentType": "image/png",
            "kind": "image",
            "status": "ready",
            "width": 640,
            "height": 480,
            "dimensions": "measured",
            "lastModified": "<time>",
            "metadata": {},
            "durationSeconds": null,
            "derivative": "pending",
            "thumbnails": {}
          }
        ],
        "total": 3,
        "userId": "user_ann1",
        "nextCursor": "<cursor>"
      }
    }
    "#);
}

#[tokio::test]
async fn the_secure_route_answers_in_the_envelope() {
    insta::assert_json_snapshot!(call(&world_with(&many(1)), "list", "secure").await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Files listed",
        "data": [
          {
            "s3_key": "user_ann1/images/<id>-photo.png",
            "filename": "photo été.png",
            "size": 1000,
            "last_modified": "<time>",
            "content_type": "image/png",
            "metadata": {
              "file_id": "<id>",
              "kind": "image",
              "status": "ready",
              "width": 640,
              "height": 480,
              "dimensions": "measured",
              "derivative": "pending",
              "thumbnails": {}
            }
          }
        ],
        "timestamp": "<time>",
        "metadata": {
          "next_cursor": null,
          "total": 1
        }
      }
    }
    "#);
}

#[tokio::test]
async fn cursors_show_every_file_once_newest_first() {
    let files = many(25);
    let world = world_with(&files);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = page(&world, "user_ann1", &format!("limit=10&cursor={cursor}")).await;
        let body = &answer["body"];
        assert_eq!(body["total"], 25);
        seen.extend(body["files"].as_array().unwrap().iter().map(|file| file["key"].as_str().unwrap().to_owned()));
        match body["nextCursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    let wanted: Vec<_> = files.iter().rev().map(|file| file.key.to_string()).collect();
    assert_eq!(seen, wanted);
}

#[tokio::test]
async fn a_list_without_a_limit_has_all_files_up_to_a_thousand() {
    let world = world_with(&many(1_001));
    for (file, case) in [("files", "plain"), ("data", "secure")] {
        let list = async |query: &str| {
            let mut event = payload::event("list", case, &functions::issuer().token("user_ann1", "pro"));
            event["rawQueryString"] = query.into();
            functions::call(&world, "list", event).await["body"].clone()
        };
        let all = list("").await;
        assert_eq!(all[file].as_array().map(Vec::len), Some(1_000), "{case}");
        let cursor = all["nextCursor"].as_str().or(all["metadata"]["next_cursor"].as_str());
        let rest = list(&format!("cursor={}", cursor.expect("the list continues"))).await;
        assert_eq!(rest[file].as_array().map(Vec::len), Some(1), "{case}");
        let total = if case == "plain" { &all["total"] } else { &all["metadata"]["total"] };
        assert_eq!(*total, 1_001, "{case}");
    }
    let world = world_with(&many(1_000));
    let all = page(&world, "user_ann1", "").await;
    assert_eq!((&all["body"]["total"], &all["body"]["nextCursor"]), (&json!(1_000), &Value::Null));
}

#[tokio::test]
async fn a_page_of_large_records_ends_after_a_megabyte() {
    let mut files = many(600);
    for file in &mut files {
        file.metadata = Metadata::stored([("note".to_owned(), "x".repeat(2_044))].into());
    }
    let world = world_with(&files);
    let first = page(&world, "user_ann1", "").await;
    let shown = first["body"]["files"].as_array().unwrap().len();
    assert!((300..600).contains(&shown), "{shown}");
    assert_eq!(first["body"]["total"], 600);
    let cursor = first["body"]["nextCursor"].as_str().unwrap();
    let rest = page(&world, "user_ann1", &format!("cursor={cursor}")).await;
    assert_eq!(
        (rest["body"]["files"].as_array().unwrap().len(), &rest["body"]["nextCursor"]),
        (600 - shown, &Value::Null)
    );
}

#[tokio::test]
async fn a_total_counts_what_is_listed_right_after_a_deletion() {
    let files = many(5);
    let mut marked = files.clone();
    // Their bytes are being removed, and the ledger counts them until then.
    for file in &mut marked[1..3] {
        *file = file.deleting(GRANTED);
    }
    let world = world_with(&marked);
    for query in ["", "limit=3", "limit=1", "limit=2&contentType=image"] {
        let mut query = query.to_owned();
        let mut listed = 0;
        loop {
            let answer = page(&world, "user_ann1", &query).await;
            assert_eq!(answer["body"]["total"], 3, "{query}");
            listed += answer["body"]["files"].as_array().unwrap().len();
            let Some(cursor) = answer["body"]["nextCursor"].as_str() else { break };
            query = format!("{}&cursor={cursor}", query.split("&cursor").next().unwrap());
        }
        assert_eq!(listed, 3, "{query}");
    }
    let all_gone: Vec<File> = files.iter().map(|file| file.deleting(GRANTED)).collect();
    let answer = page(&world_with(&all_gone), "user_ann1", "limit=1").await;
    assert_eq!((&answer["body"]["files"], &answer["body"]["total"]), (&json!([]), &json!(0)));
}

#[tokio::test]
async fn a_cursor_works_for_its_user_and_filter_only() {
    let world = world_with(&many(3));
    let first = page(&world, "user_ann1", "limit=1&contentType=image").await;
    let cursor = first["body"]["nextCursor"].as_str().unwrap().to_owned();
    let sealed = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("#01"), "a caller can read the position");
    assert_eq!(page(&world, "user_ann1", &format!("limit=1&contentType=image&cursor={cursor}")).await["status"], 200);
    let altered = format!("{}{}", &cursor[..cursor.len() - 1], if cursor.ends_with('A') { 'B' } else { 'A' });
    for (user, query) in [
        ("user_ann12", format!("limit=1&contentType=image&cursor={cursor}")),
        ("user_ann1", format!("limit=1&cursor={cursor}")),
        ("user_ann1", format!("limit=1&contentType=video&cursor={cursor}")),
        ("user_ann1", format!("limit=1&contentType=image&status=pending&cursor={cursor}")),
        ("user_ann1", format!("limit=1&contentType=image&cursor={altered}")),
        ("user_ann1", "limit=1&contentType=image&cursor=x".to_owned()),
    ] {
        let answer = page(&world, user, &query).await;
        assert_eq!(answer["body"]["error"]["code"], "INVALID_CURSOR", "{user} {query}: {answer}");
    }
}

#[tokio::test]
async fn invalid_parameters_are_refused_by_name() {
    let world = World::default();
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=1&limit=2", "limit"),
        ("contentType=sound", "contentType"),
        ("contentType=image%2Fpng", "contentType"),
        ("status=deleted", "status"),
        ("status=deleting", "status"),
    ] {
        let answer = page(&world, "user_ann1", query).await;
        assert_eq!(
            (&answer["status"], &answer["body"]["error"]["details"]["field"]),
            (&json!(400), &json!(field)),
            "{query}"
        );
    }
    assert_eq!(page(&world, "user_ann1", "limit=1000&cursor=&unknown=1").await["status"], 200);
}

#[tokio::test]
async fn only_ready_files_are_shown_by_default() {
    let waiting = pending_at("user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH0000-waiting.png");
    let mut files = many(3);
    files[0] = waiting;
    let world = world_with(&files);
    assert_eq!(page(&world, "user_ann1", "").await["body"]["total"], 2);
    let answer = page(&world, "user_ann1", "status=pending").await;
    assert_eq!((&answer["body"]["total"], &answer["body"]["files"][0]["status"]), (&json!(1), &json!("pending")));
    assert_eq!(page(&world, "user_ann12", "").await["body"]["files"], json!([]));
}
