//! What was derived from a file, in its item.

use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemInput};
use aws_sdk_dynamodb::types::AttributeValue;
use consigne_aws::Backoff;
use consigne_core::Fault;
use consigne_core::files::{DerivativeState, Derivatives, DerivedCopy, File, MediaType, Rendition, Status};
use consigne_core::idempotency::CommitOutcome;
use consigne_core::ports::RecordDerivatives;

use crate::table::Table;
use crate::table::files::file_item;
use crate::table::item::{Item, Reader, number, text, user_pk};

/// Attribute with the state.
pub(crate) const STATE: &str = "derivative";
/// Attribute with the copies: maps of type and version, by the rendition's name.
pub(crate) const COPIES: &str = "derived";

/// Returns the attribute of the copies.
pub(crate) fn copies(derivatives: &Derivatives) -> AttributeValue {
    let copy = |copy: &DerivedCopy| {
        let facts = [("content_type", text(copy.media.name)), ("version_id", text(&copy.version))];
        let facts = facts.map(|(name, value)| (name.to_owned(), value));
        (copy.rendition.name().to_owned(), AttributeValue::M(Item::from(facts)))
    };
    AttributeValue::M(derivatives.copies.iter().map(copy).collect())
}

/// Reads what was derived from a file.
pub(crate) fn read(item: &Item) -> Result<Option<Derivatives>, Fault> {
    let Some(state) = Reader(item).optional_parsed(STATE, DerivativeState::from_name)? else { return Ok(None) };
    let mut copies = Vec::new();
    let stored = item.get(COPIES).and_then(|value| value.as_m().ok());
    for rendition in Rendition::ALL {
        let Some(copy) = stored.and_then(|stored| stored.get(rendition.name())).and_then(|copy| copy.as_m().ok())
        else {
            continue;
        };
        let reader = Reader(copy);
        let media = reader.parsed("content_type", MediaType::from_name)?;
        copies.push(DerivedCopy { rendition, media, version: reader.text("version_id")?.to_owned() });
    }
    Ok(Some(Derivatives { state, copies }))
}

impl RecordDerivatives for Table {
    async fn record_derivatives(&self, file: &File, derivatives: &Derivatives) -> Result<CommitOutcome, Fault> {
        let Some(pinned) = &file.pinned else { return Ok(CommitOutcome::Conflict) };
        let mut backoff = Backoff::of_conflicts();
        loop {
            // The revision grows, so that whoever has read the record before does not write over this.
            let update = UpdateItemInput::builder()
                .table_name(&self.name)
                .key("pk", text(user_pk(file.owner())))
                .key("sk", text(file_item::file_sk(file.id())))
                .update_expression("SET #state = :state, #copies = :copies ADD revision :one")
                .condition_expression("#status = :ready AND version_id = :version")
                .expression_attribute_names("#state", STATE)
                .expression_attribute_names("#copies", COPIES)
                .expression_attribute_names("#status", "status")
                .expression_attribute_values(":state", text(derivatives.state.name()))
                .expression_attribute_values(":copies", copies(derivatives))
                .expression_attribute_values(":ready", text(Status::Ready.name()))
                .expression_attribute_values(":version", text(&pinned.version))
                .expression_attribute_values(":one", number(1));
            let Err(error) = self.client.send(update).await else { return Ok(CommitOutcome::Committed) };
            match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => return Ok(CommitOutcome::Conflict),
                // A transaction with the same record was under way. The client does not retry this error.
                Some(UpdateItemError::TransactionConflictException(_)) if backoff.wait().await => {}
                _ => return Err(Fault::unavailable(error)),
            }
        }
    }
}
