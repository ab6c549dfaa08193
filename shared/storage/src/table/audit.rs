//! The audit log: the items of its entries, and their list by organisation.

use consigne_core::audit::{Actor, AuditAction, AuditEntry, Origin};
use consigne_core::ports::{AuditSearch, ListAudit, Listed, PageAsk, SearchAudit};
use consigne_core::{AuditId, Fault, OrgId};

use crate::table::Table;
use crate::table::item::{Item, Reader, add, key, number, org_pk, text};

/// Partition of entries that belong to no organisation.
pub(crate) const SYSTEM: &str = "SYSTEM";

/// Builds the item of an entry.
pub(crate) fn write(entry: &AuditEntry) -> Item {
    let pk = entry.org.map_or_else(|| SYSTEM.to_owned(), org_pk);
    let mut item = key(pk, format!("AUDIT#{}", entry.id));
    item.insert("action".to_owned(), text(entry.action.name()));
    item.insert("subject".to_owned(), text(&entry.subject));
    item.insert("actor".to_owned(), text(entry.origin.actor.to_string()));
    item.insert("at".to_owned(), number(entry.at.as_millis()));
    item.insert("details".to_owned(), text(entry.details.to_string()));
    add(&mut item, "ip", entry.origin.ip.as_ref().map(text));
    add(&mut item, "user_agent", entry.origin.user_agent.as_ref().map(text));
    item
}

fn read(item: &Item) -> Result<AuditEntry, Fault> {
    let reader = Reader(item);
    let origin = Origin {
        actor: reader.parsed("actor", Actor::parse)?,
        ip: reader.owned_text("ip"),
        user_agent: reader.owned_text("user_agent"),
        plan: None,
    };
    Ok(AuditEntry {
        id: reader.parsed("sk", |sk| AuditId::parse(sk.strip_prefix("AUDIT#")?))?,
        org: reader.text("pk")?.strip_prefix("ORG#").and_then(OrgId::parse),
        action: reader.parsed("action", AuditAction::from_name)?,
        subject: reader.text("subject")?.to_owned(),
        origin,
        at: reader.time("at")?,
        details: reader.parsed("details", |details| serde_json::from_str(details).ok())?,
    })
}

impl ListAudit for Table {
    async fn list_audit(&self, org: OrgId, page: &PageAsk) -> Result<Listed<AuditEntry>, Fault> {
        let query = self
            .partition(None, org_pk(org))
            .key_condition_expression("#pk = :pk AND begins_with(sk, :audit)")
            .expression_attribute_values(":audit", text("AUDIT#"))
            .scan_index_forward(false);
        self.page(None, query, page, read).await
    }
}

impl SearchAudit for Table {
    async fn search_audit(
        &self,
        org: Option<OrgId>,
        search: &AuditSearch,
        page: &PageAsk,
    ) -> Result<Listed<AuditEntry>, Fault> {
        // Ids sort by time, so a log is read no further back than necessary.
        let since = search.since.map_or_else(String::new, |since| AuditId::first_at(since).to_string());
        let mut filters = Vec::new();
        let mut query = self
            .partition(None, org.map_or_else(|| SYSTEM.to_owned(), org_pk))
            .key_condition_expression("#pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":from", text(format!("AUDIT#{since}")))
            // Sorts after every id.
            .expression_attribute_values(":to", text("AUDIT#~"))
            .scan_index_forward(false);
        if !search.action.is_empty() {
            filters.push("begins_with(#action, :action)");
            query = query
                .expression_attribute_names("#action", "action")
                .expression_attribute_values(":action", text(&search.action));
        }
        if let Some(actor) = &search.actor {
            filters.push("actor = :actor");
            query = query.expression_attribute_values(":actor", text(actor.to_string()));
        }
        if !filters.is_empty() {
            query = query.filter_expression(filters.join(" AND "));
        }
        self.page_without_total(None, query, page, read).await
    }
}
