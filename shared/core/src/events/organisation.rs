//! Events about organisations: invitations, statistics, endpoints.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit::Actor;
use crate::endpoints::DisabledBecause;
use crate::periods::Day;
use crate::{EndpointId, InvitationId, OrgId, UserId};

/// `endpoint.disabled`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EndpointDisabled {
    /// Id of the organisation.
    pub org_id: OrgId,
    /// Id of the endpoint.
    pub endpoint_id: EndpointId,
    /// Host of the endpoint's URL. The rest is left out, because it may contain a secret.
    #[schemars(length(min = 1))]
    pub host: String,
    /// Why: `gone` if it answered 410, `failing` if it has failed for a week.
    pub reason: DisabledBecause,
}

/// `invitation.created`. It does not contain the invited address, because every consumer of the bus can read events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InvitationCreated {
    /// Id of the organisation.
    pub org_id: OrgId,
    /// The organisation's name.
    #[schemars(length(min = 1))]
    pub org_name: String,
    /// Id of the invitation.
    pub invitation_id: InvitationId,
    /// Who sent the invitation: a user's id, or `operator:` or `service:` and a name.
    pub actor: Actor,
}

/// `organisation.deleted`. There is one event for each member, because each member loses their access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrganisationDeleted {
    /// Id of the organisation.
    pub org_id: OrgId,
    /// The organisation's name.
    #[schemars(length(min = 1))]
    pub org_name: String,
    /// Id of the member who loses their access.
    pub user_id: UserId,
    /// Who deleted the organisation: a user's id.
    pub actor: Actor,
    /// Credits that were in the wallet and are lost.
    pub credits_lost: u64,
}

/// `stats.ready`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatsReady {
    /// Id of the organisation.
    pub org_id: OrgId,
    /// The day, in UTC.
    pub date: Day,
}
