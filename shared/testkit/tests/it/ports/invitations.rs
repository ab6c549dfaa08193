//! Contract of the ports for invitations: sent within limits and accepted once.

use std::time::Duration;

use consigne_core::audit::{Actor, AuditAction};
use consigne_core::events::{Event, EventData, InvitationCreated};
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome};
use consigne_core::invitations::{DAILY_MAX, INVITER_DAILY_MAX, Invitation, InvitationStatus};
use consigne_core::keys::ChangeContext;
use consigne_core::members::MEMBERS_MAX;
use consigne_core::orgs::{Member, OrgRole};
use consigne_core::periods::Day;
use consigne_core::ports::{
    AcceptInvitation, Acceptance, Accepted, ChangeRole, CreateInvitation, CreateOrg, GetInvitation, GetMember,
    GetProfile, ListAudit, ListInvitations, Listed, NewInvitation, PageAsk, PutMember, RemoveMember, RevokeInvitation,
};
use consigne_core::profiles::{Contact, Language, Sighting};
use consigne_core::{Code, EmailAddress, IdempotencyKey, InvitationId, Timestamp, UserId};
use consigne_testkit::accounts;
use futures_util::future::join_all;
use serde_json::json;

use super::members::fill;
use super::{now, on_both};

/// The ports under test.
pub trait Invitations:
    CreateOrg
    + GetMember
    + PutMember
    + ChangeRole
    + RemoveMember
    + CreateInvitation
    + GetInvitation
    + ListInvitations
    + RevokeInvitation
    + AcceptInvitation
    + GetProfile
    + ListAudit
    + Sync
{
}
impl<T> Invitations for T where
    T: CreateOrg
        + GetMember
        + PutMember
        + ChangeRole
        + RemoveMember
        + CreateInvitation
        + GetInvitation
        + ListInvitations
        + RevokeInvitation
        + AcceptInvitation
        + GetProfile
        + ListAudit
        + Sync
{
}

on_both!(
    consigne_testkit::stack::Stack::table,
    every_field_of_an_invitation_is_stored,
    a_retry_sends_one_invitation,
    an_address_has_one_open_invitation_at_a_time,
    of_many_concurrent_invitations_of_an_address_one_is_sent,
    concurrent_invitations_do_not_exceed_the_limits,
    the_daily_limit_of_a_person_counts_over_all_organisations,
    open_invitations_are_listed_in_pages,
    a_revoked_invitation_cannot_be_accepted,
    an_expired_invitation_cannot_be_accepted,
    an_invitation_is_accepted_by_one_person_once,
    of_two_who_accept_concurrently_one_joins,
    a_member_cannot_accept_an_invitation,
    an_invitation_is_void_once_its_sender_may_no_longer_invite,
    an_invitation_to_a_full_organisation_cannot_be_accepted,
    accepting_stores_the_address_in_the_token,
);

fn address(name: &str) -> EmailAddress {
    EmailAddress::parse(&format!("{name}@example.com")).unwrap()
}

async fn owner(store: &impl Invitations) -> Member {
    let (org, owner) = accounts::found(store, now().minus(Duration::from_hours(24 * 30))).await;
    store.get_member(org, &owner).await.unwrap().unwrap()
}

/// Creates an invitation. Does not store it.
fn new(by: &Member, name: &str, role: OrgRole, at: Timestamp) -> NewInvitation {
    let invitation = Invitation::by(by, address(name), role, at).unwrap();
    let created = InvitationCreated {
        org_id: by.org,
        org_name: "Acme".to_owned(),
        invitation_id: invitation.id,
        actor: Actor::User(by.user.clone()),
    };
    NewInvitation {
        audit: accounts::entry(by.org, AuditAction::MemberInvited, &by.user, at),
        event: Event::new(at, EventData::InvitationCreated(created)),
        invitation,
        idempotent: None,
    }
}

async fn invite(store: &impl Invitations, by: &Member, name: &str, at: Timestamp) -> Invitation {
    let new = new(by, name, OrgRole::Developer, at);
    assert_eq!(store.create_invitation(&new).await.unwrap(), WriteOutcome::Applied);
    new.invitation
}

fn acceptance(invitation: &Invitation, user: &UserId, at: Timestamp) -> Acceptance {
    Acceptance {
        invitation: invitation.clone(),
        member: Member { org: invitation.org, user: user.clone(), role: invitation.role, joined_at: at },
        seen: None,
        audit: accounts::entry(invitation.org, AuditAction::MemberJoined, user, at),
    }
}

async fn accept(store: &impl Invitations, invitation: &Invitation, user: &UserId) -> Accepted {
    store.accept_invitation(&acceptance(invitation, user, now())).await.unwrap()
}

async fn revoke(store: &impl Invitations, invitation: &Invitation, by: &UserId) -> bool {
    let entry = accounts::entry(invitation.org, AuditAction::InvitationRevoked, by, now());
    store.revoke_invitation(invitation, &entry).await.unwrap()
}

/// Returns the actions in the audit log, sorted by name, because entries of one moment have no order.
async fn audit_log(store: &impl Invitations, by: &Member) -> Vec<&'static str> {
    let entries = store.list_audit(by.org, &PageAsk { limit: 1000, after: None }).await.unwrap().items;
    let mut names: Vec<&str> = entries.iter().map(|entry| entry.action.name()).collect();
    names.sort_unstable();
    names
}

async fn every_field_of_an_invitation_is_stored(store: &impl Invitations) {
    let owner = owner(store).await;
    for role in OrgRole::ALL {
        let new = new(&owner, &format!("{}+x", role.name()), role, now());
        assert_eq!(store.create_invitation(&new).await.unwrap(), WriteOutcome::Applied);
        let (org, id) = (owner.org, new.invitation.id);
        assert_eq!(store.get_invitation(org, id).await.unwrap(), Some(new.invitation));
        assert_eq!(store.get_invitation(org, InvitationId::mint(now())).await.unwrap(), None);
        let (other, _) = accounts::found(store, now()).await;
        assert_eq!(store.get_invitation(other, id).await.unwrap(), None, "another organisation's invitation");
    }
}

async fn a_retry_sends_one_invitation(store: &impl Invitations) {
    let owner = owner(store).await;
    let ask = |fingerprint: &str, name: &str| {
        let mut new = new(&owner, name, OrgRole::Admin, now());
        let key = IdempotencyKey { key: "order 17".to_owned(), fingerprint: fingerprint.to_owned() };
        let (caller, result) = (owner.user.clone().into(), new.invitation.id.to_string());
        new.idempotent = Some(IdempotentRequest { key, owner: caller, operation: "test", result });
        new
    };
    let asked: Vec<NewInvitation> = (0..5).map(|_| ask("f", "bob")).collect();
    let outcomes = join_all(asked.iter().map(|new| store.create_invitation(new))).await;
    let outcomes: Vec<WriteOutcome> = outcomes.into_iter().map(Result::unwrap).collect();
    let first = outcomes.iter().position(|written| *written == WriteOutcome::Applied).unwrap();
    let before = WriteOutcome::Replayed(asked[first].invitation.id.to_string());
    assert_eq!(outcomes.iter().filter(|written| **written == before).count(), 4, "{outcomes:?}");
    assert_eq!(store.create_invitation(&ask("f", "bob")).await.unwrap(), before, "a retry some time later");
    for name in ["bob", "eve"] {
        assert_eq!(store.create_invitation(&ask("g", name)).await.unwrap(), WriteOutcome::KeyReused, "{name}");
    }
    assert_eq!(audit_log(store, &owner).await, ["member.invited", "org.created"]);
}

async fn an_address_has_one_open_invitation_at_a_time(store: &impl Invitations) {
    let owner = owner(store).await;
    let first = invite(store, &owner, "bob", now()).await;
    let again = async || {
        let new = new(&owner, "bob", OrgRole::Billing, now());
        store.create_invitation(&new).await.map_err(|fault| fault.code)
    };
    assert_eq!(again().await, Err(Code::Conflict));
    assert!(revoke(store, &first, &owner.user).await);
    assert_eq!(again().await, Ok(WriteOutcome::Applied));
    let (other, eve) = accounts::found(store, now()).await;
    let eve = store.get_member(other, &eve).await.unwrap().unwrap();
    invite(store, &eve, "bob", now()).await;
}

async fn of_many_concurrent_invitations_of_an_address_one_is_sent(store: &impl Invitations) {
    let owner = owner(store).await;
    let asked: Vec<NewInvitation> = (0..8).map(|_| new(&owner, "bob", OrgRole::Billing, now())).collect();
    let outcomes = join_all(asked.iter().map(|new| store.create_invitation(new))).await;
    let codes: Vec<Option<Code>> = outcomes.into_iter().map(|outcome| outcome.err().map(|fault| fault.code)).collect();
    assert_eq!(codes.iter().filter(|code| code.is_none()).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == Some(Code::Conflict)).count(), 7, "{codes:?}");
}

async fn concurrent_invitations_do_not_exceed_the_limits(store: &impl Invitations) {
    let owner = owner(store).await;
    for n in 0..DAILY_MAX - 5 {
        invite(store, &owner, &format!("p{n}"), now()).await;
    }
    let asked: Vec<NewInvitation> = (0..12).map(|n| new(&owner, &format!("q{n}"), OrgRole::Billing, now())).collect();
    let outcomes = join_all(asked.iter().map(|new| store.create_invitation(new))).await;
    let refused: Vec<Code> = outcomes.into_iter().filter_map(Result::err).map(|fault| fault.code).collect();
    assert_eq!(refused, [Code::RateLimited; 7]);
    let tomorrow = now().plus(Duration::from_hours(24));
    invite(store, &owner, "tomorrow", tomorrow).await;
}

async fn the_daily_limit_of_a_person_counts_over_all_organisations(store: &impl Invitations) {
    let (first, at) = (owner(store).await, Day::of(now()).ends().minus(Duration::from_mins(1)));
    let full = DAILY_MAX * 2;
    assert_eq!(full, INVITER_DAILY_MAX as usize);
    for place in 0..2 {
        let member = Member { org: if place == 0 { first.org } else { owner(store).await.org }, ..first.clone() };
        for n in 0..DAILY_MAX {
            invite(store, &member, &format!("p{n}"), at).await;
        }
    }
    let (third, other) = (Member { org: owner(store).await.org, ..first.clone() }, owner(store).await);
    for _ in 0..2 {
        let fault = store.create_invitation(&new(&third, "bob", OrgRole::Developer, at)).await.unwrap_err();
        assert_eq!((fault.code, &fault.details["limit"]), (Code::RateLimited, &json!(100)));
        assert_eq!(fault.details["resets_at"], json!(Day::of(at).ends()));
    }
    let nothing = store.list_invitations(third.org, at, &PageAsk { limit: 10, after: None }).await.unwrap();
    assert!(nothing.items.is_empty());
    invite(store, &other, "bob", at).await;
    invite(store, &third, "bob", Day::of(at).ends()).await;
}

async fn open_invitations_are_listed_in_pages(store: &impl Invitations) {
    let owner = owner(store).await;
    let (start, mut sent) = (now().minus(Duration::from_mins(10)), Vec::new());
    for n in 0..6 {
        sent.push(invite(store, &owner, &format!("p{n}"), start.plus(Duration::from_mins(n))).await);
    }
    assert!(revoke(store, &sent[2], &owner.user).await);
    assert_eq!(accept(store, &sent[4], &accounts::person()).await, Accepted::Joined);
    let ask = async |at: Timestamp, after: Option<String>| -> Listed<Invitation> {
        store.list_invitations(owner.org, at, &PageAsk { limit: 3, after }).await.unwrap()
    };
    let one = ask(now(), None).await;
    let two = ask(now(), one.next.clone()).await;
    assert_eq!((one.total, two.total, &two.next), (Some(4), Some(4), &None));
    let got: Vec<InvitationId> = one.items.iter().chain(&two.items).map(|invitation| invitation.id).collect();
    assert_eq!(got, [sent[5].id, sent[3].id, sent[1].id, sent[0].id]);
    // The first two have expired by then.
    let late = ask(sent[1].expires_at, None).await;
    assert_eq!(late.items.iter().map(|invitation| invitation.id).collect::<Vec<_>>(), [sent[5].id, sent[3].id]);
}

async fn a_revoked_invitation_cannot_be_accepted(store: &impl Invitations) {
    let owner = owner(store).await;
    let (invitation, guest) = (invite(store, &owner, "bob", now()).await, accounts::person());
    assert!(revoke(store, &invitation, &owner.user).await);
    assert!(!revoke(store, &invitation, &owner.user).await, "a second revocation finds nothing");
    assert_eq!(accept(store, &invitation, &guest).await, Accepted::Conflict);
    assert_eq!(store.get_member(owner.org, &guest).await.unwrap(), None);
    let stored = store.get_invitation(owner.org, invitation.id).await.unwrap().unwrap();
    assert_eq!(stored.status, InvitationStatus::Revoked);
    assert_eq!(audit_log(store, &owner).await, ["invitation.revoked", "member.invited", "org.created"]);
}

async fn an_expired_invitation_cannot_be_accepted(store: &impl Invitations) {
    let owner = owner(store).await;
    let (invitation, guest) = (invite(store, &owner, "bob", now()).await, accounts::person());
    let late = acceptance(&invitation, &guest, invitation.expires_at);
    assert_eq!(store.accept_invitation(&late).await.unwrap(), Accepted::Conflict);
    let entry = accounts::entry(owner.org, AuditAction::InvitationRevoked, &owner.user, invitation.expires_at);
    assert!(!store.revoke_invitation(&invitation, &entry).await.unwrap());
    let just = acceptance(&invitation, &guest, invitation.expires_at.minus(Duration::from_millis(1)));
    assert_eq!(store.accept_invitation(&just).await.unwrap(), Accepted::Joined);
}

async fn an_invitation_is_accepted_by_one_person_once(store: &impl Invitations) {
    let owner = owner(store).await;
    let (invitation, guest, other) =
        (invite(store, &owner, "bob", now()).await, accounts::person(), accounts::person());
    let taken = acceptance(&invitation, &guest, now());
    assert_eq!(store.accept_invitation(&taken).await.unwrap(), Accepted::Joined);
    assert_eq!(store.get_member(owner.org, &guest).await.unwrap(), Some(taken.member.clone()));
    let stored = store.get_invitation(owner.org, invitation.id).await.unwrap().unwrap();
    assert_eq!(stored, Invitation { status: InvitationStatus::Accepted(guest.clone()), ..invitation.clone() });
    assert_eq!(store.accept_invitation(&taken).await.unwrap(), Accepted::Conflict);
    assert_eq!(accept(store, &invitation, &other).await, Accepted::Conflict);
    assert_eq!(store.get_member(owner.org, &other).await.unwrap(), None);
    assert!(!revoke(store, &invitation, &owner.user).await);
    assert_eq!(audit_log(store, &owner).await, ["member.invited", "member.joined", "org.created"]);
    // A removed member cannot return with it.
    let origin = accounts::origin(&owner.user);
    let removal = taken.member.remove(&owner, &ChangeContext { origin: &origin, now: now() }).unwrap();
    store.remove_member(&removal).await.unwrap();
    assert_eq!(accept(store, &invitation, &guest).await, Accepted::Conflict);
    assert_eq!(store.get_member(owner.org, &guest).await.unwrap(), None);
}

async fn of_two_who_accept_concurrently_one_joins(store: &impl Invitations) {
    let owner = owner(store).await;
    for n in 0..5 {
        let invitation = invite(store, &owner, &format!("p{n}"), now()).await;
        let (one, two) = (accounts::person(), accounts::person());
        let outcomes = tokio::join!(accept(store, &invitation, &one), accept(store, &invitation, &two));
        assert!(
            [(Accepted::Joined, Accepted::Conflict), (Accepted::Conflict, Accepted::Joined)].contains(&outcomes),
            "{outcomes:?}"
        );
        let places =
            [store.get_member(owner.org, &one).await.unwrap(), store.get_member(owner.org, &two).await.unwrap()];
        assert_eq!(places.iter().flatten().count(), 1);
    }
}

async fn a_member_cannot_accept_an_invitation(store: &impl Invitations) {
    let owner = owner(store).await;
    let member = Member { org: owner.org, user: accounts::person(), role: OrgRole::Billing, joined_at: now() };
    let entry = accounts::entry(owner.org, AuditAction::MemberJoined, &member.user, now());
    store.put_member(&member, &entry).await.unwrap();
    let invitation = invite(store, &owner, "bob", now()).await;
    assert_eq!(accept(store, &invitation, &member.user).await, Accepted::Member);
    assert_eq!(store.get_member(owner.org, &member.user).await.unwrap(), Some(member), "the role must not change");
    let stored = store.get_invitation(owner.org, invitation.id).await.unwrap().unwrap();
    assert_eq!(stored.status, InvitationStatus::Open);
}

async fn an_invitation_is_void_once_its_sender_may_no_longer_invite(store: &impl Invitations) {
    let owner = owner(store).await;
    let admin = Member { org: owner.org, user: accounts::person(), role: OrgRole::Admin, joined_at: now() };
    let entry = accounts::entry(owner.org, AuditAction::MemberJoined, &admin.user, now());
    store.put_member(&admin, &entry).await.unwrap();
    let invitation = invite(store, &admin, "bob", now()).await;
    let (origin, guest) = (accounts::origin(&owner.user), accounts::person());
    let when = ChangeContext { origin: &origin, now: now() };
    let step = admin.assign(OrgRole::Developer, &owner, &when).unwrap().unwrap();
    store.change_role(&step).await.unwrap();
    assert_eq!(accept(store, &invitation, &guest).await, Accepted::Withdrawn, "a developer may not invite");
    let developer = Member { role: OrgRole::Developer, ..admin };
    store.remove_member(&developer.remove(&owner, &when).unwrap()).await.unwrap();
    assert_eq!(accept(store, &invitation, &guest).await, Accepted::Withdrawn);
    assert_eq!(store.get_member(owner.org, &guest).await.unwrap(), None);
    let stored = store.get_invitation(owner.org, invitation.id).await.unwrap().unwrap();
    assert_eq!(stored.status, InvitationStatus::Open);
}

async fn an_invitation_to_a_full_organisation_cannot_be_accepted(store: &impl Invitations) {
    let owner = owner(store).await;
    let invitation = invite(store, &owner, "bob", now()).await;
    let people = fill(store, owner.org).await;
    assert_eq!(accept(store, &invitation, &accounts::person()).await, Accepted::Full);
    let refused = store.create_invitation(&new(&owner, "eve", OrgRole::Billing, now())).await.unwrap_err();
    assert_eq!((refused.code, &refused.details["limit"]), (Code::Conflict, &json!(MEMBERS_MAX)));
    let origin = accounts::origin(&owner.user);
    let removal = people[3].remove(&owner, &ChangeContext { origin: &origin, now: now() }).unwrap();
    store.remove_member(&removal).await.unwrap();
    assert_eq!(accept(store, &invitation, &accounts::person()).await, Accepted::Joined);
}

async fn accepting_stores_the_address_in_the_token(store: &impl Invitations) {
    let owner = owner(store).await;
    let (invitation, guest) = (invite(store, &owner, "bob", now()).await, accounts::person());
    let contact = Contact {
        email: "bob@example.com".to_owned(),
        verified: true,
        name: Some("Bob".to_owned()),
        language: Language::French,
        at: now(),
    };
    let seen = Some(Sighting { user: guest.clone(), contact: contact.clone() });
    let taken = Acceptance { seen, ..acceptance(&invitation, &guest, now()) };
    assert_eq!(store.accept_invitation(&taken).await.unwrap(), Accepted::Joined);
    let profile = store.get_profile(&guest).await.unwrap();
    assert_eq!(profile.from_token, Some(contact), "their address is stored from their token");
}
