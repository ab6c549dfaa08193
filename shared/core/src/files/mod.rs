//! Files: their records, keys, names and types, the storage ledger, and the steps of a file from grant to deletion.

mod content;
mod extensions;
mod fullness;
mod grant;
mod key;
mod media;
mod metadata;
mod name;
mod record;
mod scan;
mod transition;
mod usage;
mod view;

pub use content::{Dimensions, Finding, SAMPLE_BYTES, Sample, inspect};
pub use fullness::NOTICE_PERCENT;
pub use grant::{Grant, GrantOutcome, GrantRequest, OF_JOB, UPLOAD_GRANT_VALID, still_usable};
pub use key::ObjectKey;
pub use media::{Kind, MediaType};
pub use metadata::{FilePatch, METADATA_MAX, METADATA_NAME_MAX, METADATA_NAMES_MAX, Metadata};
pub use name::{FILE_NAME_MAX, FileName};
pub use record::{
    Disposition, File, LedgerState, Pinned, Readable, SWEEP_MARGIN, Status, TICKET_MAX, TICKET_MIN, TICKETS_MAX,
};
pub use scan::{Scan, ScanPolicy, ScanResult, ScanState, Scanning, Unscanned, VERDICT_WITHIN, Verdict};
pub use transition::{Arrival, LedgerDelta, OnCreated, Removal, Transition};
pub use usage::{KindUsage, Usage, in_words};
pub use view::{FileView, SecureFileView, shown_dimensions};
