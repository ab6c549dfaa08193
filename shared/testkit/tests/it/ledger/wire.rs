//! The real table, with a connector on which planned transactions fail: before the table executes them, or after.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use consigne_storage::Table;
use consigne_testkit::fakes::Moment;
use consigne_testkit::stack::Stack;

/// The fault of the next transaction. It is global, because these tests cannot add fields to the table's type. Only one
/// test uses this connector, and it runs one operation after another.
static NEXT: Mutex<Option<Moment>> = Mutex::new(None);
/// Number of transactions that failed.
static MET: AtomicU32 = AtomicU32::new(0);

/// Makes the next transaction fail, or none.
pub fn plan(fault: Option<Moment>) {
    *NEXT.lock().unwrap() = fault;
}

/// Returns how many transactions have failed.
pub fn met() -> u32 {
    MET.load(Ordering::SeqCst)
}

/// Returns the table of the deployed stack, behind this connector.
pub fn table(stack: &Stack) -> Table {
    let caller = stack.aws().config.through(|inner| SharedHttpConnector::new(FaultyConnector { inner }));
    Table::new(&caller, stack.name("TABLE_NAME"))
}

/// A connector on which transactions fail as planned.
#[derive(Clone, Debug)]
struct FaultyConnector {
    inner: SharedHttpConnector,
}

impl HttpConnector for FaultyConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let fault = if target.ends_with(".TransactWriteItems") { NEXT.lock().unwrap().take() } else { None };
        let Some(moment) = fault else { return self.inner.call(request) };
        MET.fetch_add(1, Ordering::SeqCst);
        let lost = || ConnectorError::io("planned: the wire fails".into());
        match moment {
            Moment::Before => HttpConnectorFuture::ready(Err(lost())),
            Moment::After => {
                let answer = self.inner.call(request);
                HttpConnectorFuture::new(async move {
                    answer.await?;
                    Err(lost())
                })
            }
        }
    }
}
