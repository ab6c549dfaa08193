//! The real table on a wire where a transaction fails when a run plans it: before the table has done it, or after.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use consigne_storage::Table;
use consigne_testkit::fakes::Moment;
use consigne_testkit::stack::Stack;

/// What the next transaction meets. It is the process's own since the table is no type of these tests; only one of them has
/// a table on this wire, and it makes one operation after another.
static NEXT: Mutex<Option<Moment>> = Mutex::new(None);
/// How many transactions have met something.
static MET: AtomicU32 = AtomicU32::new(0);

/// Lets the next transaction fail, or none any more.
pub fn plan(fault: Option<Moment>) {
    *NEXT.lock().unwrap() = fault;
}

/// Says how many transactions have failed.
pub fn met() -> u32 {
    MET.load(Ordering::SeqCst)
}

/// Gives the table of the deployed stack behind the wire.
pub fn table(stack: &Stack) -> Table {
    let caller = stack.aws().config.through(|inner| SharedHttpConnector::new(Wire { inner }));
    Table::new(&caller, stack.name("TABLE_NAME"))
}

/// A connector on which transactions fail as planned.
#[derive(Clone, Debug)]
struct Wire {
    inner: SharedHttpConnector,
}

impl HttpConnector for Wire {
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
