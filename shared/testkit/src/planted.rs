//! Worlds with planted differences between the table and the bucket, and what a reconciliation must find in them.

use std::collections::BTreeSet;
use std::time::Duration;

use consigne_core::files::{
    Arrival, DerivativeState, Derivatives, DerivedCopy, DerivedKey, File, FileName, Kind, LedgerDelta, Measured,
    MediaType, ObjectKey, OpenUpload, PartSession, Pinned, Removal, Rendition,
};
use consigne_core::reconcile::{FindingKind, LedgerSums};
use consigne_core::{FileId, Plan, Timestamp, UserId};

use crate::fakes::{PartedUpload, Version, World};

/// When the files of these worlds were granted.
pub const GRANTED: Timestamp = Timestamp::from_secs(1_795_257_000);

/// A world whose table and bucket agree, but for what is planted.
#[derive(Debug, Default)]
pub struct Planted {
    /// The bucket and the table.
    pub world: World,
    /// The replica bucket.
    pub replica: World,
    /// What must be found: kind, key and version.
    pub wanted: BTreeSet<(FindingKind, String, Option<String>)>,
    /// When a run begins that finds it.
    pub now: Option<Timestamp>,
    count: u32,
}

/// Bytes of every file.
const SIZE: u64 = 10;

impl Planted {
    /// Returns the time at which a run finds everything that is planted.
    pub fn at(&self) -> Timestamp {
        GRANTED.plus(Duration::from_hours(24 * 30))
    }

    fn id(&mut self) -> FileId {
        self.count += 1;
        let n = self.count;
        // Ids are not in the order of their making, as those of several folders are not.
        let at = GRANTED.plus(Duration::from_secs(u64::from(n.wrapping_mul(7_919) % 10_007)));
        FileId::derive_at(at, &[&n.to_string()])
    }

    fn key(&mut self, owner: &UserId, kind: Kind) -> ObjectKey {
        let name = FileName::parse("a.bin").unwrap_or_else(|_| unreachable!("it is a name"));
        ObjectKey::mint(owner, kind, self.id(), &name, media(kind))
    }

    /// Adds the record of a pending file.
    fn pending(&mut self, owner: &UserId, kind: Kind) -> File {
        let (key, name) = (self.key(owner, kind), FileName::stored("a.bin".to_owned()));
        File { changed_at: GRANTED, ..File::granted(key, name, media(kind), SIZE, Duration::from_mins(15), self.at()) }
    }

    fn ready(&mut self, owner: &UserId, kind: Kind) -> File {
        let pinned = Pinned { version: "v1".to_owned(), etag: "e".to_owned(), sequencer: String::new() };
        let arrival = Arrival { pinned, size: SIZE, measured: Measured::default() };
        let mut file = self.pending(owner, kind).accept(arrival, GRANTED).file;
        if kind == Kind::Image {
            let copy = DerivedCopy { rendition: Rendition::Small, media: media(kind), version: "d1".to_owned() };
            file.derivatives = Some(Derivatives { state: DerivativeState::Ready, copies: vec![copy] });
        }
        file
    }

    fn record(&self, file: &File) {
        self.world.change(|state| {
            let owner = file.owner().clone();
            LedgerDelta::of(file).apply(state.usage.entry(owner.clone()).or_default(), file.kind());
            state.plans.insert(owner.clone(), Plan::Pro);
            state.files.insert((owner, file.id()), file.clone());
        });
    }

    fn store(&self, key: &str, version: &str, bytes: u64) {
        let bytes = vec![0; usize::try_from(bytes).unwrap_or(0)];
        self.world.put_object(key, version, bytes);
    }

    fn derived_key(file: &File) -> String {
        DerivedKey::mint(file.owner(), file.id(), Rendition::Small, media(Kind::Image)).to_string()
    }

    /// Adds a file as it should be, with its object and copies, also in the replica. Returns it.
    pub fn sound(&mut self, owner: &UserId, kind: Kind) -> File {
        let file = self.ready(owner, kind);
        self.record(&file);
        self.store(file.key.as_str(), "v1", SIZE);
        self.replica.put_object(file.key.as_str(), "v1", vec![0; 10]);
        if kind == Kind::Image {
            self.store(&Self::derived_key(&file), "d1", SIZE);
            self.replica.put_object(&Self::derived_key(&file), "d1", vec![0; 10]);
        }
        file
    }

    /// Adds what is under way or left alone, and must not be found.
    pub fn innocent(&mut self, owner: &UserId, kind: Kind) {
        let young = self.at().minus(Duration::from_hours(23));
        // A deleted file whose record is kept, and a grant that waits, with an upload that has just arrived.
        let deleted = self.ready(owner, kind).remove(Removal::Deleted, GRANTED).file;
        self.record(&deleted);
        let waiting = self.pending(owner, kind);
        self.record(&waiting);
        self.store(waiting.key.as_str(), "w1", SIZE);
        // An upload in parts with its session.
        let mut session = self.pending(owner, Kind::Video);
        let id = format!("named-{}", self.count);
        let upload = Some(OpenUpload { id: id.clone(), checked: false });
        session.parts = Some(PartSession { part_size: 16 << 20, part_count: 2, upload, completing: None });
        self.record(&session);
        self.world.change(|state| {
            let upload = PartedUpload { key: session.key.to_string(), ..PartedUpload::default() };
            state.uploads.insert(id, upload);
        });
        // Objects, versions and uploads that are too young to be judged.
        let (orphan, sound) = (self.key(owner, kind).to_string(), self.sound(owner, kind).key.to_string());
        let derived = DerivedKey::mint(owner, self.id(), Rendition::Small, media(Kind::Image)).to_string();
        for (key, version) in [(&orphan, "y1"), (&sound, "y2"), (&derived, "y3")] {
            self.store(key, version, SIZE);
            self.world.change(|state| {
                state.reconcile.ages.insert((key.clone(), version.to_owned()), young);
            });
        }
        for key in ["private/mark.png", "uploads/2026/11/0-photo.png"] {
            self.world.change(|state| drop(state.objects.remove(key)));
            self.store(key, "p1", SIZE);
        }
    }

    fn want(&mut self, kind: FindingKind, key: &str, version: Option<&str>) {
        self.wanted.insert((kind, key.to_owned(), version.map(str::to_owned)));
    }

    /// Plants one difference of a kind. A ledger of a user is wrong once.
    pub fn plant(&mut self, finding: FindingKind, owner: &UserId, kind: Kind) {
        use FindingKind as F;
        let version = match finding {
            F::ObjectWithoutRecord => {
                let key = self.key(owner, kind).to_string();
                self.store(&key, "o1", SIZE);
                return self.want(finding, &key, Some("o1"));
            }
            F::DerivedWithoutOriginal => {
                let key = DerivedKey::mint(owner, self.id(), Rendition::Large, media(Kind::Image)).to_string();
                self.store(&key, "o2", SIZE);
                return self.want(finding, &key, Some("o2"));
            }
            F::ReplicaWithoutOriginal => {
                let key = self.key(owner, kind).to_string();
                self.replica.put_object(&key, "r1", vec![0; 3]);
                return self.want(finding, &key, Some("r1"));
            }
            F::UnknownObject => {
                let key = format!("{owner}/elsewhere/{}", self.id());
                self.store(&key, "u1", SIZE);
                return self.want(finding, &key, Some("u1"));
            }
            F::OverdueRecord => {
                let mut file = self.pending(owner, kind);
                (file.granted_at, file.grant_expires_at) = (GRANTED, GRANTED.plus(Duration::from_mins(15)));
                self.record(&file);
                return self.want(finding, file.key.as_str(), None);
            }
            F::LedgerDiffers => {
                let wrong = LedgerSums { committed: -7, ..LedgerSums::default() };
                self.world.change(|state| {
                    state.reconcile.ledgers.insert(owner.clone(), wrong);
                });
                return self.want(finding, owner.as_str(), None);
            }
            F::UnreadableRecord => {
                let key = self.key(owner, kind);
                self.store(key.as_str(), "k1", SIZE);
                self.world.change(|state| {
                    state.reconcile.unreadable.insert((owner.clone(), key.file()));
                    state.plans.insert(owner.clone(), Plan::Pro);
                });
                return self.want(finding, &format!("{owner}/{}", key.file()), None);
            }
            // It is about the replica as a whole, so nothing is planted.
            F::ReplicaUnavailable => return,
            F::RecordWithoutObject | F::OtherVersion | F::OtherSize => "v1",
            F::VersionWithoutRecord => "old",
            F::DeleteMarker => "marker",
            F::DerivedMissing => "d1",
            F::UploadWithoutSession => "upload",
        };
        let file = self.sound(owner, if finding == F::DerivedMissing { Kind::Image } else { kind });
        let (key, derived) = (file.key.to_string(), Self::derived_key(&file));
        let id = format!("{version}-{}", self.count);
        let new = |id: &str, bytes| Version { id: id.to_owned(), bytes, zeros: 0 };
        self.world.change(|state| match finding {
            F::RecordWithoutObject => drop(state.objects.remove(&key)),
            F::OtherVersion => drop(state.objects.insert(key.clone(), vec![new("v2", vec![0; 10])])),
            F::OtherSize => drop(state.objects.insert(key.clone(), vec![new("v1", vec![0; 9])])),
            F::DerivedMissing => drop(state.objects.remove(&derived)),
            F::UploadWithoutSession => {
                let upload = PartedUpload { key: key.clone(), ..PartedUpload::default() };
                state.uploads.insert(id.clone(), upload);
            }
            _ => {
                let versions = state.objects.entry(key.clone()).or_default();
                versions.insert(0, new(&id, vec![0; 4]));
                if finding == F::DeleteMarker {
                    versions.swap(0, 1);
                    state.reconcile.markers.insert((key.clone(), id.clone()));
                }
            }
        });
        let named = if matches!(finding, F::RecordWithoutObject | F::OtherVersion | F::OtherSize | F::DerivedMissing) {
            version.to_owned()
        } else {
            id
        };
        let key = if finding == F::DerivedMissing { derived } else { key };
        self.want(finding, &key, Some(&named));
    }
}

fn media(kind: Kind) -> &'static MediaType {
    let name = match kind {
        Kind::Image => "image/png",
        Kind::Video => "video/mp4",
        Kind::Book | Kind::Document => "application/pdf",
        Kind::Blog => "text/markdown",
        Kind::Audio => "audio/mpeg",
    };
    MediaType::from_name(name).unwrap_or_else(|| unreachable!("{name} is a type"))
}
