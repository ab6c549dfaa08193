//! What leads to letters: events of the bus, read, and turned into a letter a recipient.

use consigne_auth::InvitationTokens;
use consigne_core::audit::Actor;
use consigne_core::events::EventKind;
use consigne_core::files::Kind;
use consigne_core::jobs::CANCELLED;
use consigne_core::mail::MailId;
use consigne_core::orgs::OrgRole;
use consigne_core::ports::{GetInvitation, GetMember, GetOrg, GetProfile, ListMembers, PageAsk};
use consigne_core::profiles::Language;
use consigne_core::{EmailAddress, EventId, Fault, InvitationId, OrgId, Timestamp, UserId};
use consigne_messaging::mail::templates::{
    self, By, JobCompleted, JobFailed, KeyCreated, KeyRevoked, PaymentDisputed, PaymentRefunded, WalletLow,
};
use consigne_messaging::mail::{MailTemplate, Quoted};
use serde::Deserialize;
use serde_json::Value;

use crate::notice::Notice;

/// Most members read at once, looking for owners.
const MEMBERS: u32 = 100;

/// An event as `EventBridge` puts it on the queue. Source: Amazon `EventBridge` user guide, "Events".
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Envelope {
    detail_type: String,
    detail: Value,
}

/// What every event has.
#[derive(Deserialize)]
struct Stamp {
    event_id: String,
}

#[derive(Deserialize)]
struct JobDetail {
    job_id: String,
    user_id: String,
    kind: String,
    title: String,
    error: Option<JobError>,
}

#[derive(Deserialize)]
struct JobError {
    code: String,
    message: Option<String>,
}

#[derive(Deserialize)]
struct KeyDetail {
    org_id: String,
    name: String,
    actor: String,
}

#[derive(Deserialize)]
struct DisputeDetail {
    org_id: String,
    amount_cents: u64,
    credits: u64,
}

#[derive(Deserialize)]
struct RefundDetail {
    org_id: String,
    amount_cents: u64,
    credits: u64,
    balance: i64,
}

#[derive(Deserialize)]
struct LowDetail {
    org_id: String,
    percent: u8,
    balance: i64,
}

#[derive(Deserialize)]
struct InvitationDetail {
    org_id: String,
    invitation_id: String,
}

/// An event, and what it is about.
#[derive(Debug)]
pub(crate) struct Occasion {
    /// Which event; one mail of it reaches each recipient.
    pub(crate) event: EventId,
    /// Its name on the bus.
    pub(crate) kind: String,
    what: What,
}

#[derive(Debug)]
enum What {
    JobCompleted {
        user: UserId,
        template: JobCompleted,
    },
    JobFailed {
        user: UserId,
        template: JobFailed,
    },
    KeyIssued(Key),
    KeyRevoked(Key),
    Disputed {
        org: OrgId,
        cents: u64,
        credits: u64,
    },
    Refunded {
        org: OrgId,
        cents: u64,
        credits: u64,
        balance: i64,
    },
    Low {
        org: OrgId,
        percent: u8,
        balance: u64,
    },
    Invited {
        org: OrgId,
        id: InvitationId,
    },
    Noticed(Notice),
    /// Nothing anybody is written about.
    Nothing,
}

#[derive(Debug)]
struct Key {
    org: OrgId,
    name: Quoted,
    actor: Actor,
}

/// Whom a letter is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recipient {
    /// A person, wherever they are reached by now.
    Person(UserId),
    /// An address that somebody was invited at, and the language of whoever invites.
    Invited(EmailAddress, Language),
}

impl Recipient {
    /// Names the mail of an event to them.
    pub(crate) fn mail(&self, event: EventId) -> MailId {
        match self {
            Self::Person(user) => MailId::new(event, user.as_str()),
            Self::Invited(email, _) => MailId::new(event, email.as_str()),
        }
    }

    /// Gives who they are, if that is known.
    pub(crate) fn person(&self) -> Option<&UserId> {
        match self {
            Self::Person(user) => Some(user),
            Self::Invited(..) => None,
        }
    }
}

/// A letter and whom it is for.
pub(crate) type Addressed = (Recipient, Box<dyn MailTemplate>);

impl Occasion {
    /// Reads a message; the reason holds nothing of what stands in it.
    pub(crate) fn parse(body: &str) -> Result<Self, String> {
        let envelope: Envelope = serde_json::from_str(body).map_err(|error| odd("event", &error))?;
        let stamp: Stamp = detail(&envelope)?;
        let event = EventId::parse(&stamp.event_id).ok_or("event_id is malformed")?;
        let kind = EventKind::ALL.into_iter().find(|kind| kind.name() == envelope.detail_type);
        let what = match kind {
            Some(EventKind::JobCompleted) => {
                let (user, job, kind, title, _) = job(detail(&envelope)?)?;
                What::JobCompleted { user, template: JobCompleted { job, kind, title } }
            }
            Some(EventKind::JobFailed) => match job(detail(&envelope)?)? {
                // Its owner did that.
                (.., Some(error)) if error.code == CANCELLED => What::Nothing,
                (user, job, kind, title, error) => {
                    let reason = error.and_then(|error| error.message).map(|message| Quoted::sentence(&message));
                    What::JobFailed { user, template: JobFailed { job, kind, title, reason } }
                }
            },
            Some(EventKind::KeyIssued) => What::KeyIssued(key(&detail(&envelope)?)?),
            Some(EventKind::KeyRevoked) => What::KeyRevoked(key(&detail(&envelope)?)?),
            Some(EventKind::PaymentDisputed) => disputed(&detail(&envelope)?)?,
            Some(EventKind::PaymentRefunded) => refunded(&detail(&envelope)?)?,
            Some(EventKind::WalletLow) => low(&detail(&envelope)?)?,
            Some(EventKind::InvitationCreated) => invited(&detail(&envelope)?)?,
            Some(EventKind::KeyMigrationStarted) => What::Noticed(Notice::migration(&detail(&envelope)?, false)?),
            Some(EventKind::KeyMigrationReminder) => What::Noticed(Notice::migration(&detail(&envelope)?, true)?),
            Some(EventKind::KeyAnomaly) => What::Noticed(Notice::anomaly(detail(&envelope)?)?),
            Some(EventKind::EndpointDisabled) => What::Noticed(Notice::endpoint(&detail(&envelope)?)?),
            Some(EventKind::QuotaExceeded) => What::Noticed(Notice::quota(&detail(&envelope)?)?),
            _ => What::Nothing,
        };
        Ok(Self { event, kind: envelope.detail_type, what })
    }

    /// Writes the letters it leads to: to a job's owner, to the owners of a key's organisation, to who pays for it,
    /// to whoever is invited or must take notice.
    pub(crate) async fn mails<F>(
        self,
        table: &F,
        tokens: &InvitationTokens,
        now: Timestamp,
    ) -> Result<Vec<Addressed>, Fault>
    where
        F: GetOrg + GetProfile + GetMember + ListMembers + GetInvitation,
    {
        Ok(match self.what {
            What::JobCompleted { user, template } => vec![(Recipient::Person(user), Box::new(template))],
            What::JobFailed { user, template } => vec![(Recipient::Person(user), Box::new(template))],
            What::Invited { org, id } => invitation(table, tokens, org, id, now).await?.into_iter().collect(),
            What::KeyIssued(key) => {
                key.mails(table, |org, org_name, key_name, by| Box::new(KeyCreated { org, org_name, key_name, by }))
                    .await?
            }
            What::KeyRevoked(key) => {
                key.mails(table, |org, org_name, key_name, by| Box::new(KeyRevoked { org, org_name, key_name, by }))
                    .await?
            }
            What::Disputed { org, cents, credits } => {
                to_payers(table, org, |org_name| Box::new(PaymentDisputed { org, org_name, cents, credits })).await?
            }
            What::Refunded { org, cents, credits, balance } => {
                let template = |org_name| PaymentRefunded { org, org_name, cents, credits, balance };
                to_payers(table, org, |org_name| Box::new(template(org_name))).await?
            }
            What::Low { org, percent, balance } => {
                to_payers(table, org, |org_name| Box::new(WalletLow { org, org_name, percent, balance })).await?
            }
            What::Noticed(notice) => notice.mails(table).await?,
            What::Nothing => Vec::new(),
        })
    }
}

impl Key {
    async fn mails<F>(
        self,
        table: &F,
        template: impl Fn(OrgId, Quoted, Quoted, By) -> Box<dyn MailTemplate>,
    ) -> Result<Vec<Addressed>, Fault>
    where
        F: GetOrg + GetProfile + ListMembers,
    {
        let Some(org) = table.get_org(self.org).await? else { return Ok(Vec::new()) };
        let by = match &self.actor {
            Actor::User(user) => {
                let name = table.get_profile(user).await?.contact().and_then(|contact| contact.name.clone());
                name.map_or(By::Member, |name| By::Person(Quoted::name(&name)))
            }
            Actor::Operator(_) | Actor::Service(_) => By::Operator,
        };
        let owners = members_in(table, self.org, &[OrgRole::Owner]).await?;
        let to_each = owners.into_iter().map(|owner| {
            let by = if self.actor == Actor::User(owner.clone()) { By::Reader } else { by.clone() };
            let template = template(self.org, Quoted::name(&org.name), self.name.clone(), by);
            (Recipient::Person(owner), template)
        });
        Ok(to_each.collect())
    }
}

/// Writes to the address that was invited, unless the invitation is worth nothing by now: it has ended, or who sent it could
/// not send it any more. Its token is made here and goes nowhere else.
async fn invitation<F>(
    table: &F,
    tokens: &InvitationTokens,
    org: OrgId,
    id: InvitationId,
    now: Timestamp,
) -> Result<Option<Addressed>, Fault>
where
    F: GetOrg + GetProfile + GetMember + GetInvitation,
{
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

/// Writes to everybody who pays for an organisation: its owners, and who sees to its bills.
async fn to_payers<F>(
    table: &F,
    org: OrgId,
    template: impl Fn(Quoted) -> Box<dyn MailTemplate>,
) -> Result<Vec<Addressed>, Fault>
where
    F: GetOrg + ListMembers,
{
    let Some(known) = table.get_org(org).await? else { return Ok(Vec::new()) };
    let payers = members_in(table, org, &[OrgRole::Owner, OrgRole::Billing]).await?;
    Ok(payers.into_iter().map(|payer| (Recipient::Person(payer), template(Quoted::name(&known.name)))).collect())
}

/// Gives every member of an organisation in one of some roles.
pub(crate) async fn members_in(orgs: &impl ListMembers, org: OrgId, roles: &[OrgRole]) -> Result<Vec<UserId>, Fault> {
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

fn job(detail: JobDetail) -> Result<(UserId, String, Kind, Quoted, Option<JobError>), String> {
    let user = UserId::parse(&detail.user_id).ok_or("user_id is malformed")?;
    let kind = Kind::from_name(&detail.kind).ok_or("kind is unknown")?;
    Ok((user, detail.job_id, kind, Quoted::name(&detail.title), detail.error))
}

fn key(detail: &KeyDetail) -> Result<Key, String> {
    let org = OrgId::parse(&detail.org_id).ok_or("org_id is malformed")?;
    let actor = Actor::parse(&detail.actor).ok_or("actor is malformed")?;
    Ok(Key { org, name: Quoted::name(&detail.name), actor })
}

fn disputed(detail: &DisputeDetail) -> Result<What, String> {
    let org = OrgId::parse(&detail.org_id).ok_or("org_id is malformed")?;
    Ok(What::Disputed { org, cents: detail.amount_cents, credits: detail.credits })
}

fn refunded(detail: &RefundDetail) -> Result<What, String> {
    let org = OrgId::parse(&detail.org_id).ok_or("org_id is malformed")?;
    let &RefundDetail { amount_cents: cents, credits, balance, .. } = detail;
    Ok(What::Refunded { org, cents, credits, balance })
}

fn low(detail: &LowDetail) -> Result<What, String> {
    let org = OrgId::parse(&detail.org_id).ok_or("org_id is malformed")?;
    // What is below zero was taken back; of what can be spent, nothing is left.
    Ok(What::Low { org, percent: detail.percent, balance: u64::try_from(detail.balance).unwrap_or(0) })
}

fn invited(detail: &InvitationDetail) -> Result<What, String> {
    let org = OrgId::parse(&detail.org_id).ok_or("org_id is malformed")?;
    let id = InvitationId::parse(&detail.invitation_id).ok_or("invitation_id is malformed")?;
    Ok(What::Invited { org, id })
}

fn detail<'a, T: Deserialize<'a>>(envelope: &'a Envelope) -> Result<T, String> {
    T::deserialize(&envelope.detail).map_err(|error| odd("detail", &error))
}

/// Says that something could not be read, without what stands in it: it may be a name.
fn odd(what: &str, error: &serde_json::Error) -> String {
    format!("{what} cannot be read: {:?} error", error.classify())
}
