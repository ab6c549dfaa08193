//! Events about organisations: invitations, statistics, endpoints.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit::Actor;
use crate::endpoints::DisabledBecause;
use crate::periods::Day;
use crate::{EndpointId, InvitationId, OrgId};

/// `endpoint.disabled`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EndpointDisabled {
    /// Which organisation.
    pub org_id: OrgId,
    /// Which endpoint.
    pub endpoint_id: EndpointId,
    /// Its host; the rest of its address may hold a secret.
    #[schemars(length(min = 1))]
    pub host: String,
    /// Why: it answered 410, or has failed for a week.
    pub reason: DisabledBecause,
}

/// `invitation.created`. It holds no address: events travel to whoever subscribes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InvitationCreated {
    /// Which organisation.
    pub org_id: OrgId,
    /// What it is called.
    #[schemars(length(min = 1))]
    pub org_name: String,
    /// Which invitation.
    pub invitation_id: InvitationId,
    /// Who did it: a user's id, or `operator:` or `service:` and a name.
    pub actor: Actor,
}

/// `stats.ready`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatsReady {
    /// Which organisation.
    pub org_id: OrgId,
    /// Which day, in UTC.
    pub date: Day,
}
