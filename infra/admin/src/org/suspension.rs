//! Why and since when an organisation is suspended, according to its audit log.

use consigne_core::audit::AuditEntry;
use consigne_core::ports::{AuditSearch, PageAsk, SearchAudit};
use consigne_core::{Fault, OrgId};
use serde_json::{Value, json};

/// The suspension of an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Suspension {
    /// When it began.
    pub(crate) since: String,
    /// Why: the operator's reason, or the cause that a function gives.
    pub(crate) reason: String,
    /// Who suspended it.
    pub(crate) by: String,
}

impl Suspension {
    /// Reads the newest suspension in an organisation's audit log; `None` if the log has none.
    pub(crate) async fn of<T: SearchAudit>(table: &T, org: OrgId) -> Result<Option<Self>, Fault> {
        let search = AuditSearch { action: "org.suspended".to_owned(), ..AuditSearch::default() };
        let mut page = PageAsk { limit: 1, after: None };
        loop {
            let listed = table.search_audit(Some(org), &search, &page).await?;
            if let Some(entry) = listed.items.first() {
                return Ok(Some(Self::from_entry(entry)));
            }
            if listed.next.is_none() {
                return Ok(None);
            }
            page.after = listed.next;
        }
    }

    fn from_entry(entry: &AuditEntry) -> Self {
        let reason = ["reason", "cause"].iter().find_map(|name| entry.details[name].as_str());
        let reason = match reason {
            Some("last_owner_gone") => "its last owner's account was closed",
            Some(reason) => reason,
            None => "",
        };
        Self { since: entry.at.to_string(), reason: reason.to_owned(), by: entry.origin.actor.to_string() }
    }

    /// Returns it for programs.
    pub(crate) fn document(&self) -> Value {
        json!({ "since": self.since, "reason": self.reason, "by": self.by })
    }
}

/// Returns the name of an organisation's state.
pub(crate) fn state(suspended: bool) -> &'static str {
    if suspended { "suspended" } else { "active" }
}

#[cfg(test)]
mod tests {
    use consigne_core::Timestamp;
    use consigne_core::audit::{Actor, AuditAction, Origin};

    use super::*;

    #[test]
    fn operators_and_functions_say_why() {
        let now = Timestamp::from_secs(0);
        let suspension = |actor, details| {
            let origin = Origin { actor, ip: None, user_agent: None, plan: None };
            let org = OrgId::mint(now);
            Suspension::from_entry(&AuditEntry::new(
                org,
                AuditAction::OrgSuspended,
                org.to_string(),
                &origin,
                now,
                details,
            ))
        };
        let by_hand = suspension(Actor::Operator("zoë".to_owned()), json!({ "reason": "未払い" }));
        let since = "1970-01-01T00:00:00Z".to_owned();
        assert_eq!(by_hand, Suspension { since, reason: "未払い".to_owned(), by: "operator:zoë".to_owned() });
        let closed = suspension(Actor::Service("account-close".to_owned()), json!({ "cause": "last_owner_gone" }));
        assert_eq!(closed.reason, "its last owner's account was closed");
        assert_eq!(suspension(Actor::Service("x".to_owned()), json!({})).reason, "");
    }
}
