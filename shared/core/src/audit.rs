//! The audit log: who did what to an organisation, when, and from which address. An entry is written in the transaction
//! of its action.

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::{AuditId, OrgId, Plan, Timestamp, UserId};

/// An action that is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The names below are the catalogue.
pub enum AuditAction {
    OrgCreated,
    OrgSuspended,
    OrgResumed,
    OrgPolicyChanged,
    OrgUpdated,
    OrgDeleted,
    MemberInvited,
    InvitationRevoked,
    MemberJoined,
    RoleChanged,
    MemberRemoved,
    MemberLeft,
    KeyIssued,
    KeyUpdated,
    KeyRotated,
    KeyRevoked,
    KeyDeleted,
    KeyMigrated,
    KeySuspended,
    KeyResumed,
    KeyAnomaly,
    CreditsGranted,
    CreditsPurchased,
    CreditsClawedBack,
    CreditsGivenBack,
    EndpointCreated,
    EndpointUpdated,
    EndpointRotated,
    EndpointDeleted,
    EndpointDisabled,
    AccountClosed,
    AccountReopened,
    AccountExported,
    PepperAdded,
    PepperPromoted,
    PepperClosed,
    PepperReopened,
    PepperRetired,
    OrderErased,
    StorageRepaired,
    WebhookRefused,
}

impl AuditAction {
    /// Every action.
    pub const ALL: [Self; 41] = [
        Self::OrgCreated,
        Self::OrgSuspended,
        Self::OrgResumed,
        Self::OrgPolicyChanged,
        Self::OrgUpdated,
        Self::OrgDeleted,
        Self::MemberInvited,
        Self::InvitationRevoked,
        Self::MemberJoined,
        Self::RoleChanged,
        Self::MemberRemoved,
        Self::MemberLeft,
        Self::KeyIssued,
        Self::KeyUpdated,
        Self::KeyRotated,
        Self::KeyRevoked,
        Self::KeyDeleted,
        Self::KeyMigrated,
        Self::KeySuspended,
        Self::KeyResumed,
        Self::KeyAnomaly,
        Self::CreditsGranted,
        Self::CreditsPurchased,
        Self::CreditsClawedBack,
        Self::CreditsGivenBack,
        Self::EndpointCreated,
        Self::EndpointUpdated,
        Self::EndpointRotated,
        Self::EndpointDeleted,
        Self::EndpointDisabled,
        Self::AccountClosed,
        Self::AccountReopened,
        Self::AccountExported,
        Self::PepperAdded,
        Self::PepperPromoted,
        Self::PepperClosed,
        Self::PepperReopened,
        Self::PepperRetired,
        Self::OrderErased,
        Self::StorageRepaired,
        Self::WebhookRefused,
    ];

    /// Returns the action's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrgCreated => "org.created",
            Self::OrgSuspended => "org.suspended",
            Self::OrgResumed => "org.resumed",
            Self::OrgPolicyChanged => "org.policy_changed",
            Self::OrgUpdated => "org.updated",
            Self::OrgDeleted => "org.deleted",
            Self::MemberInvited => "member.invited",
            Self::InvitationRevoked => "invitation.revoked",
            Self::MemberJoined => "member.joined",
            Self::RoleChanged => "member.role_changed",
            Self::MemberRemoved => "member.removed",
            Self::MemberLeft => "member.left",
            Self::KeyIssued => "key.issued",
            Self::KeyUpdated => "key.updated",
            Self::KeyRotated => "key.rotated",
            Self::KeyRevoked => "key.revoked",
            Self::KeyDeleted => "key.deleted",
            Self::KeyMigrated => "key.migrated",
            Self::KeySuspended => "key.suspended",
            Self::KeyResumed => "key.resumed",
            Self::KeyAnomaly => "key.anomaly",
            Self::CreditsGranted => "credits.granted",
            Self::CreditsPurchased => "credits.purchased",
            Self::CreditsClawedBack => "credits.clawed_back",
            Self::CreditsGivenBack => "credits.given_back",
            Self::EndpointCreated => "endpoint.created",
            Self::EndpointUpdated => "endpoint.updated",
            Self::EndpointRotated => "endpoint.rotated",
            Self::EndpointDeleted => "endpoint.deleted",
            Self::EndpointDisabled => "endpoint.disabled",
            Self::AccountClosed => "account.closed",
            Self::AccountReopened => "account.reopened",
            Self::AccountExported => "account.exported",
            Self::PepperAdded => "pepper.added",
            Self::PepperPromoted => "pepper.promoted",
            Self::PepperClosed => "pepper.closed",
            Self::PepperReopened => "pepper.reopened",
            Self::PepperRetired => "pepper.retired",
            Self::OrderErased => "order.erased",
            Self::StorageRepaired => "storage.repaired",
            Self::WebhookRefused => "webhook.refused",
        }
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// The actor of an action. Displayed and stored as `user_...`, `operator:<name>` or `service:<name>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A signed-in person, by their id.
    User(UserId),
    /// A user of the operators' command line, by their name there.
    Operator(String),
    /// A server that signs its requests, or a schedule of ours.
    Service(String),
}

impl Actor {
    /// Parses the text that [`std::fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            Some(("operator", name)) => Some(Self::Operator(name.to_owned())),
            Some(("service", name)) => Some(Self::Service(name.to_owned())),
            _ => UserId::parse(text).map(Self::User),
        }
    }
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Operator(name) => write!(f, "operator:{name}"),
            Self::Service(name) => write!(f, "service:{name}"),
        }
    }
}

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

read_from_json_string!(Actor, crate::json_text::matching("^(user_|operator:|service:)."));

/// Who acts, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Who acts: a person, an operator or a service.
    pub actor: Actor,
    /// Address of the request, if known.
    pub ip: Option<String>,
    /// The client's `User-Agent`, cut to 256 characters.
    pub user_agent: Option<String>,
    /// The plan of a person whose writes are counted; `None` for everybody else. It is not stored.
    pub plan: Option<Plan>,
}

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// Its id, which sorts by time.
    pub id: AuditId,
    /// The organisation whose log it is in; `None` for the installation's own log.
    pub org: Option<OrgId>,
    /// What was done to the subject.
    pub action: AuditAction,
    /// What it was done to: the id of a key, a member, a pepper.
    pub subject: String,
    /// Who did it, and from where.
    pub origin: Origin,
    /// When it was done.
    pub at: Timestamp,
    /// Details, as a JSON object without secrets.
    pub details: Value,
}

impl AuditEntry {
    /// Creates an entry with a new id.
    pub fn new(
        org: impl Into<Option<OrgId>>,
        action: AuditAction,
        subject: impl Into<String>,
        origin: &Origin,
        now: Timestamp,
        details: Value,
    ) -> Self {
        let (org, subject, origin) = (org.into(), subject.into(), origin.clone());
        Self { id: AuditId::mint(now), org, action, subject, origin, at: now, details }
    }
}
