//! Receives requests from Lambda and answers them.

use std::future::Future;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use consigne_core::Fault;
use http::Method;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use serde_json::Map;

use super::{Answer, Cdn, Operation, Request, fault_answer};
use crate::adapters::AwsAdapters;
use crate::clock;
use crate::invocation::Invocation;
use crate::log::{self, Level};
use crate::run::{Handler, WireHandler, handler};
use crate::start::Start;
use crate::wire::{Named, Wire};

/// A function behind routes of the API.
pub trait HttpFunction: Named {
    /// Describes its routes, for the `OpenAPI` document.
    fn operations() -> Vec<Operation>;

    /// Answers one request.
    fn handle(&self, request: &Request) -> impl Future<Output = Result<Answer, Fault>> + Send;
}

/// Runs a function behind routes of the API.
pub fn run<F: HttpFunction + Wire<AwsAdapters>>() -> ExitCode {
    let wire = |start: &Start| {
        let cdn = Cdn::from_environment(start.environment())?;
        Ok(F::wire(start)?.map(|function| {
            handler((cdn, function), |behind: Arc<(Cdn, F)>, event, deadline| async move {
                Ok(respond_behind(&behind.0, &behind.1, event, deadline).await)
            })
        }))
    };
    serve(F::NAME, Box::new(wire))
}

/// Receives requests. Not generic, so that it is compiled once.
fn serve(name: &'static str, wire: WireHandler<ApiGatewayV2httpRequest, ApiGatewayV2httpResponse>) -> ExitCode {
    crate::run::run(name, wire, Some(substitute))
}

/// Answers events in place of a function that could not start.
fn substitute(name: &'static str) -> Handler<ApiGatewayV2httpRequest, ApiGatewayV2httpResponse> {
    Box::new(move |event, deadline| {
        Box::pin(async move { Ok(written(answered_as(name, &Cdn::default(), &Unstarted, event, deadline).await)) })
    })
}

/// Answers every request with a 503, in place of a function that could not start. Without it callers would get API
/// Gateway's own 500, which says neither that they may try again nor when.
#[derive(Debug)]
pub struct Unstarted;

impl Named for Unstarted {
    const NAME: &'static str = "unstarted";
}

impl HttpFunction for Unstarted {
    fn operations() -> Vec<Operation> {
        Vec::new()
    }

    async fn handle(&self, _: &Request) -> Result<Answer, Fault> {
        Err(Fault::unavailable("the function could not start"))
    }
}

/// An answer, and the lines that the request writes to the log.
#[derive(Debug)]
pub struct Answered {
    /// The answer, for API Gateway.
    pub response: ApiGatewayV2httpResponse,
    /// The log lines, that of the request first.
    pub lines: Vec<String>,
}

/// Answers one event and writes its log lines: the whole path of a request, without Lambda and CDN around it.
pub async fn respond<F: HttpFunction>(
    function: &F,
    event: ApiGatewayV2httpRequest,
    deadline: SystemTime,
) -> ApiGatewayV2httpResponse {
    respond_behind(&Cdn::default(), function, event, deadline).await
}

/// Answers one event of a request that may have come through a CDN, and writes its log lines.
pub async fn respond_behind<F: HttpFunction>(
    cdn: &Cdn,
    function: &F,
    event: ApiGatewayV2httpRequest,
    deadline: SystemTime,
) -> ApiGatewayV2httpResponse {
    written(answered_behind(cdn, function, event, deadline).await)
}

/// Writes the log lines of an answer and returns it.
fn written(answered: Answered) -> ApiGatewayV2httpResponse {
    for line in &answered.lines {
        log::write(line);
    }
    answered.response
}

/// Answers one event of a request that may have come through a CDN. Leaves it to the caller to write the log lines.
pub fn answered_behind<F: HttpFunction>(
    cdn: &Cdn,
    function: &F,
    event: ApiGatewayV2httpRequest,
    deadline: SystemTime,
) -> impl Future<Output = Answered> {
    answered_as(F::NAME, cdn, function, event, deadline)
}

/// Answers one event under the name that the log lines have.
async fn answered_as<F: HttpFunction>(
    name: &str,
    cdn: &Cdn,
    function: &F,
    event: ApiGatewayV2httpRequest,
    deadline: SystemTime,
) -> Answered {
    let now = clock::now();
    let request = Request::from_event_behind(cdn, event, now);
    let invocation = Invocation::begin(name, deadline, now);
    let preflight = is_preflight(&request);
    let (answer, fault) = if preflight {
        (Answer::no_content(), None)
    } else {
        match invocation.run(pin!(function.handle(&request))).await {
            Ok(answer) => (answer, None),
            Err(fault) => (fault_answer(&fault, &request.id, now), Some(fault)),
        }
    };
    // Not every answer 5xx: the gateway hands on those of the services behind it.
    if fault.is_some() && answer.status >= 500 {
        request.log.fault();
    }
    let mut fields = Map::new();
    fields.insert("request.id".to_owned(), request.id.as_str().into());
    let accesses = if preflight { Vec::new() } else { request.access.take(&request, fault.as_ref()) };
    let mut of_each: Vec<String> = Vec::new();
    if let [only] = &accesses[..] {
        fields.insert("audit".to_owned(), only.clone());
    } else {
        of_each.extend(accesses.into_iter().map(|access| {
            let fields = fields.clone().into_iter().chain([("audit".to_owned(), access)]).collect();
            log::line(Level::Info, name, &format!("{}: one of several files", request.route()), now, fields)
        }));
    }
    fields.insert("http.route".to_owned(), request.route().into());
    fields.insert("http.status".to_owned(), answer.status.into());
    let message = format!("{} answered {}", request.route(), answer.status);
    let mut lines = vec![invocation.line(&message, fault.as_ref(), fields, &request.log, now)];
    lines.extend(of_each);
    let response = answer.into_response(&request.id, request.method() == Method::HEAD);
    Answered { response, lines }
}

/// Returns whether a browser asks if it may send a cross-origin request.
///
/// API Gateway passes these to the functions behind `ANY` and `$default` routes even if CORS is configured, and adds
/// the configured headers to their answers. Source: API Gateway developer guide, "Configure CORS for HTTP APIs".
fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS && request.header("access-control-request-method").is_some()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    /// Answers with what it is asked for in the path.
    struct Asked;

    impl Named for Asked {
        const NAME: &'static str = "asked";
    }

    impl HttpFunction for Asked {
        fn operations() -> Vec<Operation> {
            Vec::new()
        }

        async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
            match request.path() {
                "/relayed" => Ok(Answer::relayed(502, Vec::new(), Vec::new())),
                "/refused" => Err(Fault::new(consigne_core::Code::NotFound, "no such thing")),
                _ => Err(Fault::internal("a mistake")),
            }
        }
    }

    #[tokio::test]
    async fn only_failures_of_the_function_itself_count_against_a_published_version() {
        log::learn_version("7");
        for (path, faults) in [("/broken", Value::from(1)), ("/relayed", Value::Null), ("/refused", Value::Null)] {
            let event = json!({
                "version": "2.0", "routeKey": "GET /{proxy+}", "rawPath": path, "rawQueryString": "", "headers": {},
                "requestContext": {"http": {"method": "GET", "path": path}, "requestId": "r1"}, "isBase64Encoded": false,
            });
            let event = serde_json::from_value(event).unwrap();
            let deadline = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(u32::MAX));
            let answered = answered_behind(&Cdn::default(), &Asked, event, deadline).await;
            let line: Value = serde_json::from_str(&answered.lines[0]).unwrap();
            assert_eq!(line["Faults"], faults, "{path}");
        }
    }
}
