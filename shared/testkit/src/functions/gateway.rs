//! The gateway on fakes.

use consigne_auth::{GatewaySeal, Secret};
use consigne_core::gateway::Upstreams;
use consigne_runtime::http;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};

use super::{deadline, finder};
use crate::fakes::World;

/// Gives what the gateway here signs with.
pub fn gateway_seal() -> GatewaySeal {
    GatewaySeal::new(Secret::new("gateway-0123456789abcdef01234567").expect("it is long enough"))
}

/// Calls it. Of the three services two have an upstream.
pub(super) async fn call(world: &World, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
    let upstreams = Upstreams::parse("pdf=https://pdf.example.com/v1,ai=https://ai.example.com", false);
    let deps = gateway::Deps {
        finder: finder(),
        keys: world.clone(),
        seal: gateway_seal(),
        upstreams: upstreams.expect("they can be called"),
        upstream: world.clone(),
    };
    http::respond("gateway", &deps, &|d, r| Box::pin(gateway::handle(d, r)), event, deadline()).await
}
