//! The functions of customers' endpoints and deliveries on fakes.

use consigne_auth::{EndpointSecrets, Secret};
use consigne_runtime::http;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};

use super::{ISSUER, deadline, paging};
use crate::fakes::{SimClock, World};

/// What `dispatch-webhook` works with on a world.
pub type DispatchDeps = dispatch_webhook::Deps<World, World, World, World, SimClock>;

/// Makes that, by a clock.
pub fn dispatch_deps(world: &World, clock: &SimClock) -> DispatchDeps {
    dispatch_webhook::Deps {
        table: world.clone(),
        courier: world.clone(),
        queue: world.clone(),
        dead_letters: world.clone(),
        secrets: endpoint_secrets(),
        clock: clock.clone(),
    }
}

/// Gives what the secrets of endpoints here are derived from.
pub fn endpoint_secrets() -> EndpointSecrets {
    EndpointSecrets::new(Secret::new("endpoints-0123456789abcdef012345").expect("it is long enough"))
}

/// Calls one of them. Private addresses are not allowed.
pub(super) async fn call(world: &World, function: &str, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
    let (users, endpoints, until) = (ISSUER.verifier(), world.clone(), deadline());
    let (resolver, secrets, private) = (world.clone(), endpoint_secrets(), false);
    match function {
        "endpoint-create" => {
            let deps = endpoint_create::Deps { users, endpoints, resolver, secrets, private };
            http::respond(function, &deps, &|d, r| Box::pin(endpoint_create::handle(d, r)), event, until).await
        }
        "endpoint-delete" => {
            let deps = endpoint_delete::Deps { users, endpoints };
            http::respond(function, &deps, &|d, r| Box::pin(endpoint_delete::handle(d, r)), event, until).await
        }
        "endpoint-list" => {
            let deps = endpoint_list::Deps { users, endpoints, paging: paging() };
            http::respond(function, &deps, &|d, r| Box::pin(endpoint_list::handle(d, r)), event, until).await
        }
        "endpoint-rotate" => {
            let deps = endpoint_rotate::Deps { users, endpoints, secrets };
            http::respond(function, &deps, &|d, r| Box::pin(endpoint_rotate::handle(d, r)), event, until).await
        }
        "endpoint-update" => {
            let deps = endpoint_update::Deps { users, endpoints, resolver, private };
            http::respond(function, &deps, &|d, r| Box::pin(endpoint_update::handle(d, r)), event, until).await
        }
        "delivery-list" => {
            let deps = delivery_list::Deps { users, deliveries: endpoints, paging: paging() };
            http::respond(function, &deps, &|d, r| Box::pin(delivery_list::handle(d, r)), event, until).await
        }
        "delivery-redeliver" => {
            let deps = delivery_redeliver::Deps { users, deliveries: endpoints, queue: world.clone() };
            http::respond(function, &deps, &|d, r| Box::pin(delivery_redeliver::handle(d, r)), event, until).await
        }
        other => panic!("{other} is no HTTP function"),
    }
}
