//! The real table, with a connector that loses answers or reports conflicts with other transactions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use consigne_core::files::{Grant, Status};
use consigne_core::ports::{BeginDelete, GetFile, GrantUpload};
use consigne_core::{Code, Plan};
use consigne_storage::Table;
use consigne_testkit::stack::Stack;

use super::{file_of, now, owner};

/// A fault of the connector.
#[derive(Clone, Copy, Debug)]
enum ConnectorFault {
    /// The table executes the operation, but its answer is lost.
    AnswerLost,
    /// Another transaction on the same item is in progress, so the table does nothing.
    Conflict,
}

/// A connector on which an operation fails a number of times and then succeeds.
#[derive(Clone, Debug)]
struct FaultyConnector {
    inner: SharedHttpConnector,
    operation: &'static str,
    fault: ConnectorFault,
    left: Arc<AtomicU32>,
}

impl HttpConnector for FaultyConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let meant = target.ends_with(self.operation);
        let less = |left: u32| left.checked_sub(1);
        if !meant || self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_err() {
            return self.inner.call(request);
        }
        match self.fault {
            ConnectorFault::AnswerLost => {
                let answer = self.inner.call(request);
                HttpConnectorFuture::new(async move {
                    answer.await?;
                    Err(ConnectorError::io("the answer was lost".into()))
                })
            }
            ConnectorFault::Conflict => {
                let body = r#"{"__type": "com.amazonaws.dynamodb.v20120810#TransactionConflictException"}"#;
                let status = 400.try_into().expect("the status is valid");
                HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
            }
        }
    }
}

/// Returns the table of the deployed stack, with a connector on which an operation first fails so many times.
fn table_on(stack: &Stack, operation: &'static str, fault: ConnectorFault, times: u32) -> Table {
    let left = Arc::new(AtomicU32::new(times));
    let caller =
        stack.aws().config.through(|inner| SharedHttpConnector::new(FaultyConnector { inner, operation, fault, left }));
    Table::new(&caller, stack.name("TABLE_NAME"))
}

#[tokio::test]
async fn a_deletion_with_a_lost_answer_is_recognised_as_the_callers_own() {
    let (stack, owner, now) = (Stack::find(), owner(), now());
    let table = table_on(&stack, ".UpdateItem", ConnectorFault::AnswerLost, 1);
    let file = file_of(&owner, "a.png", 10, now);
    table
        .grant_upload(&Grant { file: file.clone(), plan: Plan::Free, job: None, seen: None, idempotency: None, now })
        .await
        .unwrap();
    assert_eq!(table.begin_delete(&file.key, now).await.unwrap(), Some(file.deleting(now)));
    // Another caller's deletion at the same time finds nothing.
    assert_eq!(table.begin_delete(&file.key, now).await.unwrap(), None);
}

#[tokio::test]
async fn a_deletion_that_conflicts_with_a_transaction_is_retried() {
    let (stack, owner, now) = (Stack::find(), owner(), now());
    let table = table_on(&stack, ".UpdateItem", ConnectorFault::Conflict, 6);
    let file = file_of(&owner, "a.png", 10, now);
    table
        .grant_upload(&Grant { file: file.clone(), plan: Plan::Free, job: None, seen: None, idempotency: None, now })
        .await
        .unwrap();
    assert_eq!(table.begin_delete(&file.key, now).await.unwrap(), Some(file.deleting(now)));
}

#[tokio::test]
async fn a_deletion_that_keeps_conflicting_fails_in_time() {
    let (stack, owner, now) = (Stack::find(), owner(), now());
    let table = table_on(&stack, ".UpdateItem", ConnectorFault::Conflict, u32::MAX);
    let file = file_of(&owner, "a.png", 10, now);
    table
        .grant_upload(&Grant { file: file.clone(), plan: Plan::Free, job: None, seen: None, idempotency: None, now })
        .await
        .unwrap();
    let call = consigne_aws::budget::InvocationBudget::new(std::time::Duration::from_secs(1));
    let fault = call.run(table.begin_delete(&file.key, now)).await.unwrap_err();
    assert_eq!(fault.code, Code::Unavailable);
    let stored = table.get_file(&owner, file.id()).await.unwrap().unwrap();
    assert_eq!(stored.status, Status::Pending);
}
