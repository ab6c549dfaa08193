//! Mails: their claims and ends, suppressed mailboxes, and unsubscribed topics.

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemInput;
use aws_sdk_dynamodb::operation::put_item::PutItemInput;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemInput};
use aws_sdk_dynamodb::types::{ConditionCheck, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use consigne_core::mail::{
    Claim, Claimed, GATHERED_AN_HOUR, Gathering, LEASE, MailClaim, MailEnd, MailId, Mailbox, REMEMBERED, Suppression,
    Topic,
};
use consigne_core::ports::{ClaimMail, MarkMail, ReleaseMail, SuppressMailbox, Unsubscribe};
use consigne_core::{Fault, Timestamp, UserId};

use crate::table::Table;
use crate::table::item::{Item, Reader, add, count_one, key, number, org_pk, text, user_pk};
use crate::table::transact::{Outcome, failed_at};

/// State of a mail that a worker has claimed.
const CLAIMED: &str = "claimed";
/// State of a counted mail that may be claimed again at once. It stays counted.
const RELEASED: &str = "released";
/// Mark of a gathered mail that is the last one of its hour.
const LAST: &str = "last";
/// State of a mail that was sent.
const SENT: &str = "sent";
/// State of a mail that the mail service has refused for good.
const REFUSED: &str = "refused";

fn mail_key(mail: &MailId) -> Item {
    key(format!("MAIL#{mail}"), "MAIL")
}

fn mailbox_key(mailbox: &Mailbox) -> Item {
    key(format!("MAILBOX#{mailbox}"), "SUPPRESSED")
}

fn unsubscribed_key(user: &UserId, topic: Topic) -> Item {
    key(user_pk(user), format!("UNSUBSCRIBED#{}", topic.name()))
}

/// The result of one try to claim a mail.
enum ClaimTry {
    /// The outcome of the claim.
    Decided(Claimed),
    /// The mail was claimed before. This is its item.
    Existing(Item),
    /// As many mails of its kind as are allowed were claimed in its hour.
    Full,
}

/// An earlier claim that nobody works on.
struct Abandoned {
    state: &'static str,
    since: Timestamp,
}

impl ClaimMail for Table {
    async fn claim_mail(&self, ask: &MailClaim) -> Result<Claimed, Fault> {
        let kinds: &[Gathering] = match ask.counted_in {
            None => &[Gathering::None],
            Some(_) => &[Gathering::Counted, Gathering::Last],
        };
        let mut existing = None;
        for gathering in kinds {
            match self.try_claim(ask, *gathering, None).await? {
                ClaimTry::Decided(claimed) => return Ok(claimed),
                ClaimTry::Full => {}
                ClaimTry::Existing(item) => {
                    existing = Some(item);
                    break;
                }
            }
        }
        let Some(existing) = existing else { return Ok(Claimed::Gathered) };
        let reader = Reader(&existing);
        let (state, since) = (reader.text("mail_state")?, reader.time("claimed_at")?);
        let state = match state {
            RELEASED => RELEASED,
            CLAIMED if ask.now.since(since) < LEASE => return Ok(Claimed::InHand),
            CLAIMED => CLAIMED,
            _ => return Ok(Claimed::Done),
        };
        let gathering = gathering_of(&reader);
        // If several workers find the claim, the condition on its time lets only one of them take it over.
        match self.try_claim(ask, gathering, Some(Abandoned { state, since })).await? {
            ClaimTry::Decided(claimed) => Ok(claimed),
            ClaimTry::Existing(_) | ClaimTry::Full => Ok(Claimed::InHand),
        }
    }
}

/// Reads how a claimed mail is counted.
fn gathering_of(reader: &Reader<'_>) -> Gathering {
    match reader.optional_text("gathered") {
        Some(LAST) => Gathering::Last,
        Some(_) => Gathering::Counted,
        None => Gathering::None,
    }
}

impl Table {
    /// Claims a mail. Without `abandoned`, it must not be claimed yet, and is counted. With it, its claim must still be
    /// that one.
    async fn try_claim(
        &self,
        ask: &MailClaim,
        gathering: Gathering,
        abandoned: Option<Abandoned>,
    ) -> Result<ClaimTry, Fault> {
        let mut writes =
            vec![self.claim(ask, gathering, abandoned.as_ref())?, self.must_not_exist(mailbox_key(&ask.mailbox))?];
        let topic = ask.wanted_by.as_ref().map(|_| writes.len());
        if let Some((user, topic)) = &ask.wanted_by {
            writes.push(self.must_not_exist(unsubscribed_key(user, *topic))?);
        }
        let count = ask.counted_in.as_ref().filter(|_| abandoned.is_none());
        let counted = count.map(|_| writes.len());
        if let Some(count) = count {
            let most = if gathering == Gathering::Last { GATHERED_AN_HOUR } else { GATHERED_AN_HOUR - 1 };
            let sent = key(org_pk(count.org), format!("MAILS#{}#{}#{}", count.template, ask.mailbox, count.hour));
            writes.push(self.update(count_one(sent, "sent", most, ask.now.plus(REMEMBERED)))?);
        }
        let Outcome::Refused(failed) = self.transact(writes).await? else {
            // Of an uncounted mail that was released, nothing is left to take over.
            let again = abandoned.is_some_and(|abandoned| abandoned.state == CLAIMED);
            let (mail, at) = (ask.mail.clone(), ask.now);
            return Ok(ClaimTry::Decided(Claimed::Ours(Claim { mail, at, again, gathering })));
        };
        if let Some(existing) = failed_at(&failed, 0).filter(|item| !item.is_empty()) {
            return Ok(ClaimTry::Existing(existing.clone()));
        }
        let has_failed = |at: Option<usize>| at.is_some_and(|at| failed_at(&failed, at).is_some());
        if has_failed(Some(1)) {
            return Ok(ClaimTry::Decided(Claimed::Suppressed));
        }
        if has_failed(topic) {
            return Ok(ClaimTry::Decided(Claimed::Unsubscribed));
        }
        if has_failed(counted) {
            return Ok(ClaimTry::Full);
        }
        // No condition on suppression failed: the abandoned claim was released a moment ago.
        Ok(ClaimTry::Decided(Claimed::InHand))
    }

    fn claim(
        &self,
        ask: &MailClaim,
        gathering: Gathering,
        abandoned: Option<&Abandoned>,
    ) -> Result<TransactWriteItem, Fault> {
        let mut item = mail_key(&ask.mail);
        item.insert("mail_state".to_owned(), text(CLAIMED));
        item.insert("claimed_at".to_owned(), number(ask.now.as_millis()));
        item.insert("ttl".to_owned(), number(ask.now.plus(REMEMBERED).as_secs()));
        let gathered = match gathering {
            Gathering::None => None,
            Gathering::Counted => Some("yes"),
            Gathering::Last => Some(LAST),
        };
        add(&mut item, "gathered", gathered.map(text));
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match abandoned {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(Abandoned { state, since }) => put
                .condition_expression("mail_state = :state AND claimed_at = :since")
                .expression_attribute_values(":state", text(*state))
                .expression_attribute_values(":since", number(since.as_millis())),
        };
        Ok(TransactWriteItem::builder().put(put.build().map_err(Fault::internal)?).build())
    }

    fn must_not_exist(&self, key: Item) -> Result<TransactWriteItem, Fault> {
        self.check(ConditionCheck::builder().set_key(Some(key)).condition_expression("attribute_not_exists(pk)"))
    }
}

impl ReleaseMail for Table {
    async fn release_mail(&self, claim: &Claim) -> Result<(), Fault> {
        if claim.gathering != Gathering::None {
            return self.release_counted(claim).await;
        }
        let delete = DeleteItemInput::builder()
            .table_name(&self.name)
            .set_key(Some(mail_key(&claim.mail)))
            .condition_expression("mail_state = :claimed AND claimed_at = :at")
            .expression_attribute_values(":claimed", text(CLAIMED))
            .expression_attribute_values(":at", number(claim.at.as_millis()));
        match self.client.send(delete).await {
            Ok(_) => Ok(()),
            // The claim was released before, or another worker has taken it over.
            Err(error)
                if matches!(error.as_service_error(), Some(DeleteItemError::ConditionalCheckFailedException(_))) =>
            {
                Ok(())
            }
            Err(error) => Err(Fault::unavailable(error)),
        }
    }
}

impl Table {
    /// Releases a counted mail. Its item stays, so that it is not counted again.
    async fn release_counted(&self, claim: &Claim) -> Result<(), Fault> {
        let update = UpdateItemInput::builder()
            .table_name(&self.name)
            .set_key(Some(mail_key(&claim.mail)))
            .update_expression("SET mail_state = :released")
            .condition_expression("mail_state = :claimed AND claimed_at = :at")
            .expression_attribute_values(":released", text(RELEASED))
            .expression_attribute_values(":claimed", text(CLAIMED))
            .expression_attribute_values(":at", number(claim.at.as_millis()));
        match self.client.send(update).await.map_err(aws_sdk_dynamodb::error::SdkError::into_service_error) {
            Ok(_) | Err(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
            Err(error) => Err(Fault::unavailable(error)),
        }
    }
}

impl MarkMail for Table {
    async fn mark_mail(&self, claim: &Claim, end: &MailEnd, now: Timestamp) -> Result<(), Fault> {
        let (state, why) = match end {
            MailEnd::Sent => (SENT, None),
            MailEnd::Refused(why) => (REFUSED, Some(why)),
        };
        // There is no condition on the claim: the mail was sent, even if another worker has taken the claim over.
        let mut update = UpdateItemInput::builder()
            .table_name(&self.name)
            .set_key(Some(mail_key(&claim.mail)))
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":state", text(state))
            .expression_attribute_values(":now", number(now.as_millis()))
            .expression_attribute_values(":ttl", number(now.plus(REMEMBERED).as_secs()));
        let mut expression = "SET mail_state = :state, ended_at = :now, #ttl = :ttl".to_owned();
        if let Some(why) = why {
            expression.push_str(", refused_because = :why");
            update = update.expression_attribute_values(":why", text(why));
        }
        self.client.send(update.update_expression(expression)).await.map(drop).map_err(Fault::unavailable)
    }
}

impl SuppressMailbox for Table {
    async fn suppress_mailbox(&self, mailbox: &Mailbox, why: Suppression, now: Timestamp) -> Result<(), Fault> {
        let mut item = mailbox_key(mailbox);
        item.insert("reason".to_owned(), text(why.name()));
        self.put_flag(item, now).await
    }
}

impl Unsubscribe for Table {
    async fn unsubscribe(&self, user: &UserId, topic: Topic, now: Timestamp) -> Result<(), Fault> {
        self.put_flag(unsubscribed_key(user, topic), now).await
    }
}

impl Table {
    /// Writes an item that has only a time: its existence is the information. A second write replaces the time.
    async fn put_flag(&self, mut item: Item, now: Timestamp) -> Result<(), Fault> {
        add(&mut item, "since", Some(number(now.as_millis())));
        let put = PutItemInput::builder().table_name(&self.name).set_item(Some(item));
        self.client.send(put).await.map(drop).map_err(Fault::unavailable)
    }
}
