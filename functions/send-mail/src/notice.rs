//! What people are told without having asked for it: old keys to be replaced, unusual use of keys, a storage nearly full, an
//! endpoint that gets no more webhooks.

use consigne_core::endpoints::DisabledBecause;
use consigne_core::orgs::OrgRole;
use consigne_core::ports::{GetOrg, ListMembers};
use consigne_core::{Fault, OrgId, Timestamp, UserId};
use consigne_messaging::mail::templates::{
    Anomaly, EndpointDisabled, KeyMigrationReminder, KeyMigrationStart, Oddity, Quota, Quota80,
};
use consigne_messaging::mail::{MailTemplate, Quoted};
use serde::Deserialize;

use crate::occasion::{Addressed, Recipient, members_in};

/// Detail of `key.migration-started` and `key.migration-reminder`.
#[derive(Deserialize)]
pub(crate) struct MigrationDetail {
    org_id: String,
    user_id: String,
    total: u64,
    until: String,
}

/// Detail of `key.anomaly`.
#[derive(Deserialize)]
pub(crate) struct AnomalyDetail {
    org_id: String,
    name: Option<String>,
    kind: String,
    details: AnomalyNumbers,
    action: String,
}

/// Those there are depend on the kind.
#[derive(Deserialize)]
struct AnomalyNumbers {
    countries: Option<u64>,
    keys: Option<u64>,
    calls: Option<u64>,
    median: Option<u64>,
}

/// Detail of `quota.exceeded`.
#[derive(Deserialize)]
pub(crate) struct QuotaDetail {
    user_id: String,
    quota: String,
    used: u64,
    limit: u64,
}

/// Detail of `endpoint.disabled`.
#[derive(Deserialize)]
pub(crate) struct EndpointDetail {
    org_id: String,
    host: String,
    reason: String,
}

/// A notice.
#[derive(Debug)]
pub(crate) enum Notice {
    /// Keys of an older installation work here, and must be replaced; once more when it is a reminder.
    Migration { org: OrgId, user: UserId, keys: u64, until: Timestamp, reminder: bool },
    /// Keys were used, or made, in an unusual way.
    Anomaly { org: OrgId, oddity: Oddity, stopped: bool },
    /// An endpoint gets no more webhooks: it is gone, or has failed for a week.
    Endpoint { org: OrgId, host: Quoted, gone: bool },
    /// A person's storage is nearly full.
    Storage { user: UserId, template: Quota80 },
}

impl Notice {
    pub(crate) fn migration(detail: &MigrationDetail, reminder: bool) -> Result<Self, String> {
        Ok(Self::Migration {
            org: OrgId::parse(&detail.org_id).ok_or("org_id is malformed")?,
            user: UserId::parse(&detail.user_id).ok_or("user_id is malformed")?,
            keys: detail.total,
            until: Timestamp::parse(&detail.until).ok_or("until is malformed")?,
            reminder,
        })
    }

    pub(crate) fn anomaly(detail: AnomalyDetail) -> Result<Self, String> {
        let AnomalyDetail { name, details, .. } = detail;
        let key_name = || name.as_deref().map(Quoted::name).ok_or("name is missing");
        let oddity = match (detail.kind.as_str(), details) {
            ("countries", AnomalyNumbers { countries: Some(countries), .. }) => {
                Oddity::Countries { key_name: key_name()?, countries }
            }
            ("keys_created", AnomalyNumbers { keys: Some(keys), .. }) => Oddity::Keys(keys),
            ("usage_jump", AnomalyNumbers { calls: Some(calls), median: Some(median), .. }) => {
                Oddity::Jump { key_name: key_name()?, calls, median }
            }
            _ => return Err("kind is unknown, or its numbers are missing".to_owned()),
        };
        let org = OrgId::parse(&detail.org_id).ok_or("org_id is malformed")?;
        Ok(Self::Anomaly { org, oddity, stopped: detail.action == "suspended" })
    }

    pub(crate) fn endpoint(detail: &EndpointDetail) -> Result<Self, String> {
        let org = OrgId::parse(&detail.org_id).ok_or("org_id is malformed")?;
        let why = DisabledBecause::from_name(&detail.reason).ok_or("reason is unknown")?;
        Ok(Self::Endpoint { org, host: Quoted::name(&detail.host), gone: why == DisabledBecause::Gone })
    }

    pub(crate) fn quota(detail: &QuotaDetail) -> Result<Self, String> {
        if detail.quota != "storage" {
            return Err("quota is unknown".to_owned());
        }
        let user = UserId::parse(&detail.user_id).ok_or("user_id is malformed")?;
        let &QuotaDetail { used, limit, .. } = detail;
        // A large file may leap over the mark; the reader is told where they are.
        let percent = used.saturating_mul(100).checked_div(limit).and_then(|share| u8::try_from(share).ok());
        let percent = percent.ok_or("used and limit are no share")?;
        Ok(Self::Storage { user, template: Quota80 { quota: Quota::Storage, percent, used, limit } })
    }

    /// Writes the letters it leads to.
    pub(crate) async fn mails<F: GetOrg + ListMembers>(self, table: &F) -> Result<Vec<Addressed>, Fault> {
        match self {
            Self::Storage { user, template } => Ok(vec![(Recipient::Person(user), Box::new(template))]),
            Self::Migration { org, user, keys, until, reminder } => {
                let Some(known) = table.get_org(org).await? else { return Ok(Vec::new()) };
                let org_name = Quoted::name(&known.name);
                let template: Box<dyn MailTemplate> = if reminder {
                    Box::new(KeyMigrationReminder { org, org_name, keys, until })
                } else {
                    Box::new(KeyMigrationStart { org, org_name, keys, until })
                };
                Ok(vec![(Recipient::Person(user), template)])
            }
            Self::Endpoint { org, host, gone } => {
                let Some(known) = table.get_org(org).await? else { return Ok(Vec::new()) };
                let template = |owner| -> Addressed {
                    let (org_name, host) = (Quoted::name(&known.name), host.clone());
                    (Recipient::Person(owner), Box::new(EndpointDisabled { org, org_name, host, gone }))
                };
                Ok(members_in(table, org, &[OrgRole::Owner]).await?.into_iter().map(template).collect())
            }
            Self::Anomaly { org, oddity, stopped } => {
                let Some(known) = table.get_org(org).await? else { return Ok(Vec::new()) };
                let template = |owner| -> Addressed {
                    let (org_name, oddity) = (Quoted::name(&known.name), oddity.clone());
                    (Recipient::Person(owner), Box::new(Anomaly { org, org_name, oddity, stopped }))
                };
                Ok(members_in(table, org, &[OrgRole::Owner]).await?.into_iter().map(template).collect())
            }
        }
    }
}
