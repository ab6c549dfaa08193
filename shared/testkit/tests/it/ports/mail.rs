//! Contract of the ports for claims of mails, suppressed mailboxes and unsubscriptions.

use std::time::Duration;

use consigne_core::OrgId;
use consigne_core::mail::{
    Address, Claim, Claimed, GATHERED_AN_HOUR, Gathering, LEASE, MailClaim, MailCount, MailEnd, MailId, Suppression,
    Topic,
};
use consigne_core::ports::{ClaimMail, MarkMail, ReleaseMail, SuppressMailbox, Unsubscribe};
use consigne_core::{EventId, Timestamp, UserId};
use futures_util::future::join_all;

use super::{now, on_both, owner};

/// The ports under test.
trait MailStore: ClaimMail + MarkMail + ReleaseMail + SuppressMailbox + Unsubscribe {}
impl<F: ClaimMail + MarkMail + ReleaseMail + SuppressMailbox + Unsubscribe> MailStore for F {}

/// Creates a claim for a mail about a new event to a new person with a new mailbox.
fn ask(now: Timestamp) -> MailClaim {
    let user = owner();
    let address = format!("{}@example.com", user.as_str());
    let mailbox = Address::parse(&address).unwrap().mailbox();
    MailClaim { mail: MailId::new(EventId::mint(now), user.as_str()), mailbox, wanted_by: None, counted_in: None, now }
}

fn at(ask: &MailClaim, now: Timestamp) -> MailClaim {
    MailClaim { now, ..ask.clone() }
}

fn ours(claimed: Claimed) -> Claim {
    match claimed {
        Claimed::Ours(claim) => claim,
        other => panic!("expected a claim, got {other:?}"),
    }
}

on_both!(
    consigne_testkit::stack::Stack::table,
    a_mail_has_one_claim_until_it_is_released,
    of_twenty_concurrent_claims_one_succeeds,
    an_ended_mail_cannot_be_claimed,
    an_abandoned_claim_is_taken_over_once_and_reported,
    a_claim_that_was_taken_over_cannot_be_released_by_its_first_holder,
    a_suppressed_mailbox_gets_no_mail_and_no_claim,
    an_unsubscribed_person_gets_only_other_topics,
    gathered_mails_are_counted_once_each_and_the_last_one_knows_it,
    concurrent_claims_of_gathered_mails_are_counted_exactly,
);

async fn a_mail_has_one_claim_until_it_is_released(post: &impl MailStore) {
    let ask = ask(now());
    let claim = ours(post.claim_mail(&ask).await.unwrap());
    assert_eq!(claim, Claim { mail: ask.mail.clone(), at: ask.now, again: false, gathering: Gathering::None });
    let later = ask.now.plus(LEASE).minus(Duration::from_millis(1));
    assert_eq!(post.claim_mail(&at(&ask, later)).await.unwrap(), Claimed::InHand);
    post.release_mail(&claim).await.unwrap();
    let again = ours(post.claim_mail(&at(&ask, later)).await.unwrap());
    assert!(!again.again, "the mail of a released claim was not sent");
    // A second release changes nothing.
    post.release_mail(&again).await.unwrap();
    post.release_mail(&again).await.unwrap();
    let other = MailClaim { mail: self::ask(ask.now).mail, ..ask.clone() };
    ours(post.claim_mail(&other).await.unwrap());
}

async fn of_twenty_concurrent_claims_one_succeeds(post: &impl MailStore) {
    let ask = ask(now());
    let claimed = join_all((0..20).map(|_| post.claim_mail(&ask))).await;
    let claimed: Vec<Claimed> = claimed.into_iter().map(Result::unwrap).collect();
    assert_eq!(claimed.iter().filter(|claimed| matches!(claimed, Claimed::Ours(_))).count(), 1, "{claimed:?}");
    assert_eq!(claimed.iter().filter(|claimed| **claimed == Claimed::InHand).count(), 19, "{claimed:?}");
}

async fn an_ended_mail_cannot_be_claimed(post: &impl MailStore) {
    for end in [MailEnd::Sent, MailEnd::Refused("Illegal address".to_owned())] {
        let ask = ask(now());
        let claim = ours(post.claim_mail(&ask).await.unwrap());
        post.mark_mail(&claim, &end, ask.now).await.unwrap();
        // Releasing it now, or recording it again, changes nothing.
        post.release_mail(&claim).await.unwrap();
        post.mark_mail(&claim, &end, ask.now).await.unwrap();
        for later in [Duration::ZERO, LEASE, LEASE * 1000] {
            assert_eq!(post.claim_mail(&at(&ask, ask.now.plus(later))).await.unwrap(), Claimed::Done);
        }
        // Even if its mailbox was suppressed since.
        post.suppress_mailbox(&ask.mailbox, Suppression::Bounced, ask.now).await.unwrap();
        assert_eq!(post.claim_mail(&ask).await.unwrap(), Claimed::Done);
    }
}

async fn an_abandoned_claim_is_taken_over_once_and_reported(post: &impl MailStore) {
    let ask = ask(now());
    ours(post.claim_mail(&ask).await.unwrap());
    let late = at(&ask, ask.now.plus(LEASE));
    let claimed = join_all((0..10).map(|_| post.claim_mail(&late))).await;
    let claimed: Vec<Claimed> = claimed.into_iter().map(Result::unwrap).collect();
    let won: Vec<&Claimed> = claimed.iter().filter(|claimed| **claimed != Claimed::InHand).collect();
    assert_eq!(
        won,
        [&Claimed::Ours(Claim { mail: ask.mail.clone(), at: late.now, again: true, gathering: Gathering::None })]
    );
}

async fn a_claim_that_was_taken_over_cannot_be_released_by_its_first_holder(post: &impl MailStore) {
    let ask = ask(now());
    let first = ours(post.claim_mail(&ask).await.unwrap());
    let late = at(&ask, ask.now.plus(LEASE));
    let second = ours(post.claim_mail(&late).await.unwrap());
    post.release_mail(&first).await.unwrap();
    assert_eq!(post.claim_mail(&late).await.unwrap(), Claimed::InHand);
    // A mail that the first claimant has sent in the meantime counts as sent.
    post.mark_mail(&first, &MailEnd::Sent, late.now).await.unwrap();
    post.release_mail(&second).await.unwrap();
    assert_eq!(post.claim_mail(&at(&ask, late.now.plus(LEASE))).await.unwrap(), Claimed::Done);
}

async fn a_suppressed_mailbox_gets_no_mail_and_no_claim(post: &impl MailStore) {
    let ask = ask(now());
    for why in [Suppression::Bounced, Suppression::Complained, Suppression::Bounced] {
        post.suppress_mailbox(&ask.mailbox, why, ask.now).await.unwrap();
        assert_eq!(post.claim_mail(&ask).await.unwrap(), Claimed::Suppressed);
    }
    // There is no claim, so another mailbox of the same person gets the mail.
    let moved = MailClaim { mailbox: self::ask(ask.now).mailbox, ..ask.clone() };
    ours(post.claim_mail(&moved).await.unwrap());
}

async fn an_unsubscribed_person_gets_only_other_topics(post: &impl MailStore) {
    let (ann, eve) = (owner(), owner());
    let asks = |user: &UserId, topic| MailClaim { wanted_by: Some((user.clone(), topic)), ..ask(now()) };
    ours(post.claim_mail(&asks(&ann, Topic::Jobs)).await.unwrap());
    for _ in 0..2 {
        post.unsubscribe(&ann, Topic::Jobs, now()).await.unwrap();
        assert_eq!(post.claim_mail(&asks(&ann, Topic::Jobs)).await.unwrap(), Claimed::Unsubscribed);
    }
    ours(post.claim_mail(&asks(&ann, Topic::Limits)).await.unwrap());
    ours(post.claim_mail(&asks(&eve, Topic::Jobs)).await.unwrap());
    ours(post.claim_mail(&ask(now())).await.unwrap());
}

/// Creates claims for gathered mails of one kind about new events to one person.
fn gathered(count: u32) -> Vec<MailClaim> {
    let first = ask(now());
    let counted_in = Some(MailCount::of(OrgId::mint(first.now), "key-created", first.now));
    let claim = |_| MailClaim { mail: ask(first.now).mail, counted_in: counted_in.clone(), ..first.clone() };
    (0..count).map(claim).collect()
}

async fn gathered_mails_are_counted_once_each_and_the_last_one_knows_it(post: &impl MailStore) {
    let asks = gathered(GATHERED_AN_HOUR + 1);
    let (fit, more) = asks.split_at(GATHERED_AN_HOUR as usize);
    for (at, ask) in fit.iter().enumerate() {
        let claim = ours(post.claim_mail(ask).await.unwrap());
        let last = at + 1 == fit.len();
        assert_eq!(claim.gathering, if last { Gathering::Last } else { Gathering::Counted }, "{at}");
        // A released mail can be claimed again at once, and is not counted again.
        post.release_mail(&claim).await.unwrap();
        let again = ours(post.claim_mail(ask).await.unwrap());
        assert_eq!((again.gathering, again.again), (claim.gathering, false), "{at}");
        if at == 0 {
            assert_eq!(post.claim_mail(ask).await.unwrap(), Claimed::InHand);
            post.mark_mail(&again, &MailEnd::Sent, ask.now).await.unwrap();
            assert_eq!(post.claim_mail(ask).await.unwrap(), Claimed::Done);
        }
    }
    assert_eq!(post.claim_mail(&more[0]).await.unwrap(), Claimed::Gathered);
    let last = &fit[fit.len() - 1];
    let late = ours(post.claim_mail(&at(last, last.now.plus(LEASE))).await.unwrap());
    assert_eq!((late.gathering, late.again), (Gathering::Last, true), "an abandoned last mail still says so");
    let hour = Duration::from_hours(1);
    let counted_in = more[0].counted_in.clone().map(|count| MailCount { hour: count.hour.plus(hour), ..count });
    let next = ours(post.claim_mail(&MailClaim { counted_in, ..more[0].clone() }).await.unwrap());
    assert_eq!(next.gathering, Gathering::Counted, "an event of the next hour");
    let other = MailClaim { mail: ask(now()).mail, counted_in: None, ..more[0].clone() };
    assert_eq!(ours(post.claim_mail(&other).await.unwrap()).gathering, Gathering::None, "another kind");
}

async fn concurrent_claims_of_gathered_mails_are_counted_exactly(post: &impl MailStore) {
    let asks = gathered(GATHERED_AN_HOUR + 5);
    let all = join_all(asks.iter().map(|ask| post.claim_mail(ask))).await;
    let count = |want: &dyn Fn(&Claimed) -> bool| all.iter().filter(|claimed| want(claimed.as_ref().unwrap())).count();
    let counted = count(&|claimed| matches!(claimed, Claimed::Ours(claim) if claim.gathering == Gathering::Counted));
    let last = count(&|claimed| matches!(claimed, Claimed::Ours(claim) if claim.gathering == Gathering::Last));
    let gathered = count(&|claimed| *claimed == Claimed::Gathered);
    assert_eq!((counted, last, gathered), (GATHERED_AN_HOUR as usize - 1, 1, 5), "{all:?}");
}
