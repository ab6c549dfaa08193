//! The functions of selling credits on fakes.

use consigne_runtime::{Request, clock, http};
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use serde_json::Value;

use super::{ISSUER, deadline};
use crate::fakes::World;
use crate::stripe;

/// Hands an event of Stripe's over and gives what the log says of it.
pub async fn stripe_notes(world: &World, event: Value) -> Value {
    let event = serde_json::from_value(event).expect("the payload is an HTTP event");
    let deps = webhook_stripe::Deps { secrets: stripe::known(), credits: world.clone() };
    let request = Request::from_event(event, clock::now());
    drop(webhook_stripe::handle(&deps, &request).await);
    request.log.take("webhook-stripe", request.now).into()
}

/// Calls one of them.
pub(super) async fn call(world: &World, function: &str, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
    let until = deadline();
    match function {
        "checkout" => {
            let deps = checkout::Deps { users: ISSUER.verifier(), credits: world.clone(), provider: world.clone() };
            http::respond(function, &deps, &|d, r| Box::pin(checkout::handle(d, r)), event, until).await
        }
        "webhook-stripe" => {
            let deps = webhook_stripe::Deps { secrets: stripe::known(), credits: world.clone() };
            http::respond(function, &deps, &|d, r| Box::pin(webhook_stripe::handle(d, r)), event, until).await
        }
        other => panic!("{other} is no HTTP function"),
    }
}
