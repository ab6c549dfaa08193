//! Files: their records, keys, names and types, the storage ledger, and the steps of a file from grant to deletion.

mod content;
mod derived;
mod extensions;
mod fullness;
mod grant;
mod key;
mod media;
mod metadata;
mod name;
mod parts;
mod publishing;
mod record;
mod scan;
mod transition;
mod usage;
mod view;

pub use content::{
    Dimensions, Finding, INDEX_BYTES, Measured, SAMPLE_BYTES, Sample, Unclean, clean_copy, clean_heif,
    exif_orientation, index_behind, inspect, measure_index,
};
pub use derived::{
    DERIVED_FROM_MAX, DISPLAY_ABOVE, Derivation, DerivativeState, Derivatives, DerivedCopy, DerivedKey, PIXELS_MAX,
    ReadKey, Rendition,
};
pub use fullness::NOTICE_PERCENT;
pub use grant::{Grant, GrantOutcome, GrantRequest, OF_JOB, UPLOAD_GRANT_VALID, still_usable};
pub use key::ObjectKey;
pub use media::{Kind, MediaType};
pub use metadata::{FilePatch, METADATA_MAX, METADATA_NAME_MAX, METADATA_NAMES_MAX, Metadata};
pub use name::{FILE_NAME_MAX, FileName};
pub use parts::{
    COMPLETION_MAX, NamedPart, ONE_PUT_MAX, OpenUpload, PART_SIZE, PART_URL_VALID, PARTS_MAX, PartSession,
    SESSION_VALID, StoredPart, parts_missing,
};
pub use publishing::{ADDRESS_CACHED, PublicAddresses, Publication};
pub use record::{
    Disposition, File, LedgerState, Pinned, Readable, SWEEP_MARGIN, Status, TICKET_MAX, TICKET_MIN, TICKETS_MAX,
};
pub use scan::{Scan, ScanPolicy, ScanResult, ScanState, Scanning, Unscanned, VERDICT_WITHIN, Verdict};
pub use transition::{Arrival, LedgerDelta, OnCreated, Removal, Transition};
pub use usage::{KindUsage, Usage, in_words};
pub use view::{FileView, SecureFileView, shown_dimensions};
