//! The functions of members and invitations on fakes.

use consigne_auth::{InvitationTokens, Secret};
use consigne_runtime::http;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};

use super::{ISSUER, deadline, paging};
use crate::fakes::World;

/// Gives the tokens of invitations that the functions here accept.
pub fn invitation_tokens() -> InvitationTokens {
    InvitationTokens::new(Secret::new("invitation-0123456789abcdef01234").expect("it is long enough"))
}

/// Calls one of them.
pub(super) async fn call(world: &World, function: &str, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
    let (users, orgs) = (ISSUER.verifier(), world.clone());
    let until = deadline();
    match function {
        "invitation-accept" => {
            let deps = invitation_accept::Deps { users, tokens: invitation_tokens(), orgs };
            http::respond(function, &deps, &|d, r| Box::pin(invitation_accept::handle(d, r)), event, until).await
        }
        "invitation-list" => {
            let deps = invitation_list::Deps { users, orgs, paging: paging() };
            http::respond(function, &deps, &|d, r| Box::pin(invitation_list::handle(d, r)), event, until).await
        }
        "invitation-revoke" => {
            let deps = invitation_revoke::Deps { users, orgs };
            http::respond(function, &deps, &|d, r| Box::pin(invitation_revoke::handle(d, r)), event, until).await
        }
        "member-invite" => {
            let deps = member_invite::Deps { users, orgs };
            http::respond(function, &deps, &|d, r| Box::pin(member_invite::handle(d, r)), event, until).await
        }
        "member-remove" => {
            let deps = member_remove::Deps { users, orgs };
            http::respond(function, &deps, &|d, r| Box::pin(member_remove::handle(d, r)), event, until).await
        }
        "member-update" => {
            let deps = member_update::Deps { users, orgs };
            http::respond(function, &deps, &|d, r| Box::pin(member_update::handle(d, r)), event, until).await
        }
        other => panic!("{other} is no HTTP function"),
    }
}
