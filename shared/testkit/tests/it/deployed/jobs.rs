//! Jobs on the deployed stack, with a generator that takes them from the queue.

use std::collections::BTreeSet;
use std::time::Duration;

use consigne_core::jobs::JobId;
use consigne_core::ports::{GetJob, ListVersions};
use consigne_runtime::clock;
use consigne_testkit::generator::{Generator, fresh_id};
use consigne_testkit::http::Response;
use consigne_testkit::pictures;
use consigne_testkit::stack::{Person, Stack, until};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::bus_listener::BusListener;
use super::object_events::announce;
use super::unfinished::AbsentRecord;
use super::{assert_field_refused, assert_refused, text};

/// Requests a job. Returns its id.
pub async fn asked(person: &Person<'_>, sort: &str, request: &Value) -> String {
    let accepted = person.call_with("POST", &format!("/api/secure/{sort}/generate"), request).await;
    assert_eq!(accepted.status, 201, "{}", accepted.json());
    text(&accepted.json()["data"], "job_id")
}

/// Requests pictures. Returns the message for the generator.
pub async fn pictures_of(person: &Person<'_>, generator: &Generator<'_>, count: u32) -> Value {
    let job = asked(person, "images", &json!({ "prompt": "un phare sous la pluie", "count": count })).await;
    generator.take(&job).await
}

/// Returns a job as its owner sees it.
pub async fn status(person: &Person<'_>, job: &str) -> Value {
    let found = person.call("GET", &format!("/api/secure/jobs/{job}/status")).await;
    assert_eq!(found.status, 200, "{}", found.json());
    found.json()["data"].clone()
}

/// Waits until a job has a status. Returns the job.
pub async fn wait_for(person: &Person<'_>, job: &str, wanted: &str) -> Value {
    let seen = until(async || {
        let job = status(person, job).await;
        (job["status"] == wanted).then_some(job)
    });
    match seen.await {
        Some(job) => job,
        None => panic!("the job did not become {wanted}: {}", status(person, job).await),
    }
}

/// Requests articles until the monthly allowance of the free plan is used up. Returns how many were accepted.
async fn articles_left(person: &Person<'_>) -> usize {
    for taken in 0..6 {
        let asked = person.call_with("POST", "/api/secure/blog/generate", &json!({ "topic": "Le phare" })).await;
        if asked.status != 201 {
            assert_refused(&asked, 429, "GENERATION_QUOTA_EXCEEDED");
            return taken;
        }
    }
    panic!("more than five were accepted");
}

/// Returns a new user on the free plan who may request ten pictures a month, which outside generators make.
pub fn user_for_pictures(stack: &Stack) -> Person<'_> {
    let mut person = stack.newcomer("free");
    let metadata = json!({ "subscription": "free", "features": ["image-generation"] });
    person.token = stack.issuer.token_with(&person.id, &json!({ "public_metadata": metadata }));
    person
}

/// Requests pictures until the allowance is used up. Returns how many were accepted.
pub async fn pictures_left(person: &Person<'_>) -> usize {
    // The plan allows ten requests a minute. This makes up to eleven, after those of the test.
    let ledger = json!({ "pk": { "S": format!("USER#{}", person.id) }, "sk": { "S": "USAGE" } });
    let stack = Stack::find();
    let forget = json!({ "TableName": stack.name("TABLE_NAME"), "Key": ledger,
        "UpdateExpression": "REMOVE jobs_started, jobs_count" });
    stack.ask_table("UpdateItem", &forget).await;
    for taken in 0..11 {
        let asked = person.call_with("POST", "/api/secure/images/generate", &json!({ "prompt": "un phare" })).await;
        if asked.status != 201 {
            assert_refused(&asked, 429, "GENERATION_QUOTA_EXCEEDED");
            return taken;
        }
    }
    panic!("more than ten were accepted");
}

#[tokio::test]
async fn two_pictures_are_requested_delivered_and_downloaded() {
    let stack = Stack::find();
    let (ann, generator) = (stack.newcomer("pro"), Generator::of(&stack));
    let listener = BusListener::on(&stack, "user_id", &ann.id).await;
    let request = json!({ "prompt": "un phare sous la pluie", "count": 2, "size": "640x480" });
    let job = asked(&ann, "images", &request).await;
    let waiting = status(&ann, &job).await;
    assert_eq!((&waiting["status"], &waiting["progress"]), (&json!("pending"), &json!(0)));

    let message = generator.take(&job).await;
    assert_eq!(
        (&message["job_id"], &message["user_id"], &message["kind"]),
        (&json!(job), &json!(ann.id), &json!("image"))
    );
    for (field, asked) in request.as_object().unwrap() {
        assert_eq!(message[field], *asked, "{field}");
    }
    assert!(text(&message, "deadline").ends_with('Z'));
    assert_eq!(listener.wait_for("job.requested").await["detail"], message);

    let (first, second) = (pictures::png(640, 480, 5000), pictures::png(320, 240, 3000));
    let mut files = Vec::new();
    for (name, bytes) in [("phare 1.png", &first), ("phare 2.png", &second)] {
        files.push(generator.upload(&message, name, "image/png", bytes.clone()).await);
    }
    let begun = status(&ann, &job).await;
    assert_eq!(begun["status"], "processing");
    assert!((10..=95).contains(&begun["progress"].as_u64().unwrap()), "{begun}");
    let taken = generator.complete(&message, &fresh_id(), &files).await;
    assert_eq!((taken.status, &taken.json()["success"]), (200, &json!(true)), "{}", taken.json());

    let done = wait_for(&ann, &job, "completed").await;
    assert_eq!((&done["progress"], &done["kind"], &done["title"]), (&json!(100), &json!("image"), &request["prompt"]));
    let shown = done["result"]["images"].as_array().unwrap();
    for ((shown, reported), (bytes, width)) in shown.iter().zip(&files).zip([(&first, 640), (&second, 320)]) {
        for field in ["s3_key", "filename", "file_size"] {
            assert_eq!(shown[field], reported[field], "{field}");
        }
        assert_eq!(shown["width"], width);
        let download = stack.client.send("GET", &text(shown, "download_url"), &[], Vec::new()).await;
        assert_eq!((download.status, download.bytes == **bytes), (200, true));
    }
    assert_eq!(shown.len(), 2);
    let completed = listener.wait_for("job.completed").await;
    assert_eq!(completed["detail"]["files"], json!([files[0]["s3_key"], files[1]["s3_key"]]));
    // The files belong to the owner, and the job is in the list.
    ann.wait_for_usage(2, 8000, 0).await;
    assert_eq!(ann.metadata(&text(&files[0], "s3_key")).await.json()["filename"], "phare 1.png");
    let listed = ann.call("GET", "/api/secure/jobs?status=completed").await.json();
    assert_eq!((&listed["data"][0]["job_id"], &listed["metadata"]["total"]), (&json!(job), &json!(1)));
}

#[tokio::test]
async fn a_video_is_delivered_with_its_reported_details() {
    let stack = Stack::find();
    let (ann, generator) = (stack.newcomer("pro"), Generator::of(&stack));
    let video = asked(&ann, "videos", &json!({ "prompt": "a lighthouse", "duration_seconds": 8 })).await;
    let message = generator.take(&video).await;
    let mut file = generator.upload(&message, "phare.mp4", "video/mp4", pictures::mp4(4000)).await;
    file["duration_seconds"] = json!(7.9);
    (file["width"], file["height"]) = (json!(1920), json!(1080));
    assert_eq!(generator.complete(&message, &fresh_id(), &[file]).await.status, 200);
    let result = wait_for(&ann, &video, "completed").await["result"].clone();
    assert_eq!(
        (&result["videos"][0]["duration_seconds"], &result["videos"][0]["file_size"]),
        (&json!(8), &json!(4000))
    );
    // The stand-in's video has no index, so it cannot be measured.
    let [width, height, source] = ["width", "height", "dimensions"].map(|name| &result["videos"][0][name]);
    assert_eq!((width, height, source), (&json!(1920), &json!(1080), &json!("reported")));
}

/// Delivers the file of two jobs. The completion of the first comes before S3's event about the file, that of the second
/// after it.
pub async fn delivered_before_and_after_the_event(
    stack: &Stack,
    person: &Person<'_>,
    (sort, request): (&str, &Value),
    (name, media, bytes): (&str, &str, Vec<u8>),
) {
    let generator = Generator::of(stack);
    for before in [true, false] {
        let job = asked(person, sort, request).await;
        let message = generator.take(&job).await;
        let grant = generator.ask(&message, name, media, bytes.len()).await.json();
        let key = text(&grant, "s3_key");
        let upload = async { assert_eq!(generator.put(&grant, bytes.clone()).await.status, 200) };
        let file = json!({ "s3_key": key, "filename": name, "file_size": bytes.len(), "content_type": media });
        let complete = async || {
            assert_eq!(generator.complete(&message, &fresh_id(), std::slice::from_ref(&file)).await.status, 200);
        };
        if before {
            let record = AbsentRecord::during(stack, &key, upload).await;
            complete().await;
            record.restore().await;
            assert_eq!(status(person, &job).await["status"], "processing");
            let version = stack.bucket().list_versions(&key).await.unwrap().remove(0);
            let object = json!({ "key": key, "version-id": version, "sequencer": "0055AED6DCD90281E5" });
            announce(stack, "Object Created", object).await;
        } else {
            upload.await;
            person.wait_for(&key, "ready").await;
            complete().await;
        }
        wait_for(person, &job, "completed").await;
    }
}

#[tokio::test]
async fn completions_may_come_before_or_after_s3s_event() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let picture = ("a.png", "image/png", pictures::png(64, 48, 1000));
    delivered_before_and_after_the_event(&stack, &ann, ("images", &json!({ "prompt": "un phare" })), picture).await;
    let film = ("a.mp4", "video/mp4", pictures::film());
    let request = json!({ "prompt": "un phare", "duration_seconds": 8 });
    delivered_before_and_after_the_event(&stack, &ann, ("videos", &request), film).await;
}

#[tokio::test]
async fn a_file_of_a_job_that_its_owner_deletes_can_be_delivered_again() {
    let stack = Stack::find();
    let (ann, generator) = (stack.newcomer("pro"), Generator::of(&stack));
    let message = pictures_of(&ann, &generator, 1).await;
    let grant = generator.ask(&message, "a.png", "image/png", 1000).await.json();
    let key = text(&grant, "s3_key");
    assert_eq!(ann.delete(&key).await.status, 200);
    assert_refused(&ann.metadata(&key).await, 404, "NOT_FOUND");
    ann.wait_for_usage(0, 0, 0).await;
    let file = generator.upload(&message, "b.png", "image/png", pictures::png(64, 48, 1000)).await;
    assert_eq!(generator.complete(&message, &fresh_id(), &[file]).await.status, 200);
    wait_for(&ann, &text(&message, "job_id"), "completed").await;
}

#[tokio::test]
async fn a_job_that_the_plan_does_not_include_is_refused() {
    let stack = Stack::find();
    let (ann, bob) = (stack.newcomer("free"), stack.newcomer("basic"));
    let books = ann.call_with("POST", "/api/secure/books/generate", &json!({ "topic": "t" })).await;
    assert_refused(&books, 403, "SUBSCRIPTION_REQUIRED");
    let videos = bob.call_with("POST", "/api/secure/videos/generate", &json!({ "prompt": "p" })).await;
    assert_refused(&videos, 403, "FEATURE_REQUIRED");
    let count = bob.call_with("POST", "/api/secure/images/generate", &json!({ "prompt": "p", "count": 5 })).await;
    assert_field_refused(&count, 400, "INVALID_REQUEST", "count");
    for person in [&ann, &bob] {
        let listed = person.call("GET", "/api/secure/jobs").await.json();
        assert_eq!((&listed["data"], &listed["metadata"]["total"]), (&json!([]), &json!(0)));
    }
}

#[tokio::test]
async fn a_refusal_for_a_used_up_allowance_says_when_it_renews() {
    let stack = Stack::find();
    let ann = stack.newcomer("free");
    assert_eq!(articles_left(&ann).await, 5);
    let refused = ann.call_with("POST", "/api/secure/blog/generate", &json!({ "topic": "t" })).await;
    assert_refused(&refused, 429, "GENERATION_QUOTA_EXCEEDED");
    let details = refused.json()["error"]["details"].clone();
    assert_eq!(details["limit"], 5);
    assert!(text(&details, "resets_at").ends_with("-01T00:00:00Z"), "{details}");
    assert_eq!((refused.header("ratelimit-limit"), refused.header("ratelimit-remaining")), ("5", "0"));
    assert!(refused.header("retry-after").parse::<u64>().is_ok() && !refused.header("ratelimit-reset").is_empty());
    assert_eq!(ann.call("GET", "/api/secure/jobs").await.json()["metadata"]["total"], 5);
}

#[tokio::test]
async fn fifty_concurrent_requests_are_accepted_up_to_the_monthly_allowance() {
    let stack = Stack::find();
    // Its allowance of a month is below its requests of a minute.
    let ann = stack.newcomer("free");
    let one = async |n: usize| {
        ann.call_with("POST", "/api/secure/blog/generate", &json!({ "topic": format!("Le phare {n}") })).await
    };
    let answers: Vec<Response> = join_all((0..50).map(one)).await;
    let mut accepted = BTreeSet::new();
    for answer in &answers {
        if answer.status == 201 {
            accepted.insert(text(&answer.json()["data"], "job_id"));
        } else {
            assert_refused(answer, 429, "GENERATION_QUOTA_EXCEEDED");
        }
    }
    assert_eq!(accepted.len(), 5);
    let (mut listed, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let page = ann.call("GET", &format!("/api/secure/jobs?limit=2{cursor}")).await.json();
        listed.extend(page["data"].as_array().unwrap().iter().map(|job| text(job, "job_id")));
        let Some(next) = page["metadata"]["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(listed, accepted);
}

#[tokio::test]
async fn six_concurrent_requests_with_one_idempotency_key_make_one_job() {
    let stack = Stack::find();
    let ann = stack.newcomer("free");
    let one = async |topic: &str| {
        let (path, key) = ("/api/secure/blog/generate", [("idempotency-key", "order-17")]);
        ann.call_with_headers("POST", path, &json!({ "topic": topic }), &key).await
    };
    let answers = join_all((0..6).map(|_| one("Le phare"))).await;
    let ids: BTreeSet<String> = answers.iter().map(|answer| text(&answer.json()["data"], "job_id")).collect();
    assert!(answers.iter().all(|answer| answer.status == 201) && ids.len() == 1, "{ids:?}");
    assert_refused(&one("La mer").await, 422, "IDEMPOTENCY_MISMATCH");
    assert_eq!(articles_left(&ann).await, 4);
}

#[tokio::test]
async fn another_users_job_looks_like_a_job_that_does_not_exist() {
    let stack = Stack::find();
    let (ann, bob) = (stack.newcomer("pro"), stack.newcomer("pro"));
    let theirs = asked(&bob, "images", &json!({ "prompt": "un phare" })).await;
    let unknown = theirs.replace(bob.id.strip_prefix("user_").unwrap(), ann.id.strip_prefix("user_").unwrap());
    let steady = |response: Response| {
        assert_refused(&response, 404, "NOT_FOUND");
        let mut body = response.json();
        (body["timestamp"], body["requestId"]) = (Value::Null, Value::Null);
        body
    };
    for (method, verb) in [("GET", "/status"), ("DELETE", "")] {
        let path = |job: &str| format!("/api/secure/jobs/{job}{verb}");
        let never = steady(ann.call(method, &path(&unknown)).await);
        assert_eq!(steady(ann.call(method, &path(&theirs)).await), never);
        assert_eq!(steady(ann.call(method, &path("job_x")).await), never);
    }
    assert_eq!(status(&bob, &theirs).await["status"], "pending");
}

#[tokio::test]
async fn a_pending_job_can_be_cancelled_and_a_processing_one_cannot() {
    let stack = Stack::find();
    let (ann, bob, generator) = (user_for_pictures(&stack), stack.newcomer("pro"), Generator::of(&stack));
    let job = asked(&ann, "images", &json!({ "prompt": "un phare" })).await;
    let message = generator.take(&job).await;
    let cancel = async |person: &Person<'_>, job: &str| person.call("DELETE", &format!("/api/secure/jobs/{job}")).await;
    let answers = tokio::join!(cancel(&ann, &job), cancel(&ann, &job));
    assert_eq!((answers.0.status, answers.1.status), (200, 200), "{}", answers.1.json());
    assert_eq!(answers.0.json()["data"]["error"]["code"], "CANCELLED");
    assert_eq!(answers.0.json()["data"]["allowance_returned"], true);
    assert_eq!(pictures_left(&ann).await, 10);
    // The generator gets a refusal, and its report changes nothing.
    assert_refused(&generator.ask(&message, "a.png", "image/png", 100).await, 409, "CONFLICT");
    assert_eq!(generator.fail(&message, &fresh_id()).await.json()["status"], "failed");
    assert_eq!(pictures_left(&ann).await, 0);

    let message = pictures_of(&bob, &generator, 1).await;
    assert_eq!(generator.ask(&message, "a.png", "image/png", 100).await.status, 201);
    assert_refused(&cancel(&bob, &text(&message, "job_id")).await, 409, "CONFLICT");
}

#[tokio::test]
async fn sweep_fails_an_overdue_job_and_returns_its_allowance_once() {
    use aws_sdk_dynamodb::types::AttributeValue::{N, S};
    let stack = Stack::find();
    let ann = user_for_pictures(&stack);
    let job = asked(&ann, "images", &json!({ "prompt": "un phare" })).await;
    let other = asked(&ann, "images", &json!({ "prompt": "la mer" })).await;
    let id = JobId::parse(&job).unwrap();
    let past = clock::now().minus(Duration::from_hours(1)).as_millis().to_string();
    aws_sdk_dynamodb::Client::new(&stack.aws().sdk_config())
        .update_item()
        .table_name(stack.name("TABLE_NAME"))
        .key("pk", S(format!("USER#{}", ann.id)))
        .key("sk", S(format!("JOB#{}", id.tail())))
        .update_expression("SET due_at = :past, deadline = :past")
        .expression_attribute_values(":past", N(past))
        .send()
        .await
        .unwrap();
    for _ in 0..2 {
        let response = stack.invoke("sweep", &json!({ "time": clock::now().to_string() })).await;
        assert_eq!(response.status, 200, "{}", response.json());
    }
    assert_eq!(status(&ann, &job).await["error"]["code"], "DEADLINE_PASSED");
    assert_eq!(status(&ann, &other).await["status"], "pending");
    assert_eq!(pictures_left(&ann).await, 9);
}

#[tokio::test]
async fn a_job_completes_once_if_its_files_become_ready_during_the_completion() {
    let stack = Stack::find();
    let (ann, generator) = (stack.newcomer("enterprise"), Generator::of(&stack));
    let listener = BusListener::on(&stack, "user_id", &ann.id).await;
    let one = async |n: usize| {
        let message = pictures_of(&ann, &generator, 4).await;
        let files = join_all((0..4).map(async |file: usize| {
            let bytes = pictures::png(64, 64, 1000 + n * 4 + file);
            generator.upload(&message, &format!("{file}.png"), "image/png", bytes).await
        }));
        let files = files.await;
        // Now S3's events and this completion are processed at the same time.
        let taken = generator.complete(&message, &fresh_id(), &files).await;
        assert_eq!(taken.status, 200, "{}", taken.json());
        text(&message, "job_id")
    };
    let jobs: BTreeSet<String> = join_all((0..20).map(one)).await.into_iter().collect();
    for job in &jobs {
        wait_for(&ann, job, "completed").await;
        let record = stack.table().get_job(&JobId::parse(job).unwrap()).await.unwrap().unwrap();
        assert!(record.delivered().count() == 4 && record.delivered().all(|output| output.readable().is_some()));
    }
    let bytes: u64 = (1000..1080).sum();
    ann.wait_for_usage(80, bytes, 0).await;
    let (mut completed, mut ready) = (Vec::new(), 0);
    let all = until(async || {
        for event in listener.take(10).await {
            match event["detail-type"].as_str().unwrap() {
                "job.completed" => completed.push(text(&event["detail"], "job_id")),
                "file.ready" => ready += 1,
                other => assert_eq!(other, "job.requested"),
            }
        }
        (completed.len() >= 20 && ready >= 80).then_some(())
    });
    all.await.unwrap();
    completed.sort();
    assert_eq!((completed, ready), (jobs.into_iter().collect(), 80), "each event is published once");
}
