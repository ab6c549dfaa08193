//! Services that act for a user: a service token, and headers that name the user and their plan.

use consigne_core::{Code, Fault, Plan, Timestamp, UserId};

use crate::{Credentials, Refreshed, ServiceRight, ServiceTokens, User};

/// Header with the id of the user for whom a service acts.
pub const ACTS_FOR_HEADER: &str = "x-consigne-user";
/// Header with that user's plan; `free` when absent.
pub const PLAN_HEADER: &str = "x-consigne-plan";

impl Credentials<'_> {
    /// Returns whether the request is made for somebody else than the caller.
    pub(crate) fn act_for_somebody(&self) -> bool {
        [ACTS_FOR_HEADER, PLAN_HEADER].iter().any(|name| self.headers.contains_key(*name))
    }
}

/// Returns the user for whom a service acts.
///
/// # Errors
/// `UNAUTHENTICATED` if no service has the token. `INSUFFICIENT_SCOPE` if the service may not act for users, or may not
/// say their plan. `INVALID_REQUEST` if the headers name no user or no plan.
pub(crate) async fn user(
    services: &Refreshed<ServiceTokens>,
    credentials: Credentials<'_>,
    now: Timestamp,
) -> Result<User, Fault> {
    let says_plan = credentials.headers.contains_key(PLAN_HEADER);
    let needed = if says_plan { &ServiceRight::ALL[..] } else { &[ServiceRight::Files] };
    let service = services.service_with(credentials, needed, now).await?;

    let named = credentials.single(ACTS_FOR_HEADER).and_then(UserId::parse);
    let id = named.ok_or_else(|| Fault::field("X-Consigne-User", "X-Consigne-User must be the id of one user"))?;
    let plan = if says_plan {
        let plan = credentials.single(PLAN_HEADER).and_then(Plan::find);
        plan.ok_or_else(|| Fault::field("X-Consigne-Plan", "X-Consigne-Plan must be the name of one plan"))?
    } else {
        Plan::Free
    };
    Ok(User::served(id, plan, service.name, now))
}

/// Returns the refusal of a person who sends the headers of a service.
pub(crate) fn only_for_services() -> Fault {
    Fault::new(
        Code::InvalidRequest,
        "X-Consigne-User and X-Consigne-Plan are for services with the right `files`, on the routes of files",
    )
    .detail("field", "X-Consigne-User")
}
