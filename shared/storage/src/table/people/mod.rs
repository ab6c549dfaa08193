//! Accounts: organisations, members, invitations and profiles.

pub(crate) mod closings;
pub(crate) mod deletions;
pub(crate) mod departures;
pub(crate) mod exports;
pub(crate) mod foundations;
pub(crate) mod invitations;
pub(crate) mod members;
pub(crate) mod org_list;
pub(crate) mod org_walk;
pub(crate) mod orgs;
pub(crate) mod profiles;
