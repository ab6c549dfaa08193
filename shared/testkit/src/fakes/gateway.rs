//! A fake for the services behind the gateway. It answers as planned and records its calls.

use consigne_core::Fault;
use consigne_core::gateway::{Answered, UpstreamCall, UpstreamOutcome};
use consigne_core::ports::CallUpstream;

use super::World;

/// The services behind the gateway: the calls they received, and the answer that a test has planned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Upstreams {
    /// Calls that arrived, in order.
    pub calls: Vec<UpstreamCall>,
    /// The planned outcome of all further calls. Without one, they are answered 200 with an empty object.
    pub outcome: Option<UpstreamOutcome>,
}

impl CallUpstream for World {
    async fn call_upstream(&self, call: &UpstreamCall) -> Result<UpstreamOutcome, Fault> {
        self.effect(|state| {
            state.upstreams.calls.push(call.clone());
            let json = ("content-type".to_owned(), "application/json".to_owned());
            let fine = || Answered { status: 200, headers: vec![json], body: b"{}".to_vec() };
            state.upstreams.outcome.clone().unwrap_or_else(|| UpstreamOutcome::Answered(fine()))
        })
    }
}
