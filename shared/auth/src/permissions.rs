//! Who may do what in an organisation: one table of routes and roles. `make reference` writes it into
//! docs/reference/roles.md.

use consigne_core::orgs::OrgRole::{self, Admin, Billing, Developer, Owner};
use consigne_core::orgs::{Member, org_not_found};
use consigne_core::ports::GetMember;
use consigne_core::{Code, Fault, OrgId};

use crate::User;

/// A route within an organisation, named after its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Route {
    AuditList,
    Checkout,
    DeliveryList,
    DeliveryRedeliver,
    EndpointCreate,
    EndpointDelete,
    EndpointList,
    EndpointRotate,
    EndpointUpdate,
    InvitationList,
    InvitationRevoke,
    KeyDelete,
    KeyIssue,
    KeyList,
    KeyRevoke,
    KeyRotate,
    KeyUpdate,
    MemberInvite,
    MemberList,
    MemberRemove,
    MemberUpdate,
    OrgDelete,
    OrgUpdate,
    Stats,
    UsageLog,
    Wallet,
}

/// Each route with the roles that may call it. [`OrgRole::may_invite`] and [`OrgRole::may_manage`] say whom an admin
/// may invite, change or remove. `member-remove` is open to all roles, because anybody may leave.
pub const MATRIX: &[(Route, &str, &[OrgRole])] = &[
    (Route::AuditList, "audit-list", &[Owner, Admin]),
    (Route::Checkout, "checkout", &[Owner, Billing]),
    (Route::DeliveryList, "delivery-list", &[Owner, Admin, Developer]),
    (Route::DeliveryRedeliver, "delivery-redeliver", &[Owner, Admin, Developer]),
    (Route::EndpointCreate, "endpoint-create", &[Owner, Admin, Developer]),
    (Route::EndpointDelete, "endpoint-delete", &[Owner, Admin, Developer]),
    (Route::EndpointList, "endpoint-list", &[Owner, Admin, Developer]),
    (Route::EndpointRotate, "endpoint-rotate", &[Owner, Admin, Developer]),
    (Route::EndpointUpdate, "endpoint-update", &[Owner, Admin, Developer]),
    (Route::InvitationList, "invitation-list", &[Owner, Admin]),
    (Route::InvitationRevoke, "invitation-revoke", &[Owner, Admin]),
    (Route::KeyDelete, "key-delete", &[Owner, Admin]),
    (Route::KeyIssue, "key-issue", &[Owner, Admin, Developer]),
    (Route::KeyList, "key-list", &[Owner, Admin, Developer]),
    (Route::KeyRevoke, "key-revoke", &[Owner, Admin, Developer]),
    (Route::KeyRotate, "key-rotate", &[Owner, Admin, Developer]),
    (Route::KeyUpdate, "key-update", &[Owner, Admin, Developer]),
    (Route::MemberInvite, "member-invite", &[Owner, Admin]),
    (Route::MemberList, "member-list", &[Owner, Admin, Developer, Billing]),
    (Route::MemberRemove, "member-remove", &[Owner, Admin, Developer, Billing]),
    (Route::MemberUpdate, "member-update", &[Owner, Admin]),
    (Route::OrgDelete, "org-delete", &[Owner]),
    (Route::OrgUpdate, "org-update", &[Owner, Admin]),
    (Route::Stats, "stats", &[Owner, Admin, Developer, Billing]),
    (Route::UsageLog, "usage-log", &[Owner, Admin, Developer, Billing]),
    (Route::Wallet, "wallet", &[Owner, Admin, Developer, Billing]),
];

impl Route {
    /// Returns whether a role may call the route.
    pub fn allows(self, role: OrgRole) -> bool {
        MATRIX.iter().any(|(route, _, roles)| *route == self && roles.contains(&role))
    }

    /// Returns the names of the roles that may call the route, most powerful first.
    fn roles(self) -> Vec<&'static str> {
        let row = MATRIX.iter().find(|(route, _, _)| *route == self);
        row.map(|(_, _, roles)| roles.iter().map(|role| role.name()).collect()).unwrap_or_default()
    }
}

/// Checks that a person is a member of an organisation with a role that may call a route, and returns the member.
///
/// # Errors
/// `NOT_FOUND` if the person is not a member, exactly as if the organisation did not exist. `ROLE_REQUIRED` if their
/// role may not call the route, with the roles that may.
pub async fn member<F: GetMember>(orgs: &F, org: OrgId, user: &User, route: Route) -> Result<Member, Fault> {
    let member = orgs.get_member(org, &user.id).await?.ok_or_else(org_not_found)?;
    if route.allows(member.role) {
        return Ok(member);
    }
    let roles = route.roles();
    Err(Fault::new(Code::RoleRequired, format!("This needs one of the roles {} in the organisation", roles.join(", ")))
        .detail("required", roles)
        .detail("role", member.role.name()))
}
