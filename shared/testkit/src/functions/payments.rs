//! The functions of selling credits on fakes.

use consigne_runtime::http;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};

use super::{ISSUER, deadline};
use crate::fakes::World;
use crate::stripe;

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
