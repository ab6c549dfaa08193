//! Which mails an event leads to, and to whom they go.

use consigne_auth::InvitationTokens;
use consigne_core::audit::Actor;
use consigne_core::endpoints::DisabledBecause;
use consigne_core::events::{
    Anomaly, AnomalyResponse, EventData, EventMessage, InvitationCreated, KeyAnomaly, KeyEvent, KeyMigrationEvent,
    OrderSubmitted, QuotaExceeded,
};
use consigne_core::jobs::CANCELLED;
use consigne_core::mail::MailId;
use consigne_core::orgs::{OrgRole, Organisation};
use consigne_core::ports::{GetInvitation, GetMember, GetOrder, GetOrg, GetProfile, ListMembers, PageAsk};
use consigne_core::profiles::Language;
use consigne_core::{EmailAddress, EventId, Fault, OrgId, Timestamp, UserId};
use consigne_messaging::mail::templates::{
    self, AnomalyFacts, By, JobCompleted, JobFailed, KeyCreated, KeyMigrationReminder, KeyMigrationStart, KeyRevoked,
    PaymentDisputed, PaymentRefunded, Quota, Quota80, WalletLow,
};
use consigne_messaging::mail::{MailTemplate, Quoted};

/// Most members read in one query.
const MEMBERS: u32 = 100;

/// An event that may lead to mails.
#[derive(Debug)]
pub(crate) struct MailEvent {
    /// Id of the event. Each recipient gets one mail per event.
    pub(crate) event: EventId,
    /// When the event happened.
    pub(crate) occurred_at: Timestamp,
    /// Type of the event, its `detail-type` on the bus.
    pub(crate) kind: String,
    data: Option<EventData>,
}

/// The recipient of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recipient {
    /// A user, at the address in their profile when the mail is sent.
    Person(UserId),
    /// The address of an invitation, and the language of the member who sent it.
    Invited(EmailAddress, Language),
    /// The customer of an order, in the language of their submission.
    Customer(EmailAddress, Language),
    /// Those who work on orders, at the address that the installation names.
    Desk(EmailAddress),
}

impl Recipient {
    /// Returns the id of an event's mail to this recipient.
    pub(crate) fn mail(&self, event: EventId) -> MailId {
        match self {
            Self::Person(user) => MailId::new(event, user.as_str()),
            Self::Invited(email, _) | Self::Customer(email, _) => MailId::new(event, email.as_str()),
            // Also if it is the customer's own address, as in a trial.
            Self::Desk(_) => MailId::new(event, "orders"),
        }
    }

    /// Returns the user, if the recipient is one.
    pub(crate) fn person(&self) -> Option<&UserId> {
        match self {
            Self::Person(user) => Some(user),
            Self::Invited(..) | Self::Customer(..) | Self::Desk(_) => None,
        }
    }
}

/// A mail and its recipient.
pub(crate) type Addressed = (Recipient, Box<dyn MailTemplate>);

impl MailEvent {
    /// Parses a message. The error does not quote the message, because that may contain personal data.
    pub(crate) fn parse(body: &str) -> Result<Self, String> {
        let EventMessage { id, occurred_at, detail_type, data, .. } =
            EventMessage::parse(body).map_err(|malformed| malformed.to_string())?;
        match &data {
            Some(EventData::KeyAnomaly(event)) if facts(event).is_none() => Err("name is missing".to_owned()),
            _ => Ok(Self { event: id, occurred_at, kind: detail_type, data }),
        }
    }

    /// Returns the mails that the event leads to: none for most types of events.
    pub(crate) async fn mails<F>(
        self,
        table: &F,
        tokens: &InvitationTokens,
        desk: Option<&EmailAddress>,
        now: Timestamp,
    ) -> Result<Vec<Addressed>, Fault>
    where
        F: GetOrg + GetProfile + GetMember + ListMembers + GetInvitation + GetOrder,
    {
        let Some(data) = self.data else { return Ok(Vec::new()) };
        match data {
            EventData::JobCompleted(event) => {
                let title = Quoted::name(&event.title);
                let template = JobCompleted { job: event.job_id.to_string(), kind: event.kind, title };
                Ok(to_person(event.user_id, template))
            }
            // The owner cancelled the job and needs no mail about it.
            EventData::JobFailed(event) if event.error.code == CANCELLED => Ok(Vec::new()),
            EventData::JobFailed(event) => {
                let (title, reason) = (Quoted::name(&event.title), Some(Quoted::sentence(&event.error.message)));
                let template = JobFailed { job: event.job_id.to_string(), kind: event.kind, title, reason };
                Ok(to_person(event.user_id, template))
            }
            EventData::AccountExportReady(event) => {
                Ok(to_person(event.user_id, templates::ExportReady { until: event.expires_at }))
            }
            // A customer has no account, and sees it when they submit the order again.
            EventData::FileInfected(event) if event.file.user_id.as_order().is_some() => Ok(Vec::new()),
            EventData::FileInfected(event) => {
                let (filename, threat) =
                    (Quoted::name(&event.file.filename), event.threat.as_deref().map(Quoted::name));
                Ok(to_person(event.file.user_id, templates::FileInfected { filename, threat }))
            }
            EventData::InvitationCreated(event) => {
                Ok(invitation(table, tokens, &event, now).await?.into_iter().collect())
            }
            // Both have had their mail about this submission. A photo was lost, and has come again.
            EventData::OrderSubmitted(event) if event.again => Ok(Vec::new()),
            EventData::OrderSubmitted(event) => order(table, &event, desk).await,
            EventData::KeyIssued(event) => {
                let mail = |org, org_name, key_name, by| KeyCreated { org, org_name, key_name, by };
                about_key(table, &event, mail).await
            }
            EventData::KeyRevoked(event) => {
                let mail = |org, org_name, key_name, by| KeyRevoked { org, org_name, key_name, by };
                about_key(table, &event, mail).await
            }
            EventData::KeyMigrationStarted(event) => about_migration(table, event, false).await,
            EventData::KeyMigrationReminder(event) => about_migration(table, event, true).await,
            EventData::KeyAnomaly(event) => {
                let Some(facts) = facts(&event) else { return Ok(Vec::new()) };
                let suspended = event.action == AnomalyResponse::Suspended;
                let mail = |org, org_name| templates::Anomaly { org, org_name, facts: facts.clone(), suspended };
                to_members(table, event.org_id, &[OrgRole::Owner], mail).await
            }
            EventData::EndpointDisabled(event) => {
                let (host, gone) = (Quoted::name(&event.host), event.reason == DisabledBecause::Gone);
                let mail = |org, org_name| templates::EndpointDisabled { org, org_name, host: host.clone(), gone };
                to_members(table, event.org_id, &[OrgRole::Owner], mail).await
            }
            EventData::OrganisationDeleted(event) => {
                let by = by(table, &event.actor).await?;
                let by = if event.actor == Actor::User(event.user_id.clone()) { By::Reader } else { by };
                let (org_name, credits_lost) = (Quoted::name(&event.org_name), event.credits_lost);
                Ok(to_person(event.user_id, templates::OrganisationDeleted { org_name, by, credits_lost }))
            }
            EventData::QuotaExceeded(event) => Ok(to_person(event.user_id.clone(), quota(&event))),
            EventData::PaymentDisputed(event) => {
                let (cents, credits) = (event.amount_cents, event.credits);
                let mail = |org, org_name| PaymentDisputed { org, org_name, cents, credits };
                to_members(table, event.org_id, &PAYERS, mail).await
            }
            EventData::PaymentRefunded(event) => {
                let (cents, credits, balance) = (event.amount_cents, event.credits, event.balance);
                let mail = |org, org_name| PaymentRefunded { org, org_name, cents, credits, balance };
                to_members(table, event.org_id, &PAYERS, mail).await
            }
            EventData::WalletLow(event) => {
                // A balance below zero comes from credits taken back. The mail shows it as nothing left.
                let (percent, balance) = (event.percent, u64::try_from(event.balance).unwrap_or(0));
                let mail = |org, org_name| WalletLow { org, org_name, percent, balance };
                to_members(table, event.org_id, &PAYERS, mail).await
            }
            EventData::AccountClosed(_)
            | EventData::AccountExportRequested(_)
            | EventData::EndpointTest(_)
            | EventData::FileReady(_)
            | EventData::FileRejected(_)
            | EventData::FileDeleted(_)
            | EventData::FileUnpublished(_)
            | EventData::JobRequested(_)
            | EventData::KeyRotated(_)
            | EventData::KeyDeleted(_)
            | EventData::PaymentDisputeWon(_)
            | EventData::StatsReady(_)
            | EventData::StorageReconciled(_)
            | EventData::WalletToppedUp(_) => Ok(Vec::new()),
        }
    }
}

/// Roles that get the mails about payments.
const PAYERS: [OrgRole; 2] = [OrgRole::Owner, OrgRole::Billing];

fn to_person(user: UserId, template: impl MailTemplate + 'static) -> Vec<Addressed> {
    vec![(Recipient::Person(user), Box::new(template))]
}

/// Addresses a mail to every member with one of the roles. Returns no mails if the organisation no longer exists.
async fn to_members<F, T>(
    table: &F,
    org: OrgId,
    roles: &[OrgRole],
    mail: impl Fn(OrgId, Quoted) -> T,
) -> Result<Vec<Addressed>, Fault>
where
    F: GetOrg + ListMembers,
    T: MailTemplate + 'static,
{
    let Some(known) = table.get_org(org).await? else { return Ok(Vec::new()) };
    let members = members_in(table, org, roles).await?;
    Ok(members.into_iter().flat_map(|member| to_person(member, mail(org, Quoted::name(&known.name)))).collect())
}

/// Addresses a mail to the owners of a key's organisation. It says who changed the key.
async fn about_key<F, T>(
    table: &F,
    event: &KeyEvent,
    mail: impl Fn(OrgId, Quoted, Quoted, By) -> T,
) -> Result<Vec<Addressed>, Fault>
where
    F: GetOrg + GetProfile + ListMembers,
    T: MailTemplate + 'static,
{
    let Some(Organisation { id, name, .. }) = table.get_org(event.org_id).await? else { return Ok(Vec::new()) };
    let by = by(table, &event.actor).await?;
    let owners = members_in(table, id, &[OrgRole::Owner]).await?;
    let to_each = owners.into_iter().flat_map(|owner| {
        let by = if event.actor == Actor::User(owner.clone()) { By::Reader } else { by.clone() };
        to_person(owner, mail(id, Quoted::name(&name), Quoted::name(&event.name), by))
    });
    Ok(to_each.collect())
}

/// Returns who acted, for a mail.
async fn by(profiles: &impl GetProfile, actor: &Actor) -> Result<By, Fault> {
    Ok(match actor {
        Actor::User(user) => {
            let name = profiles.get_profile(user).await?.contact().and_then(|contact| contact.name.clone());
            name.map_or(By::Member, |name| By::Person(Quoted::name(&name)))
        }
        Actor::Operator(_) | Actor::Service(_) => By::Operator,
    })
}

/// Addresses a mail to the owner of keys that were migrated from an older installation.
async fn about_migration<F: GetOrg>(
    table: &F,
    event: KeyMigrationEvent,
    reminder: bool,
) -> Result<Vec<Addressed>, Fault> {
    let KeyMigrationEvent { org_id: org, user_id, keys: listed, total: keys, until } = event;
    let Some(known) = table.get_org(org).await? else { return Ok(Vec::new()) };
    let org_name = Quoted::name(&known.name);
    let names = listed.iter().map(|key| Quoted::name(&key.name)).collect();
    Ok(if reminder {
        to_person(user_id, KeyMigrationReminder { org, org_name, keys, names, until })
    } else {
        to_person(user_id, KeyMigrationStart { org, org_name, keys, names, until })
    })
}

/// Addresses the mail of an invitation. Returns `None` if the invitation is no longer open, or if its sender may no longer
/// invite. The token is derived here, and only this mail contains it.
async fn invitation<F>(
    table: &F,
    tokens: &InvitationTokens,
    event: &InvitationCreated,
    now: Timestamp,
) -> Result<Option<Addressed>, Fault>
where
    F: GetOrg + GetProfile + GetMember + GetInvitation,
{
    let (org, id) = (event.org_id, event.invitation_id);
    let found = table.get_invitation(org, id).await?.filter(|invitation| invitation.is_open(now));
    let (Some(invitation), Some(org)) = (found, table.get_org(org).await?) else { return Ok(None) };
    let place = table.get_member(org.id, &invitation.invited_by).await?;
    if place.is_none_or(|inviter| !inviter.role.may_invite(invitation.role)) {
        return Ok(None);
    }
    let inviter = table.get_profile(&invitation.invited_by).await?;
    let inviter = inviter.contact();
    let template = templates::Invitation {
        org_name: Quoted::name(&org.name),
        inviter: inviter.and_then(|contact| contact.name.as_deref()).map(Quoted::name),
        role: invitation.role,
        token: tokens.derive(org.id, id).expose().to_owned(),
        until: invitation.expires_at,
    };
    let language = inviter.map(|contact| contact.language).unwrap_or_default();
    Ok(Some((Recipient::Invited(invitation.email, language), Box::new(template))))
}

/// Addresses the mails about an order that is complete: to the customer, and to those who work on orders.
async fn order(
    table: &impl GetOrder,
    event: &OrderSubmitted,
    desk: Option<&EmailAddress>,
) -> Result<Vec<Addressed>, Fault> {
    let Some(order) = table.get_order(event.order_id).await? else { return Ok(Vec::new()) };
    let (order_id, again) = (event.order_id.to_string(), event.submission > 1);
    let mut mails: Vec<Addressed> = Vec::new();
    if let (Some(email), Some(current)) = (order.email, order.current) {
        let template = templates::OrderReceived { order: order_id.clone(), again };
        mails.push((Recipient::Customer(email, current.language), Box::new(template)));
    }
    if let Some(desk) = desk {
        mails.push((Recipient::Desk(desk.clone()), Box::new(templates::OrderNew { order: order_id, again })));
    }
    Ok(mails)
}

/// Returns the members of an organisation that have one of the roles.
async fn members_in(orgs: &impl ListMembers, org: OrgId, roles: &[OrgRole]) -> Result<Vec<UserId>, Fault> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = orgs.list_members(org, &PageAsk { limit: MEMBERS, after }).await?;
        found.extend(page.items.into_iter().filter(|member| roles.contains(&member.role)).map(|member| member.user));
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

/// Returns the anomaly for the mail. `None` when the event lacks the name of its key.
fn facts(event: &KeyAnomaly) -> Option<AnomalyFacts> {
    let key_name = event.name.as_deref().map(Quoted::name);
    match event.anomaly {
        Anomaly::Countries { countries, .. } => {
            Some(AnomalyFacts::Countries { key_name: key_name?, countries: countries as u64 })
        }
        Anomaly::KeysCreated { keys, .. } => Some(AnomalyFacts::Keys(keys as u64)),
        Anomaly::UsageJump { calls, median, .. } => Some(AnomalyFacts::Jump { key_name: key_name?, calls, median }),
    }
}

fn quota(event: &QuotaExceeded) -> Quota80 {
    let &QuotaExceeded { percent, used, limit, .. } = event;
    // A large file may go far beyond the threshold, so the mail names the percentage that was reached.
    let reached = used.saturating_mul(100).checked_div(limit).and_then(|share| u8::try_from(share).ok());
    Quota80 { quota: Quota::Storage, percent: reached.unwrap_or(percent), used, limit }
}
