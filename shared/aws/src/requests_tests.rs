//! Compares the request of every operation in use with the one the SDK's own client sends.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, Put, TransactWriteItem};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_s3::operation::put_object::PutObjectInput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_ses::types::RawMessage;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;

use crate::Client;
use crate::tests::{FakeConnection, Sent};

crate::service! {
    pub(crate) struct DynamoDb: "dynamodb" at "dynamodb";
    aws_sdk_dynamodb::batch_get_item, BatchGetItem, BatchGetItemInputBuilder, BatchGetItemInput, BatchGetItemOutput, BatchGetItemError;
    aws_sdk_dynamodb::delete_item, DeleteItem, DeleteItemInputBuilder, DeleteItemInput, DeleteItemOutput, DeleteItemError;
    aws_sdk_dynamodb::get_item, GetItem, GetItemInputBuilder, GetItemInput, GetItemOutput, GetItemError;
    aws_sdk_dynamodb::put_item, PutItem, PutItemInputBuilder, PutItemInput, PutItemOutput, PutItemError;
    aws_sdk_dynamodb::query, Query, QueryInputBuilder, QueryInput, QueryOutput, QueryError;
    aws_sdk_dynamodb::scan, Scan, ScanInputBuilder, ScanInput, ScanOutput, ScanError;
    aws_sdk_dynamodb::transact_write_items, TransactWriteItems, TransactWriteItemsInputBuilder, TransactWriteItemsInput, TransactWriteItemsOutput, TransactWriteItemsError;
    aws_sdk_dynamodb::update_item, UpdateItem, UpdateItemInputBuilder, UpdateItemInput, UpdateItemOutput, UpdateItemError;
}

crate::service! {
    struct S3: "s3" at "s3";
    aws_sdk_s3::delete_object, DeleteObject, DeleteObjectInputBuilder, DeleteObjectInput, DeleteObjectOutput, DeleteObjectError;
    aws_sdk_s3::get_object, GetObject, GetObjectInputBuilder, GetObjectInput, GetObjectOutput, GetObjectError;
    aws_sdk_s3::head_bucket, HeadBucket, HeadBucketInputBuilder, HeadBucketInput, HeadBucketOutput, HeadBucketError;
    aws_sdk_s3::head_object, HeadObject, HeadObjectInputBuilder, HeadObjectInput, HeadObjectOutput, HeadObjectError;
    aws_sdk_s3::put_object, PutObject, PutObjectInputBuilder, PutObjectInput, PutObjectOutput, PutObjectError;
}

crate::service! {
    struct Sqs: "sqs" at "sqs";
    aws_sdk_sqs::send_message, SendMessage, SendMessageInputBuilder, SendMessageInput, SendMessageOutput, SendMessageError;
    aws_sdk_sqs::send_message_batch, SendMessageBatch, SendMessageBatchInputBuilder, SendMessageBatchInput, SendMessageBatchOutput, SendMessageBatchError;
}

crate::service! {
    struct Ses: "ses" at "email";
    aws_sdk_ses::send_raw_email, SendRawEmail, SendRawEmailInputBuilder, SendRawEmailInput, SendRawEmailOutput, SendRawEmailError;
}

crate::service! {
    struct EventBridge: "events" at "events";
    aws_sdk_eventbridge::put_events, PutEvents, PutEventsInputBuilder, PutEventsInput, PutEventsOutput, PutEventsError;
}

crate::service! {
    struct SecretsManager: "secretsmanager" at "secretsmanager";
    aws_sdk_secretsmanager::get_secret_value, GetSecretValue, GetSecretValueInputBuilder, GetSecretValueInput, GetSecretValueOutput, GetSecretValueError;
}

/// Sends a request with our client and then with the SDK's. Returns both as they were sent.
macro_rules! both {
    ($connection:expr, $ours:expr, $theirs:expr) => {{
        let theirs = $theirs;
        // Only the request matters here, not its outcome.
        drop($ours.send(theirs.as_input().clone()).await);
        let ours = $connection.sent().remove(0).essence();
        drop(theirs.send().await);
        (ours, $connection.sent().remove(0).essence())
    }};
}

/// Asserts that our client and the SDK's send the same request.
macro_rules! same {
    ($connection:expr, $ours:expr, $($theirs:expr),+ $(,)?) => {
        $({
            let (ours, theirs) = both!($connection, $ours, $theirs);
            assert_eq!(ours, theirs, "{}", stringify!($theirs));
        })+
    };
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

#[tokio::test(start_paused = true)]
async fn requests_to_the_table_are_the_sdks_own_byte_for_byte() {
    let connection = FakeConnection::default();
    let (ours, sdk) = (Client::<DynamoDb>::new(&connection.config()), aws_sdk_dynamodb::Client::new(&connection.sdk()));
    let keys = KeysAndAttributes::builder().keys([("pk".to_owned(), text("é"))].into()).build().unwrap();
    let put = Put::builder().table_name("table").item("pk", AttributeValue::N("1".to_owned())).build().unwrap();
    let write = TransactWriteItem::builder().put(put).build();
    same!(
        connection,
        ours,
        sdk.get_item().table_name("table").key("pk", text("é")).consistent_read(true),
        sdk.batch_get_item().request_items("table", keys),
        sdk.put_item().table_name("table").item("pk", text("1")).condition_expression("attribute_not_exists(pk)"),
        sdk.update_item().table_name("table").key("pk", text("1")).update_expression("SET a = :a"),
        sdk.delete_item().table_name("table").key("pk", text("1")),
        sdk.query().table_name("table").index_name("gsi1").key_condition_expression("pk = :pk").limit(101),
        sdk.scan().table_name("table").index_name("gsi4").consistent_read(false),
        sdk.transact_write_items().transact_items(write).client_request_token("t"),
    );
    let (ours, _) = both!(connection, ours, sdk.delete_item().table_name("table"));
    assert_eq!(ours.uri, "https://dynamodb.eu-west-3.amazonaws.com/");
}

#[tokio::test(start_paused = true)]
async fn requests_to_queues_bus_mail_and_secrets_are_the_sdks_own_byte_for_byte() {
    let connection = FakeConnection::default();
    let (config, sdk_config) = (connection.config(), connection.sdk());
    let queue = "https://sqs.eu-west-3.amazonaws.com/000000000000/queue";
    let sdk = aws_sdk_sqs::Client::new(&sdk_config);
    let entry = SendMessageBatchRequestEntry::builder().id("0").message_body("é").delay_seconds(3).build().unwrap();
    same!(
        connection,
        Client::<Sqs>::new(&config),
        sdk.send_message().queue_url(queue).message_body("é").delay_seconds(900),
        sdk.send_message_batch().queue_url(queue).entries(entry),
    );
    let sdk = aws_sdk_eventbridge::Client::new(&sdk_config);
    let entry = PutEventsRequestEntry::builder().event_bus_name("bus").source("consigne").detail("{}").build();
    same!(connection, Client::<EventBridge>::new(&config), sdk.put_events().entries(entry));
    let sdk = aws_sdk_ses::Client::new(&sdk_config);
    let raw = RawMessage::builder().data(Blob::new("Subject: é\r\n\r\nA & b = c")).build().unwrap();
    let mail = sdk.send_raw_email().source("a@example.com").destinations("b+c@example.com").raw_message(raw);
    same!(connection, Client::<Ses>::new(&config), mail.configuration_set_name("mails"));
    let sdk = aws_sdk_secretsmanager::Client::new(&sdk_config);
    same!(connection, Client::<SecretsManager>::new(&config), sdk.get_secret_value().secret_id("arn"));
}

#[tokio::test(start_paused = true)]
async fn requests_for_objects_are_the_sdks_own_for_every_key() {
    let connection = FakeConnection::default();
    let config = connection.config();
    let at_aws = (Client::<S3>::hosted(&config, "bucket.s3"), aws_sdk_s3::Client::new(&connection.sdk()));
    let elsewhere =
        aws_sdk_s3::config::Builder::from(&connection.sdk()).endpoint_url("http://localhost:1").force_path_style(true);
    let elsewhere = (
        Client::<S3>::based(&config, "http://localhost:1/bucket".to_owned()),
        aws_sdk_s3::Client::from_conf(elsewhere.build()),
    );
    for (ours, sdk) in [at_aws, elsewhere] {
        for key in ["user_ann1/images/01-photo.png", "a b/ü+%20/../~!'()*=&?#.png"] {
            same!(
                connection,
                ours,
                sdk.delete_object().bucket("bucket").key(key).version_id("v/1+"),
                sdk.head_object().bucket("bucket").key(key),
                sdk.head_bucket().bucket("bucket"),
            );
            // The SDK also asks for a checksum, which S3 does not return for a range.
            let read = sdk.get_object().bucket("bucket").key(key).range("bytes=0-9");
            let (ours_read, theirs) = both!(connection, ours, read);
            assert_eq!(without_checksums(ours_read), without_checksums(theirs));
            // The SDK also sends a checksum of the body it puts. Ours does not need one: the signature covers the
            // body's hash.
            let put = PutObjectInput::builder().bucket("bucket").key(key).content_type("text/markdown");
            drop(ours.send(put.if_none_match("*").body(ByteStream::from_static(b"# A title"))).await);
            let put_by_ours = connection.sent().remove(0).essence();
            let put = sdk.put_object().bucket("bucket").key(key).content_type("text/markdown");
            drop(put.if_none_match("*").body(ByteStream::from_static(b"# A title")).send().await);
            assert_eq!(without_checksums(put_by_ours), without_checksums(connection.sent().remove(0).essence()));
        }
    }
}

fn without_checksums(mut sent: Sent) -> Sent {
    sent.headers.retain(|(name, _)| !name.contains("checksum") && name != "accept-encoding");
    sent
}
