//! `consigne org show`: shows what the table knows about an organisation.

use std::collections::BTreeMap;

use clap::Args;
use consigne_core::credits::{Wallet, WalletId};
use consigne_core::endpoints::EndpointView;
use consigne_core::files::{Usage, in_words};
use consigne_core::keys::KeyView;
use consigne_core::orgs::{Member, Organisation};
use consigne_core::ports::{
    GetLedgers, GetOrg, GetWallet, ListAudit, ListEndpoints, ListKeys, ListMembers, ListReceipts, Listed, PageAsk,
    ReceiptFilter,
};
use consigne_core::stats::Ledger;
use consigne_core::{Fault, OrgId, Timestamp};
use consigne_runtime::clock;
use consigne_storage::Table;
use serde_json::{Value, json};

use super::list;
use super::suspension::{Suspension, state};
use crate::grid::{Grid, facts};
use crate::operator::{Operator, no_such_org, org, table_failed, work};
use crate::report::{Outcome, Report};
use crate::stack_env::Which;

/// Entries read with one query.
const PAGE: u32 = 100;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consigne org show org_01JD0000000000000000000000
  consigne org show org_01JD0000000000000000000000 --json

Storage belongs to people, so each member is shown with the plan of their last upload and the bytes they store. What it costs:
about eight queries, and one read unit for each 4 KB of members, keys and endpoints.")]
pub(crate) struct Options {
    /// Id of the organisation: `org_` and 26 characters.
    org: String,
}

pub(crate) fn run(which: &Which, options: &Options) -> Outcome {
    let org = org(&options.org)?;
    let table = Operator::of_stack(which, &["TABLE_NAME"])?.table()?;
    work(async {
        let seen = Seen::read(&table, org, clock::now()).await.map_err(|fault| table_failed(&fault))?;
        let seen = seen.ok_or_else(|| no_such_org(org))?;
        Ok(Report::new(seen.text(), seen.document()))
    })
}

/// What is shown of an organisation.
#[derive(Debug)]
struct Seen {
    org: Organisation,
    suspension: Option<Suspension>,
    members: Vec<(Member, Option<Ledger>)>,
    wallet: Option<Wallet>,
    keys: BTreeMap<&'static str, u64>,
    endpoints: BTreeMap<&'static str, u64>,
    last_call: Option<Timestamp>,
    last_change: Option<Timestamp>,
}

impl Seen {
    async fn read(table: &Table, id: OrgId, now: Timestamp) -> Result<Option<Self>, Fault> {
        let Some(org) = table.get_org(id).await? else { return Ok(None) };
        let suspension = if org.suspended { Suspension::of(table, id).await? } else { None };
        let members = all(async |page| table.list_members(id, &page).await).await?;
        let users: Vec<_> = members.iter().map(|member| member.user.clone()).collect();
        let ledgers = table.get_ledgers(&users).await?;
        let with_ledger = |member: Member| {
            let ledger = ledgers.iter().find(|ledger| ledger.owner == member.user).cloned();
            (member, ledger)
        };
        let members = members.into_iter().map(with_ledger).collect();
        let mut seen = Self {
            org,
            suspension,
            members,
            wallet: table.get_wallet(&WalletId::Organisation(id), now).await?,
            keys: BTreeMap::new(),
            endpoints: BTreeMap::new(),
            last_call: None,
            last_change: None,
        };
        for key in all(async |page| table.list_keys(id, &page).await).await? {
            *seen.keys.entry(KeyView::of(&key, now).status).or_default() += 1;
        }
        for endpoint in all(async |page| table.list_endpoints(id, &page).await).await? {
            *seen.endpoints.entry(EndpointView::of(&endpoint, now).status).or_default() += 1;
        }
        let newest = PageAsk { limit: 1, after: None };
        let calls = table.list_receipts(id, ReceiptFilter { day: None, key: None }, &newest).await?;
        seen.last_call = calls.items.first().map(|receipt| receipt.at);
        seen.last_change = table.list_audit(id, &newest).await?.items.first().map(|entry| entry.at);
        Ok(Some(seen))
    }

    fn text(&self) -> String {
        let Self { org, suspension, wallet, .. } = self;
        let state = suspension.as_ref().map_or_else(
            || state(org.suspended).to_owned(),
            |known| {
                let reason = if known.reason.is_empty() { "without a reason" } else { &known.reason };
                format!("suspended since {} by {}: {reason}", known.since, known.by)
            },
        );
        let wallet = wallet.as_ref().map_or_else(
            || "none".to_owned(),
            |wallet| format!("{} credits to spend, {} held, {} used", wallet.balance, wallet.held, wallet.used),
        );
        let time = |at: Option<Timestamp>| at.map_or_else(|| "never".to_owned(), |at| at.to_string());
        let text = facts([
            ("id", org.id.to_string()),
            ("name", org.name.clone()),
            ("slug", org.slug.clone()),
            ("created at", org.created_at.to_string()),
            ("state", state),
            ("on anomaly", org.on_anomaly.name().to_owned()),
            ("wallet", wallet),
            ("keys", counts(&self.keys)),
            ("endpoints", counts(&self.endpoints)),
            ("storage", format!("{} of its members", in_words(self.stored()))),
            ("last charged call", time(self.last_call)),
            ("last change", time(self.last_change)),
            ("members", self.members.len().to_string()),
        ]);
        let mut grid = Grid::new(&["member", "role", "joined at", "plan", ">files", ">stored"]);
        for (member, ledger) in &self.members {
            let (plan, files, bytes) = ledger.as_ref().map_or_else(Default::default, |ledger| {
                let usage = &ledger.usage;
                (ledger.plan.name().to_owned(), usage.files(None).to_string(), in_words(usage.bytes()))
            });
            let (role, joined) = (member.role.name().to_owned(), member.joined_at.to_string());
            grid.row([member.user.to_string(), role, joined, plan, files, bytes]);
        }
        if grid.is_empty() { text } else { format!("{text}\n\n{}", grid.render()) }
    }

    fn document(&self) -> Value {
        let member = |(member, ledger): &(Member, Option<Ledger>)| {
            let stored = ledger.as_ref().map(|ledger| &ledger.usage);
            json!({
                "user_id": member.user,
                "role": member.role,
                "joined_at": member.joined_at,
                "plan": ledger.as_ref().map(|ledger| ledger.plan.name()),
                "files": stored.map_or(0, |usage| usage.files(None)),
                "bytes": stored.map_or(0, Usage::bytes),
                "reserved_bytes": stored.map_or(0, |usage| usage.reserved),
            })
        };
        let mut json = list::document(&self.org, self.suspension.as_ref());
        json["members"] = self.members.iter().map(member).collect();
        json["stored_bytes"] = json!(self.stored());
        json["wallet"] = self.wallet.as_ref().map_or(Value::Null, |wallet| {
            json!({ "balance": wallet.balance, "held": wallet.held, "total_used": wallet.used, "is_open": wallet.open })
        });
        json["keys"] = json!(self.keys);
        json["endpoints"] = json!(self.endpoints);
        json["last_call_at"] = json!(self.last_call);
        json["last_change_at"] = json!(self.last_change);
        json
    }

    /// Returns the bytes that all members store.
    fn stored(&self) -> u64 {
        self.members.iter().filter_map(|(_, ledger)| Some(ledger.as_ref()?.usage.bytes())).sum()
    }
}

/// Reads a list to its end, page by page.
async fn all<T>(list: impl AsyncFn(PageAsk) -> Result<Listed<T>, Fault>) -> Result<Vec<T>, Fault> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let listed = list(PageAsk { limit: PAGE, after }).await?;
        found.extend(listed.items);
        after = listed.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// Writes counts by state: `3 active, 1 revoked`.
fn counts(counts: &BTreeMap<&'static str, u64>) -> String {
    let parts: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use consigne_core::files::KindUsage;
    use consigne_core::orgs::OrgRole;
    use consigne_core::{Plan, UserId};

    use super::*;

    fn seen(members: Vec<(Member, Option<Ledger>)>) -> Seen {
        let now = Timestamp::from_secs(1_795_257_000);
        let org = Organisation::create("株式会社 日本", now).unwrap();
        let wallet = Some(Wallet::of_organisation(org.id, now));
        let keys = BTreeMap::from([("active", 3), ("revoked", 1)]);
        let (suspension, endpoints) = (None, BTreeMap::new());
        Seen { org, suspension, members, wallet, keys, endpoints, last_call: None, last_change: Some(now) }
    }

    #[test]
    fn everything_that_the_table_knows_is_shown() {
        let user = UserId::parse("user_ann1").unwrap();
        let mut usage = Usage::default();
        usage.by_kind[0] = KindUsage { files: 2, bytes: 3 << 19 };
        let member = |user: UserId, role| {
            let seen = seen(Vec::new());
            Member { org: seen.org.id, user, role, joined_at: seen.org.created_at }
        };
        let bob = member(UserId::parse("user_bob1").unwrap(), OrgRole::Billing);
        let ledger = Ledger { owner: user.clone(), plan: Plan::Pro, usage };
        let seen = seen(vec![(member(user, OrgRole::Owner), Some(ledger)), (bob, None)]);
        let text = seen.text();
        for line in [
            "name               株式会社 日本",
            "state              active",
            "wallet             0 credits to spend, 0 held, 0 used",
            "keys               3 active, 1 revoked",
            "endpoints          none",
            "storage            1.5 MB of its members",
            "last charged call  never",
            "members            2",
            "user_ann1  owner    2026-11-21T10:30:00Z  pro       2  1.5 MB",
            "user_bob1  billing  2026-11-21T10:30:00Z  -         -       -",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n\n{text}");
        }
        let json = seen.document();
        assert_eq!((&json["members"][0]["plan"], &json["members"][1]["plan"]), (&json!("pro"), &Value::Null));
        assert_eq!((&json["stored_bytes"], &json["keys"]["active"]), (&json!(3 << 19), &json!(3)));
        assert_eq!(json["last_change_at"], "2026-11-21T10:30:00Z");
    }

    #[test]
    fn an_organisation_nobody_is_left_in_is_shown_too() {
        let mut seen = seen(Vec::new());
        seen.wallet = None;
        let text = seen.text();
        assert!(text.contains("wallet             none") && text.ends_with("members            0"), "{text}");
        assert_eq!(seen.document()["wallet"], Value::Null);
    }
}
