//! Tests the limits of invitations, and who can accept one.

use proptest::prelude::*;

use super::*;
use crate::audit::{Actor, Origin};

fn at(minutes: u64) -> Timestamp {
    Timestamp::from_secs(1_795_257_000).plus(Duration::from_mins(minutes))
}

fn user(name: &str) -> UserId {
    UserId::parse(&format!("user_{name}")).unwrap()
}

fn sender(role: OrgRole) -> Member {
    let org = OrgId::parse("org_01M7YREWKH7VM7Z3Z2KWSH2FTR").unwrap();
    Member { org, user: user("ann"), role, joined_at: at(0) }
}

fn to(name: &str, minutes: u64) -> Invitation {
    let email = EmailAddress::parse(&format!("{name}@example.com")).unwrap();
    Invitation::by(&sender(OrgRole::Owner), email, OrgRole::Billing, at(minutes)).unwrap()
}

fn ended(invitation: Invitation, status: InvitationStatus) -> Invitation {
    Invitation { status, ..invitation }
}

#[test]
fn an_invitation_can_be_accepted_for_a_week_by_one_person() {
    let (bob, eve) = (user("bob"), user("eve"));
    let open = to("bob", 0);
    let (last, over) = (at(7 * 24 * 60 - 1), at(7 * 24 * 60));
    assert_eq!((open.check_for(&bob, last), open.check_for(&bob, over)), (AcceptCheck::Open, AcceptCheck::Invalid));
    let accepted = ended(open.clone(), InvitationStatus::Accepted(bob.clone()));
    assert_eq!(
        (accepted.check_for(&bob, over), accepted.check_for(&eve, at(1))),
        (AcceptCheck::Accepted, AcceptCheck::Invalid)
    );
    assert_eq!(ended(open, InvitationStatus::Revoked).check_for(&bob, at(1)), AcceptCheck::Invalid);
}

#[test]
fn an_address_has_one_open_invitation() {
    let sent = [to("bob", 0)];
    let code = |invitation: Invitation| invitation.admit(&sent, 1).err().map(|fault| fault.code);
    assert_eq!(code(to("bob", 60)), Some(Code::Conflict));
    assert_eq!(code(to("eve", 60)), None);
    assert_eq!(code(to("bob", 7 * 24 * 60)), None, "the first has expired");
    let sent = [ended(to("bob", 0), InvitationStatus::Revoked)];
    assert!(to("bob", 60).admit(&sent, 1).is_ok());
}

#[test]
fn an_organisation_sends_fifty_in_any_day() {
    // One every ten minutes, each revoked at once.
    let sent: Vec<Invitation> =
        (0..50).map(|n| ended(to(&format!("p{n}"), 10 * n), InvitationStatus::Revoked)).collect();
    let refusal = to("bob", 500).admit(&sent, 1).unwrap_err();
    assert_eq!(refusal.code, Code::RateLimited);
    assert_eq!((&refusal.details["limit"], &refusal.details["resets_at"]), (&json!(50), &json!(at(24 * 60))));
    let wait = (24 * 60 - 500) * 60;
    assert_eq!(refusal.headers[0], ("retry-after", wait.to_string()));
    assert!(to("bob", 24 * 60 - 1).admit(&sent, 1).is_err());
    assert!(to("bob", 24 * 60).admit(&sent, 1).is_ok(), "the first is a day old");
    assert!(to("bob", 500).admit(&sent[1..], 1).is_ok());
}

#[test]
fn an_address_gets_three_in_any_day() {
    let sent: Vec<Invitation> = (0..3).map(|n| ended(to("bob", n), InvitationStatus::Revoked)).collect();
    let refusal = to("bob", 10).admit(&sent, 1).unwrap_err();
    assert_eq!((refusal.code, &refusal.details["limit"]), (Code::RateLimited, &json!(3)));
    assert!(to("eve", 10).admit(&sent, 1).is_ok());
    assert!(to("bob", 24 * 60).admit(&sent, 1).is_ok());
}

#[test]
fn an_organisation_has_a_hundred_open_invitations_and_five_hundred_members_at_most() {
    // A day lies between the two halves, so that only the limit of open invitations applies.
    let sent: Vec<Invitation> = (0..100).map(|n| to(&format!("p{n}"), if n < 50 { 0 } else { 24 * 60 })).collect();
    let later = 48 * 60;
    let refusal = to("bob", later).admit(&sent, 1).unwrap_err();
    assert_eq!((refusal.code, &refusal.details["limit"]), (Code::Conflict, &json!(100)));
    assert!(to("bob", later).admit(&sent[1..], 1).is_ok());
    assert!(to("bob", 7 * 24 * 60).admit(&sent, 1).is_ok(), "half of them have expired");
    let refusal = to("bob", later).admit(&[], MEMBERS_MAX).unwrap_err();
    assert_eq!((refusal.code, &refusal.details["limit"]), (Code::Conflict, &json!(500)));
    assert!(to("bob", later).admit(&[], MEMBERS_MAX - 1).is_ok());
}

#[test]
fn whoever_may_send_an_invitation_may_revoke_it() {
    let origin = Origin { actor: Actor::Service("test".to_owned()), ip: None, user_agent: None, plan: None };
    let email = || EmailAddress::parse("bob@example.com").unwrap();
    for role in OrgRole::ALL {
        let invitation = Invitation { role, ..to("bob", 0) };
        for by in OrgRole::ALL.map(sender) {
            let may = by.role.may_invite(role);
            assert_eq!(Invitation::by(&by, email(), role, at(0)).is_ok(), may);
            let when = ChangeContext { origin: &origin, now: at(1) };
            assert_eq!(invitation.revoke(&by, &when).is_ok(), may);
            let late = ChangeContext { origin: &origin, now: at(7 * 24 * 60) };
            assert_eq!(invitation.revoke(&by, &late).unwrap_err().code, Code::NotFound);
        }
    }
}

proptest! {
    /// At no time were more than fifty invitations sent within a day, or more than three to one address, or are more
    /// than a hundred open.
    #[test]
    fn no_limit_is_ever_exceeded(tries in prop::collection::vec((0_u64..120, 0_u8..30, any::<bool>()), 0..400)) {
        let (mut sent, mut now): (Vec<Invitation>, u64) = (Vec::new(), 0);
        for (minutes, name, revoke) in tries {
            now += minutes;
            let invitation = to(&format!("p{name}"), now);
            if invitation.admit(&sent, 1).is_ok() {
                let kept = if revoke { ended(invitation, InvitationStatus::Revoked) } else { invitation };
                sent.push(kept);
            }
        }
        for last in &sent {
            let lately: Vec<_> = sent
                .iter()
                .filter(|other| other.created_at <= last.created_at && other.created_at.plus(DAY) > last.created_at)
                .collect();
            prop_assert!(lately.len() <= DAILY_MAX);
            prop_assert!(lately.iter().filter(|other| other.email == last.email).count() <= DAILY_MAX_EACH);
            let open = sent.iter().filter(|other| other.created_at <= last.created_at && other.is_open(last.created_at));
            prop_assert!(open.count() <= OPEN_MAX);
        }
    }
}
