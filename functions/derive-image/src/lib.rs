//! Makes smaller copies of pictures that have become ready, and removes them when their original is deleted.
//!
//! Both are told by events of the original's record, which every way of deleting a file writes. Events come at least once
//! and in any order, and this function may be killed at any moment:
//!
//! * Copies are written before the record names them, each under a key that follows from the file's id, and only once.
//! * The record is written on condition that the file is still ready. If it is not, all copies are removed, also those
//!   that an earlier run left behind.
//! * A file that is deleted after that write has an event of its deletion, which removes all copies below its prefix.

use std::time::Instant;

use consigne_core::events::{EventData, EventMessage, FileDeleted, FileInfected, FileReady};
use consigne_core::files::{
    DERIVED_FROM_MAX, Derivation, DerivativeState, Derivatives, DerivedCopy, DerivedKey, File, MediaType, PIXELS_MAX,
    Removal, Rendition, Status, clean_copy,
};
use consigne_core::ports::{GetFile, GetLedgers, ListDerived, PutDerived, ReadHead, RecordDerivatives, RemoveVersion};
use consigne_core::{Fault, FileId, Plan, UserId};
use consigne_images::{Refusal, Rendered, WATERMARK_BYTES_MAX, Watermark, render};
use consigne_runtime::queue::Message;
use consigne_runtime::{Adapters, BatchFunction, function, needs, settings};

/// From this delivery of a message on, the record says `failed` before the picture is decoded. Whatever kills this
/// function at every try is then not said to be on its way for ever.
const LAST_TRIES: u32 = 4;

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<
        Table: GetFile + GetLedgers + RecordDerivatives,
        Bucket: ReadHead + PutDerived + ListDerived + RemoveVersion,
    >
}

function! {
    files: A::Table = table(),
    objects: A::Bucket = bucket(),
    /// Key of the PNG that is laid on derivatives of plans that say so.
    watermark: Option<String> = optional(&settings::WATERMARK_KEY),
}

impl<A: Needs> BatchFunction for Function<A> {
    type Record = Message;

    /// Processes one event of a file.
    ///
    /// # Errors
    /// If the message is malformed, if the table or the bucket does not answer, or if the watermark cannot be read. The
    /// message is then delivered again. If it keeps failing, it goes to the dead-letter queue.
    async fn handle(&self, message: &Message) -> Result<(), Fault> {
        let event = EventMessage::parse(&message.body).map_err(Fault::internal)?;
        message.log.field("event.kind", &event.detail_type);
        match event.data {
            Some(EventData::FileReady(FileReady { file })) => self.ready(&file.user_id, file.file_id, message).await,
            // Nothing is derived from a grant that was never used.
            Some(EventData::FileDeleted(FileDeleted { cause: Removal::Expired, .. })) => Ok(()),
            Some(
                EventData::FileDeleted(FileDeleted { file, .. }) | EventData::FileInfected(FileInfected { file, .. }),
            ) => self.remove_all(&file.user_id, file.file_id, message).await,
            _ => Ok(()),
        }
    }
}

impl<A: Needs> Function<A> {
    /// Derives from a file that has become ready.
    async fn ready(&self, owner: &UserId, id: FileId, message: &Message) -> Result<(), Fault> {
        message.log.field("file.id", id);
        message.log.field("user.id", owner);
        let file = self.files.get_file(owner, id).await?;
        let Some(file) = file.filter(|file| file.status == Status::Ready) else {
            return self.remove_all(owner, id, message).await;
        };
        if !is_waiting(&file, message) {
            return Ok(());
        }
        let Some(derivatives) = self.derive(&file, message).await? else {
            message.log.field("file.gone", true);
            return Ok(());
        };
        message.log.field("derivative.state", derivatives.state.name());
        if self.files.record_derivatives(&file, &derivatives).await?.is_committed() {
            message.log.count(match derivatives.state {
                DerivativeState::Failed | DerivativeState::TooLarge => "ImagesNotDerived",
                _ => "ImagesDerived",
            });
            return Ok(());
        }
        // It was deleted meanwhile.
        self.remove_all(owner, id, message).await
    }

    /// Makes and writes the copies of a file. Returns `None` if its object no longer exists.
    async fn derive(&self, file: &File, message: &Message) -> Result<Option<Derivatives>, Fault> {
        let way = Derivation::of(file.media);
        // Experts see photos of orders in full, but not where they were taken.
        let is_order = file.owner().as_order().is_some();
        let pixels = file.dimensions.map_or(0, |sides| u64::from(sides.width) * u64::from(sides.height));
        let decodes = way == Derivation::Decode && pixels <= PIXELS_MAX;
        if file.size > DERIVED_FROM_MAX || way == Derivation::Decode && !decodes && !is_order {
            return Ok(Some(Derivatives::none(DerivativeState::TooLarge)));
        }
        if !matches!(way, Derivation::Decode | Derivation::CleanCopy) {
            return Ok(Some(Derivatives::none(DerivativeState::Unsupported)));
        }
        let version = file.pinned.as_ref().map(|pinned| pinned.version.as_str());
        let Some(head) = self.objects.read_head(file.key.as_str(), version, file.size).await? else { return Ok(None) };
        let watermark = if way == Derivation::Decode && !is_order { self.watermark(file.owner()).await? } else { None };
        if message.receives >= LAST_TRIES {
            let failed = Derivatives::none(DerivativeState::Failed);
            // A conflict is found again below, once the copies are written.
            let _ = self.files.record_derivatives(file, &failed).await?;
        }

        let begun = Instant::now();
        let clean = if is_order && way == Derivation::Decode {
            // One that is damaged, but can be decoded, has smaller copies only.
            clean_copy(head.bytes.clone(), file.media).ok().map(|bytes| clean(file.media, bytes))
        } else {
            None
        };
        let made = if way == Derivation::Decode && !decodes {
            Err(Refusal::TooLarge)
        } else {
            make(way, head.bytes, file.media, watermark.as_ref())
        };
        message.log.millis("ImageDecoding", u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
        let (state, rendered) = match made {
            Ok(made) => made,
            Err(Refusal::TooLarge) => (DerivativeState::TooLarge, Vec::new()),
            Err(Refusal::Damaged) => (DerivativeState::Failed, Vec::new()),
        };
        let mut copies = Vec::new();
        for Rendered { rendition, media, bytes } in rendered.into_iter().chain(clean) {
            let key = DerivedKey::mint(file.owner(), file.id(), rendition, media);
            let version = self.write(&key, media, bytes).await?;
            copies.push(DerivedCopy { rendition, media, version });
        }
        Ok(Some(Derivatives { state, copies }))
    }

    /// Writes a copy, unless an earlier run has written it. Returns its version.
    async fn write(&self, key: &DerivedKey, media: &MediaType, bytes: Vec<u8>) -> Result<String, Fault> {
        if let Some(version) = self.objects.put_derived(key, media, bytes).await? {
            return Ok(version);
        }
        let there = self.objects.read_head(key.as_str(), None, 1).await?;
        there
            .map(|head| head.version)
            .ok_or_else(|| Fault::unavailable("a derived object vanished while it was written"))
    }

    /// Reads the watermark, if the plan of the owner's last grant has one.
    ///
    /// # Errors
    /// `INTERNAL` if there is no usable PNG under its key. Without it nothing is derived: a copy without the watermark
    /// could not be taken back.
    async fn watermark(&self, owner: &UserId) -> Result<Option<Watermark>, Fault> {
        let Some(key) = &self.watermark else { return Ok(None) };
        let ledgers = self.files.get_ledgers(std::slice::from_ref(owner)).await?;
        let plan = ledgers.first().map_or(Plan::Free, |ledger| ledger.plan);
        if !plan.allowances().watermark {
            return Ok(None);
        }
        let head = self.objects.read_head(key, None, WATERMARK_BYTES_MAX + 1).await?;
        let head = head.ok_or_else(|| Fault::internal("WATERMARK_KEY names no object"))?;
        let unusable = |refusal| Fault::internal(format!("the object of WATERMARK_KEY is no usable PNG: {refusal:?}"));
        Watermark::parse(&head.bytes).map(Some).map_err(unusable)
    }

    /// Removes everything derived from a file.
    async fn remove_all(&self, owner: &UserId, id: FileId, message: &Message) -> Result<(), Fault> {
        let found = self.objects.list_derived(owner, id).await?;
        message.log.field("derived.removed", found.len());
        for stored in &found {
            self.objects.remove_version(&stored.key, &stored.version).await?;
        }
        Ok(())
    }
}

/// Returns whether a file still waits for its derivatives. One that is older than derivatives does.
///
/// A `failed` of an earlier try of this message, which was killed, is tried again; see [`LAST_TRIES`].
fn is_waiting(file: &File, message: &Message) -> bool {
    match file.derivatives.as_ref().map(|derivatives| derivatives.state) {
        None => Derivation::of(file.media) != Derivation::NotAPicture,
        Some(DerivativeState::Pending) => true,
        Some(DerivativeState::Failed) => message.receives > LAST_TRIES,
        Some(_) => false,
    }
}

/// Makes the copies of a picture.
fn make(
    way: Derivation,
    bytes: Vec<u8>,
    media: &'static MediaType,
    watermark: Option<&Watermark>,
) -> Result<(DerivativeState, Vec<Rendered>), Refusal> {
    if way == Derivation::Decode {
        return render(&bytes, media, watermark).map(|rendered| (DerivativeState::Ready, rendered));
    }
    let bytes = clean_copy(bytes, media).map_err(|_| Refusal::Damaged)?;
    Ok((DerivativeState::Unsupported, vec![clean(media, bytes)]))
}

fn clean(media: &'static MediaType, bytes: Vec<u8>) -> Rendered {
    Rendered { rendition: Rendition::Clean, media, bytes }
}
