//! The contract of claims of mails, suppressed mailboxes and unsubscriptions.

use std::time::Duration;

use consigne_core::mail::{Address, Claim, Claimed, LEASE, MailClaim, MailEnd, MailId, Suppression, Topic};
use consigne_core::ports::{ClaimMail, MarkMail, ReleaseMail, SuppressMailbox, Unsubscribe};
use consigne_core::{EventId, Timestamp, UserId};
use futures_util::future::join_all;

use super::{now, on_both, owner};

/// Everything a table must do for mails.
trait Post: ClaimMail + MarkMail + ReleaseMail + SuppressMailbox + Unsubscribe {}
impl<F: ClaimMail + MarkMail + ReleaseMail + SuppressMailbox + Unsubscribe> Post for F {}

/// Asks for a mail of a new event to somebody new, whose mailbox nobody has used.
fn ask(now: Timestamp) -> MailClaim {
    let user = owner();
    let address = format!("{}@example.com", user.as_str());
    let mailbox = Address::parse(&address).unwrap().mailbox();
    MailClaim { mail: MailId::new(EventId::mint(now), user.as_str()), mailbox, wanted_by: None, now }
}

fn at(ask: &MailClaim, now: Timestamp) -> MailClaim {
    MailClaim { now, ..ask.clone() }
}

fn ours(claimed: Claimed) -> Claim {
    match claimed {
        Claimed::Ours(claim) => claim,
        other => panic!("it is ours, not {other:?}"),
    }
}

on_both!(
    consigne_testkit::stack::Stack::table,
    a_mail_is_one_claimers_until_it_is_given_back,
    of_twenty_who_ask_at_once_one_gets_the_mail,
    a_mail_that_has_ended_is_never_claimed_again,
    a_claim_left_behind_is_taken_over_by_one_and_that_is_said,
    a_claim_that_was_taken_over_is_not_given_back_by_its_first_holder,
    a_suppressed_mailbox_gets_no_mail_and_leaves_no_claim,
    who_unsubscribed_gets_no_more_of_that_topic_and_all_else,
);

async fn a_mail_is_one_claimers_until_it_is_given_back(post: &impl Post) {
    let ask = ask(now());
    let claim = ours(post.claim_mail(&ask).await.unwrap());
    assert_eq!(claim, Claim { mail: ask.mail.clone(), at: ask.now, again: false });
    let later = ask.now.plus(LEASE).minus(Duration::from_millis(1));
    assert_eq!(post.claim_mail(&at(&ask, later)).await.unwrap(), Claimed::InHand);
    post.release_mail(&claim).await.unwrap();
    let again = ours(post.claim_mail(&at(&ask, later)).await.unwrap());
    assert!(!again.again, "what was given back was not sent");
    // Giving back twice is once.
    post.release_mail(&again).await.unwrap();
    post.release_mail(&again).await.unwrap();
    let other = MailClaim { mail: self::ask(ask.now).mail, ..ask.clone() };
    ours(post.claim_mail(&other).await.unwrap());
}

async fn of_twenty_who_ask_at_once_one_gets_the_mail(post: &impl Post) {
    let ask = ask(now());
    let claimed = join_all((0..20).map(|_| post.claim_mail(&ask))).await;
    let claimed: Vec<Claimed> = claimed.into_iter().map(Result::unwrap).collect();
    assert_eq!(claimed.iter().filter(|claimed| matches!(claimed, Claimed::Ours(_))).count(), 1, "{claimed:?}");
    assert_eq!(claimed.iter().filter(|claimed| **claimed == Claimed::InHand).count(), 19, "{claimed:?}");
}

async fn a_mail_that_has_ended_is_never_claimed_again(post: &impl Post) {
    for end in [MailEnd::Sent, MailEnd::Refused("Illegal address".to_owned())] {
        let ask = ask(now());
        let claim = ours(post.claim_mail(&ask).await.unwrap());
        post.mark_mail(&claim, &end, ask.now).await.unwrap();
        // Whoever gives it back now, or marks it again, changes nothing.
        post.release_mail(&claim).await.unwrap();
        post.mark_mail(&claim, &end, ask.now).await.unwrap();
        for later in [Duration::ZERO, LEASE, LEASE * 1000] {
            assert_eq!(post.claim_mail(&at(&ask, ask.now.plus(later))).await.unwrap(), Claimed::Done);
        }
        // Also when its mailbox takes no mail any more.
        post.suppress_mailbox(&ask.mailbox, Suppression::Bounced, ask.now).await.unwrap();
        assert_eq!(post.claim_mail(&ask).await.unwrap(), Claimed::Done);
    }
}

async fn a_claim_left_behind_is_taken_over_by_one_and_that_is_said(post: &impl Post) {
    let ask = ask(now());
    ours(post.claim_mail(&ask).await.unwrap());
    let late = at(&ask, ask.now.plus(LEASE));
    let claimed = join_all((0..10).map(|_| post.claim_mail(&late))).await;
    let claimed: Vec<Claimed> = claimed.into_iter().map(Result::unwrap).collect();
    let won: Vec<&Claimed> = claimed.iter().filter(|claimed| **claimed != Claimed::InHand).collect();
    assert_eq!(won, [&Claimed::Ours(Claim { mail: ask.mail.clone(), at: late.now, again: true })]);
}

async fn a_claim_that_was_taken_over_is_not_given_back_by_its_first_holder(post: &impl Post) {
    let ask = ask(now());
    let first = ours(post.claim_mail(&ask).await.unwrap());
    let late = at(&ask, ask.now.plus(LEASE));
    let second = ours(post.claim_mail(&late).await.unwrap());
    post.release_mail(&first).await.unwrap();
    assert_eq!(post.claim_mail(&late).await.unwrap(), Claimed::InHand);
    // What it has sent meanwhile is sent all the same.
    post.mark_mail(&first, &MailEnd::Sent, late.now).await.unwrap();
    post.release_mail(&second).await.unwrap();
    assert_eq!(post.claim_mail(&at(&ask, late.now.plus(LEASE))).await.unwrap(), Claimed::Done);
}

async fn a_suppressed_mailbox_gets_no_mail_and_leaves_no_claim(post: &impl Post) {
    let ask = ask(now());
    for why in [Suppression::Bounced, Suppression::Complained, Suppression::Bounced] {
        post.suppress_mailbox(&ask.mailbox, why, ask.now).await.unwrap();
        assert_eq!(post.claim_mail(&ask).await.unwrap(), Claimed::Suppressed);
    }
    // Nothing was claimed: another mailbox of the same person gets it.
    let moved = MailClaim { mailbox: self::ask(ask.now).mailbox, ..ask.clone() };
    ours(post.claim_mail(&moved).await.unwrap());
}

async fn who_unsubscribed_gets_no_more_of_that_topic_and_all_else(post: &impl Post) {
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
