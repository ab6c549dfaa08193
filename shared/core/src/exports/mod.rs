//! Exports: everything that is stored of a person, as JSON that they can download.
//!
//! An export is a few objects below [`ExportKey::prefix_of`]: parts with records, and a manifest that lists the parts. A
//! worker writes them one after another, one for each message of its queue. [`Export`] says how far it has come. Each part
//! is written before the export names its version, and the export is written on condition that nobody else has written it.
//! So a worker that is killed, or that works beside another one, does no harm: its part has no name and is removed.

mod key;
mod message;
mod part;
mod record;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use key::ExportKey;
pub use message::ExportMessage;
pub use part::{PART_BYTES, PartText};
pub use record::{PersonRecord, show_membership};

use crate::events::{AccountExportReady, AccountExportRequested, Event, EventData};
use crate::periods::Day;
use crate::{Code, ExportId, Fault, Timestamp, UserId};

/// How long a complete export can be downloaded. A rule of the bucket then removes its objects.
pub const EXPORT_KEPT: Duration = Duration::from_hours(7 * 24);
/// How long an export may take. A person can ask for another one afterwards.
pub const EXPORT_TIME: Duration = Duration::from_hours(24);
/// How long a person who asks again gets the same export.
pub const EXPORT_REPEATED: Duration = Duration::from_hours(1);
/// Most exports that a person can ask for in a day (UTC).
pub const EXPORTS_A_DAY: u32 = 3;
/// How long a signed URL of a part is valid.
pub const EXPORT_TICKET: Duration = Duration::from_mins(5);
/// Most parts of an export. Their list is in one item of the table, which has 400 kB at most.
pub const PARTS_MAX: usize = 2_000;

/// Where the next part begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Walk {
    /// Behind this place among what the person owns; `None` at the start.
    Records(Option<String>),
    /// Behind this place among their memberships; `None` at the start.
    Memberships(Option<String>),
    /// Everything is in a part, and the manifest is next.
    Manifest,
    /// The export is complete.
    Over,
}

/// An object of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// S3's id of its version.
    pub version: String,
    /// Size in bytes.
    pub size: u64,
    /// Number of records in it.
    pub records: u64,
    /// How many of them are about files.
    pub files: u64,
}

/// An export, as the table keeps it. A person has one at most: the next one replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// Its id.
    pub id: ExportId,
    /// Whose data it is.
    pub user: UserId,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Where the next part begins.
    pub walk: Walk,
    /// The parts that are written, in order.
    pub parts: Vec<Part>,
    /// Numbers of records by type.
    pub counts: BTreeMap<String, u64>,
    /// The manifest, once the export is complete.
    pub manifest: Option<Part>,
    /// When it was complete.
    pub ready_at: Option<Timestamp>,
    /// When it can no longer be downloaded, or, while it is not complete, when it has failed.
    pub expires_at: Timestamp,
    /// Number of writes. Each write is conditional on the revision that was read.
    pub revision: u64,
}

/// What a person sees of their exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportState {
    /// There is none.
    None,
    /// It is being written.
    Pending,
    /// It can be downloaded.
    Ready,
    /// It can no longer be downloaded, or it has failed.
    Expired,
}

impl ExportState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::None, Self::Pending, Self::Ready, Self::Expired];

    /// Returns the name used in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Expired => "expired",
        }
    }
}

impl Export {
    /// Starts an export. Its times are in whole seconds, as its JSON has them.
    pub fn begin(user: UserId, now: Timestamp) -> Self {
        let now = Timestamp::from_secs(now.as_secs());
        Self {
            id: ExportId::mint(now),
            user,
            requested_at: now,
            walk: Walk::Records(None),
            parts: Vec::new(),
            counts: BTreeMap::new(),
            manifest: None,
            ready_at: None,
            expires_at: now.plus(EXPORT_TIME),
            revision: 1,
        }
    }

    /// Returns the event with which the work on it begins.
    pub fn requested(&self) -> Event {
        let data = AccountExportRequested { export_id: self.id, user_id: self.user.clone() };
        Event::new(self.requested_at, EventData::AccountExportRequested(data))
    }

    /// Returns its state at a time.
    pub fn state(&self, now: Timestamp) -> ExportState {
        match self.ready_at {
            _ if now >= self.expires_at => ExportState::Expired,
            Some(_) => ExportState::Ready,
            None => ExportState::Pending,
        }
    }

    /// Returns whether a person who asks now gets this export, and not a new one.
    pub fn answers(&self, now: Timestamp) -> bool {
        match self.state(now) {
            ExportState::Pending => true,
            ExportState::Ready => now < self.requested_at.plus(EXPORT_REPEATED),
            ExportState::None | ExportState::Expired => false,
        }
    }

    /// Returns the key of the next part.
    pub fn next_part(&self) -> ExportKey {
        ExportKey::part(&self.user, self.id, self.parts.len() + 1)
    }

    /// Checks that the export may have one more part.
    ///
    /// # Errors
    /// `INTERNAL` if it has as many as there may be.
    pub fn require_room(&self) -> Result<(), Fault> {
        if self.parts.len() < PARTS_MAX { Ok(()) } else { Err(Fault::internal("the export has too many parts")) }
    }

    /// Returns the export with one more part, or with none if nothing was left to write, which goes on at `walk`.
    ///
    /// # Errors
    /// `INTERNAL` if it has too many parts.
    pub fn with_part(&self, part: Option<Part>, counts: &BTreeMap<String, u64>, walk: Walk) -> Result<Self, Fault> {
        if part.is_some() {
            self.require_room()?;
        }
        let mut after = Self { walk, revision: self.revision + 1, ..self.clone() };
        after.parts.extend(part);
        for (kind, count) in counts {
            *after.counts.entry(kind.clone()).or_default() += count;
        }
        Ok(after)
    }

    /// Returns the complete export, and the event that tells the person.
    pub fn completed(&self, manifest: Part, now: Timestamp) -> (Self, Event) {
        let now = Timestamp::from_secs(now.as_secs());
        let expires_at = now.plus(EXPORT_KEPT);
        let revision = self.revision + 1;
        let after = Self {
            walk: Walk::Over,
            manifest: Some(manifest),
            ready_at: Some(now),
            expires_at,
            revision,
            ..self.clone()
        };
        let data = AccountExportReady { export_id: self.id, user_id: self.user.clone(), expires_at };
        (after, Event::new(now, EventData::AccountExportReady(data)))
    }

    /// Returns its objects in order, the manifest first, with their keys.
    pub fn objects(&self) -> impl Iterator<Item = (ExportKey, &Part)> {
        let manifest = self.manifest.iter().map(|part| (ExportKey::manifest(&self.user, self.id), part));
        let key = |at| ExportKey::part(&self.user, self.id, at + 1);
        manifest.chain(self.parts.iter().enumerate().map(move |(at, part)| (key(at), part)))
    }

    /// Returns the manifest as JSON. It lists the parts; the files of the person are records of the parts that say so.
    pub fn manifest_text(&self, now: Timestamp) -> String {
        let part = |(at, part): (usize, &Part)| {
            let name = ExportKey::part(&self.user, self.id, at + 1).name().to_owned();
            json!({ "name": name, "size": part.size, "records": part.records, "files": part.files })
        };
        let parts: Vec<Value> = self.parts.iter().enumerate().map(part).collect();
        let manifest = json!({
            "export_id": self.id,
            "user_id": self.user,
            "requested_at": self.requested_at,
            "completed_at": now,
            "records": self.counts,
            "parts": parts,
        });
        format!("{manifest:#}\n")
    }
}

/// Returns the 429 for one export too many in a day.
pub fn too_many_exports(now: Timestamp) -> Fault {
    let text = format!("you can ask for {EXPORTS_A_DAY} exports a day");
    Fault::new(Code::RateLimited, text).limited(EXPORTS_A_DAY.into(), Day::of(now).ends(), now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_257_000);

    fn begun() -> Export {
        Export::begin(UserId::parse("user_ann1").unwrap(), NOW)
    }

    fn part(files: u64) -> Part {
        Part { version: "v1".to_owned(), size: 10, records: 3, files }
    }

    #[test]
    fn somebody_who_asks_again_gets_the_export_that_is_under_way_or_an_hour_old() {
        let (hour, day) = (Duration::from_hours(1), Duration::from_hours(24));
        let export = begun();
        assert!(export.answers(NOW.plus(Duration::from_hours(23))) && !export.answers(NOW.plus(day)));
        assert_eq!(export.state(NOW.plus(day)), ExportState::Expired);
        let (ready, _) = export.completed(part(0), NOW.plus(Duration::from_mins(1)));
        assert!(ready.answers(NOW.plus(Duration::from_mins(59))) && !ready.answers(NOW.plus(hour)));
        assert_eq!(ready.state(NOW.plus(6 * day)), ExportState::Ready);
        assert_eq!(ready.state(NOW.plus(8 * day)), ExportState::Expired);
    }

    #[test]
    fn parts_are_numbered_and_the_manifest_lists_them() {
        let counts = BTreeMap::from([("file".to_owned(), 2), ("profile".to_owned(), 1)]);
        let walk = Walk::Records(Some("FILE#1".to_owned()));
        let one = begun().with_part(Some(part(2)), &counts, walk).unwrap();
        let two = one.with_part(Some(part(0)), &counts, Walk::Memberships(None)).unwrap();
        let none = two.with_part(None, &BTreeMap::new(), Walk::Manifest).unwrap();
        assert_eq!((none.parts.len(), none.counts["file"], none.revision), (2, 4, 4));
        let (ready, event) = none.completed(part(0), NOW);
        assert_eq!(event.kind().name(), "account.export-ready");
        let names: Vec<String> = ready.objects().map(|(key, _)| key.name().to_owned()).collect();
        assert_eq!(names, ["manifest.json", "part-0001.json", "part-0002.json"]);
        let manifest: Value = serde_json::from_str(&none.manifest_text(NOW)).unwrap();
        assert_eq!(manifest["parts"][0], json!({ "name": "part-0001.json", "size": 10, "records": 3, "files": 2 }));
        let read = |export: &Export| serde_json::from_str::<Export>(&serde_json::to_string(export).unwrap()).unwrap();
        assert_eq!(read(&ready), ready);
        let late = Export::begin(one.user.clone(), NOW.plus(Duration::from_millis(999)));
        let (ended, _) = late.completed(part(0), NOW.plus(Duration::from_millis(1_999)));
        assert_eq!((read(&late), read(&ended)), (late, ended));
    }

    #[test]
    fn the_list_of_parts_fits_into_an_item() {
        let long = Part { version: "v".repeat(40), size: u64::MAX, records: u64::MAX, files: u64::MAX };
        let export = Export { parts: vec![long.clone(); PARTS_MAX], ..begun() };
        assert!(serde_json::to_string(&export).unwrap().len() < 390_000);
        assert!(export.with_part(Some(long), &BTreeMap::new(), Walk::Manifest).is_err());
    }
}
