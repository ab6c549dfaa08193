//! `consigne wallet`: shows the credits of an organisation, or the test credits of a person.

use clap::{Args, value_parser};
use consigne_core::audit::AuditEntry;
use consigne_core::credits::{Hold, Receipt, Wallet, WalletId};
use consigne_core::keys::KeyMode;
use consigne_core::ports::{AuditSearch, FindHolds, GetWallet, ListReceipts, PageAsk, ReceiptFilter};
use consigne_core::{Fault, OrgId, Timestamp, UserId};
use consigne_runtime::clock;
use consigne_storage::Table;
use serde_json::{Value, json};

use crate::audit::newest;
use crate::grid::{Grid, facts};
use crate::operator::{Operator, no_such_org, table_failed, work};
use crate::report::{Outcome, Report};
use crate::stack_env::Which;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consigne wallet org_01JD0000000000000000000000
  consigne wallet org_01JD0000000000000000000000 --limit 50 --json
  consigne wallet user_ann

What it costs: three queries. If credits are held, it also reads everything that waits for `sweep` in the installation, because
holds have no index by wallet: half a read unit for every 4 KB.")]
pub(crate) struct Options {
    /// Id of an organisation, or of a person for their test credits.
    #[arg(value_name = "ORG or USER")]
    whose: String,
    /// Most entries of the ledger to show, 0 to 1,000.
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u32).range(0..=1000))]
    limit: u32,
}

pub(crate) fn run(which: &Which, options: &Options) -> Outcome {
    let id = whose(&options.whose)?;
    let table = Operator::of_stack(which, &["TABLE_NAME"])?.table()?;
    work(async {
        let seen = Seen::read(&table, &id, options.limit, clock::now()).await.map_err(|fault| table_failed(&fault))?;
        match (seen, &id) {
            (Some(seen), _) => Ok(Report::new(seen.text(), seen.document())),
            (None, WalletId::Organisation(org)) => Err(no_such_org(*org)),
            (None, WalletId::Test(user)) => Err(format!("There is no person {user} in this stack.")),
        }
    })
}

fn whose(text: &str) -> Result<WalletId, String> {
    let org = || OrgId::parse(text).map(WalletId::Organisation);
    org().or_else(|| UserId::parse(text).map(WalletId::Test)).ok_or_else(|| {
        format!(
            "{text} is neither the id of an organisation (`org_` and 26 characters) nor of a person (`user_` and letters or \
             digits). `consigne org list` shows all organisations."
        )
    })
}

/// A wallet, the holds that reserve credits of it, and its newest changes.
#[derive(Debug)]
struct Seen {
    wallet: Wallet,
    holds: Vec<Hold>,
    entries: Vec<Entry>,
    now: Timestamp,
}

/// A change of a wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    at: Timestamp,
    /// `charge`, or the name of an action of the audit log, such as `credits.granted`.
    kind: &'static str,
    /// Credits added; below zero if they were spent or clawed back.
    credits: Option<i64>,
    /// Id of the receipt, the lot or the payment.
    id: String,
    /// The service that was paid, or who changed the credits.
    by: String,
}

impl Entry {
    fn of_receipt(receipt: &Receipt) -> Self {
        let credits = i64::try_from(receipt.credits).ok().map(|credits| -credits);
        let by = receipt.call.service.clone().unwrap_or_else(|| receipt.caller.clone());
        Self { at: receipt.at, kind: "charge", credits, id: receipt.id.to_string(), by }
    }

    fn of_audit(entry: &AuditEntry) -> Self {
        let amount = ["amount", "credits"].iter().find_map(|name| entry.details[name].as_i64());
        let kind = entry.action.name();
        let credits = amount.map(|amount| if kind == "credits.clawed_back" { -amount } else { amount });
        Self { at: entry.at, kind, credits, id: entry.subject.clone(), by: entry.origin.actor.to_string() }
    }
}

impl Seen {
    async fn read(table: &Table, id: &WalletId, limit: u32, now: Timestamp) -> Result<Option<Self>, Fault> {
        let Some(wallet) = table.get_wallet(id, now).await? else { return Ok(None) };
        let holds = if wallet.held > 0 { table.find_holds(id).await? } else { Vec::new() };
        let entries = match id {
            WalletId::Organisation(org) if limit > 0 => newest_entries(table, *org, limit).await?,
            // A person's receipts are under the organisations of their test keys.
            WalletId::Organisation(_) | WalletId::Test(_) => Vec::new(),
        };
        Ok(Some(Self { wallet, holds, entries, now }))
    }

    fn text(&self) -> String {
        let Self { wallet, holds, entries, .. } = self;
        let mut parts = vec![self.summary()];
        let mut lots = Grid::new(&["lot", "kind", ">amount", ">left", "expires at"]);
        for (id, lot) in &wallet.lots {
            let expires = lot.expires_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
            lots.row([
                id.to_string(),
                lot.kind.name().to_owned(),
                lot.amount.to_string(),
                lot.left.to_string(),
                expires,
            ]);
        }
        let mut open = Grid::new(&["hold", ">credits", "service", "key", "opened at", "expires at"]);
        for hold in holds {
            let (opened, expires) = (hold.opened_at.to_string(), hold.expires_at.to_string());
            let (credits, key) = (hold.amount.to_string(), hold.key.to_string());
            open.row([hold.id.to_string(), credits, hold.service.clone(), key, opened, expires]);
        }
        let mut ledger = Grid::new(&["time", "entry", ">credits", "by", "id"]);
        for entry in entries {
            let credits = entry.credits.map_or_else(String::new, |credits| format!("{credits:+}"));
            ledger.row([entry.at.to_string(), entry.kind.to_owned(), credits, entry.by.clone(), entry.id.clone()]);
        }
        parts.extend([lots, open, ledger].iter().filter(|grid| !grid.is_empty()).map(Grid::render));
        parts.join("\n\n")
    }

    fn summary(&self) -> String {
        let wallet = &self.wallet;
        let (name, whose) = match &wallet.id {
            WalletId::Organisation(org) => ("organisation", org.to_string()),
            WalletId::Test(user) => ("test wallet of", user.to_string()),
        };
        let state = if wallet.open { "open" } else { "closed, because the organisation is suspended" };
        let mut rows = vec![
            (name, whose),
            ("state", state.to_owned()),
            ("balance", wallet.balance.to_string()),
            ("held", wallet.held.to_string()),
            ("purchased", wallet.purchased.to_string()),
            ("granted", wallet.granted.to_string()),
            ("used", wallet.used.to_string()),
            ("expired", wallet.expired.to_string()),
            ("clawed back", wallet.clawed_back.to_string()),
        ];
        if matches!(wallet.id, WalletId::Test(_)) {
            // A test wallet comes into being with its first charge.
            let unused = wallet.used == 0 && wallet.anchor == self.now;
            let reset = wallet.next_expiry.map_or_else(String::new, |at| at.to_string());
            rows.push(("resets at", if unused { "its first use starts the first period".to_owned() } else { reset }));
        }
        facts(rows)
    }

    fn document(&self) -> Value {
        let Self { wallet, holds, entries, .. } = self;
        let lot = |(id, lot): (_, &consigne_core::credits::CreditLot)| {
            let (kind, expires_at) = (lot.kind.name(), lot.expires_at);
            json!({ "id": id, "kind": kind, "amount": lot.amount, "left": lot.left, "expires_at": expires_at })
        };
        let hold = |hold: &Hold| {
            json!({
                "id": hold.id.to_string(), "key_id": hold.key, "service": hold.service, "amount": hold.amount,
                "opened_at": hold.opened_at, "expires_at": hold.expires_at,
            })
        };
        let entry = |entry: &Entry| {
            let Entry { at, kind, credits, id, by } = entry;
            json!({ "timestamp": at, "kind": kind, "credits": credits, "id": id, "by": by })
        };
        let (org, user) = match &wallet.id {
            WalletId::Organisation(org) => (Some(org), None),
            WalletId::Test(user) => (None, Some(user)),
        };
        json!({
            "org_id": org,
            "user_id": user,
            "is_open": wallet.open,
            "balance": wallet.balance,
            "held": wallet.held,
            "total_purchased": wallet.purchased,
            "total_granted": wallet.granted,
            "total_used": wallet.used,
            "total_expired": wallet.expired,
            "total_clawed_back": wallet.clawed_back,
            "resets_at": user.and(wallet.next_expiry),
            "buckets": wallet.lots.iter().map(lot).collect::<Vec<_>>(),
            "holds": holds.iter().map(hold).collect::<Vec<_>>(),
            "entries": entries.iter().map(entry).collect::<Vec<_>>(),
        })
    }
}

/// Reads the newest charges of an organisation's wallet and the newest changes of its credits, newest first.
async fn newest_entries(table: &Table, org: OrgId, limit: u32) -> Result<Vec<Entry>, Fault> {
    let search = AuditSearch { action: "credits.".to_owned(), ..AuditSearch::default() };
    let mut entries: Vec<Entry> =
        newest(table, Some(org), &search, limit).await?.0.iter().map(Entry::of_audit).collect();
    let (filter, mut charges) = (ReceiptFilter { day: None, key: None }, Vec::new());
    let mut page = PageAsk { limit, after: None };
    loop {
        let listed = table.list_receipts(org, filter, &page).await?;
        // Test keys spend the wallets of people.
        charges
            .extend(listed.items.iter().filter(|call| call.environment == KeyMode::Production).map(Entry::of_receipt));
        page.after = listed.next;
        if page.after.is_none() || charges.len() >= limit as usize {
            break;
        }
    }
    entries.extend(charges);
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    entries.truncate(limit as usize);
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use consigne_core::LotId;
    use consigne_core::audit::{Actor, AuditAction, Origin};
    use consigne_core::credits::LotKind;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_257_000);

    #[test]
    fn a_wallet_is_an_organisations_or_a_persons() {
        assert!(matches!(whose("org_01JD0000000000000000000000"), Ok(WalletId::Organisation(_))));
        assert!(matches!(whose("user_ann"), Ok(WalletId::Test(_))));
        assert!(whose("Acme").unwrap_err().starts_with("Acme is neither"));
    }

    #[test]
    fn lots_and_entries_are_shown_and_those_there_are_none_of_left_out() {
        let mut wallet = Wallet::of_organisation(OrgId::mint(NOW), NOW);
        let empty = Seen { wallet: wallet.clone(), holds: Vec::new(), entries: Vec::new(), now: NOW };
        assert!(empty.text().ends_with("clawed back   0"), "{}", empty.text());
        let lot = LotId::mint(NOW);
        wallet.add(lot, LotKind::Paid, 1_000, Some(NOW));
        wallet.open = false;
        let origin = Origin { actor: Actor::Service("stripe".to_owned()), ip: None, user_agent: None, plan: None };
        let entry = |action, details| Entry::of_audit(&AuditEntry::new(None, action, "pi_1", &origin, NOW, details));
        let entries = vec![
            entry(AuditAction::CreditsClawedBack, json!({ "credits": 40 })),
            entry(AuditAction::CreditsGranted, json!({ "amount": 1_000 })),
        ];
        let seen = Seen { wallet, entries, ..empty };
        let text = seen.text();
        for part in [
            "state         closed, because the organisation is suspended",
            &format!("{lot}  paid    1000  1000  2026-11-21T10:30:00Z"),
            "2026-11-21T10:30:00Z  credits.clawed_back      -40  service:stripe  pi_1",
            "2026-11-21T10:30:00Z  credits.granted        +1000  service:stripe  pi_1",
        ] {
            assert!(text.contains(part), "{part}\n\n{text}");
        }
        let json = seen.document();
        assert_eq!(
            (&json["is_open"], &json["buckets"][0]["left"], &json["holds"]),
            (&json!(false), &json!(1_000), &json!([]))
        );
        assert_eq!((&json["entries"][0]["credits"], &json["user_id"]), (&json!(-40), &Value::Null));
    }

    #[test]
    fn a_test_wallet_nobody_has_used_says_so() {
        let user = UserId::parse("user_ann").unwrap();
        let wallet = Wallet::of_tester(user, NOW);
        let seen = Seen { wallet, holds: Vec::new(), entries: Vec::new(), now: NOW };
        let text = seen.text();
        assert!(text.contains("balance         100\n") && text.contains("its first use starts"), "{text}");
        assert_eq!(seen.document()["user_id"], "user_ann");
        let later = Seen { now: Timestamp::from_secs(1_795_257_001), ..seen };
        assert!(later.text().contains("resets at       2026-12-21T10:30:00Z"), "{}", later.text());
    }
}
