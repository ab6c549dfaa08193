//! Receives requests from Lambda and answers them.

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::SystemTime;

use consigne_core::Fault;
use http::Method;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use serde_json::Map;

use super::{Answer, Cdn, Request, fault_answer};
use crate::clock;
use crate::invocation::Invocation;
use crate::start::{self, Start, StartError};

/// The future of a handler.
pub type Handling<'a> = Pin<Box<dyn Future<Output = Result<Answer, Fault>> + Send + 'a>>;

/// Runs an HTTP function: creates its dependencies once, then answers requests until Lambda ends it.
///
/// `name` is the function's name. With the argument `--settings` it prints the settings it reads instead.
pub fn serve<D, H>(name: &'static str, wire: impl AsyncFnOnce(&Start) -> Result<D, StartError>, handle: H) -> ExitCode
where
    D: Send + Sync + 'static,
    H: for<'a> Fn(&'a D, &'a Request) -> Handling<'a> + Send + Sync + 'static,
{
    let wire = async |start: &Start| Ok((Cdn::from_environment(start.environment())?, wire(start).await?));
    start::serve(name, wire, handle, |name, (cdn, deps), handle, event, deadline| {
        Box::pin(async move { Ok(respond_behind(cdn, name, deps, handle, event, deadline).await) })
    })
}

/// Answers one event: the whole path of a request, without Lambda and CDN around it.
pub async fn respond<D, H>(
    name: &str,
    deps: &D,
    handle: &H,
    event: ApiGatewayV2httpRequest,
    deadline: SystemTime,
) -> ApiGatewayV2httpResponse
where
    H: for<'a> Fn(&'a D, &'a Request) -> Handling<'a>,
{
    respond_behind(&Cdn::default(), name, deps, handle, event, deadline).await
}

/// Answers one event of a request that may have come through a CDN.
pub async fn respond_behind<D, H>(
    cdn: &Cdn,
    name: &str,
    deps: &D,
    handle: &H,
    event: ApiGatewayV2httpRequest,
    deadline: SystemTime,
) -> ApiGatewayV2httpResponse
where
    H: for<'a> Fn(&'a D, &'a Request) -> Handling<'a>,
{
    let now = clock::now();
    let request = Request::from_event_behind(cdn, event, now);
    let invocation = Invocation::begin(name, deadline, now);
    let (answer, fault) = if is_preflight(&request) {
        (Answer::no_content(), None)
    } else {
        match invocation.run(handle(deps, &request)).await {
            Ok(answer) => (answer, None),
            Err(fault) => (fault_answer(&fault, &request.id, now), Some(fault)),
        }
    };
    let mut fields = Map::new();
    fields.insert("request.id".to_owned(), request.id.as_str().into());
    fields.insert("http.route".to_owned(), request.route().into());
    fields.insert("http.status".to_owned(), answer.status.into());
    let message = format!("{} answered {}", request.route(), answer.status);
    invocation.finish(&message, fault.as_ref(), fields, &request.log, now);
    answer.into_response(&request.id)
}

/// Returns whether a browser asks if it may send a cross-origin request.
///
/// API Gateway passes these to the functions behind `ANY` and `$default` routes even if CORS is configured, and adds
/// the configured headers to their answers. Source: API Gateway developer guide, "Configure CORS for HTTP APIs".
fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS && request.header("access-control-request-method").is_some()
}
