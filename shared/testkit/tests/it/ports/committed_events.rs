//! Reads the events that an adapter writes: from the fake's outbox, or from the committed transactions of the real
//! table.

use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use consigne_storage::Table;
use consigne_testkit::fakes::World;
use consigne_testkit::stack::Stack;
use serde_json::Value;

/// Returns the events of a kind that a world has written since the last call.
pub fn events_in(world: &World, kind: &str) -> Vec<Value> {
    let mut outbox = Vec::new();
    world.change(|state| outbox = std::mem::take(&mut state.outbox));
    let events = outbox.iter().filter(|(_, entry)| entry.kind == kind);
    events.map(|(_, entry)| serde_json::from_str(&entry.detail).unwrap()).collect()
}

/// The real table, with a connector that records events, because published events soon leave its outbox.
pub struct CommittedEvents {
    /// The table.
    pub table: Table,
    recorded: Arc<Mutex<Vec<Value>>>,
}

impl CommittedEvents {
    /// Creates a table that records one kind of event.
    pub fn on(stack: &Stack, kind: &'static str) -> Self {
        let recorded = Arc::new(Mutex::default());
        let events = Arc::clone(&recorded);
        let caller = stack
            .aws()
            .config
            .through(|inner| SharedHttpConnector::new(RecordingConnector { inner, kind, recorded: events }));
        Self { table: Table::new(&caller, stack.name("TABLE_NAME")), recorded }
    }

    /// Returns the events that were written since the last call.
    pub fn events(&self) -> Vec<Value> {
        std::mem::take(&mut *self.recorded.lock().unwrap())
    }
}

/// A connector that records the events of its kind in every committed transaction.
#[derive(Clone, Debug)]
struct RecordingConnector {
    inner: SharedHttpConnector,
    kind: &'static str,
    recorded: Arc<Mutex<Vec<Value>>>,
}

impl HttpConnector for RecordingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let sent: Value = request.body().bytes().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
        let items = sent["TransactItems"].as_array().cloned().unwrap_or_default();
        let entries = items.iter().map(|write| &write["Put"]["Item"]);
        let events = entries.filter(|item| item["event_kind"]["S"] == self.kind);
        let notices: Vec<Value> =
            events.map(|item| serde_json::from_str(item["detail"]["S"].as_str().unwrap()).unwrap()).collect();
        let (answer, recorded) = (self.inner.call(request), Arc::clone(&self.recorded));
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            if answer.status().is_success() {
                recorded.lock().unwrap().extend(notices);
            }
            Ok(answer)
        })
    }
}
