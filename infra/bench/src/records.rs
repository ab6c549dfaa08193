//! The records in the stub's table: one of each kind, as the payloads of events/ name them.

use std::collections::BTreeSet;
use std::time::Duration;

use consigne_core::anomalies::OnAnomaly;
use consigne_core::credits::{Checkout, Hold, HoldId, PaymentId, SessionId, Wallet, WalletId};
use consigne_core::deliveries::{Delivery, DeliveryStatus};
use consigne_core::endpoints::{Endpoint, EndpointStatus, HookUrl};
use consigne_core::events::EventKind;
use consigne_core::files::{
    Dimensions, File, FileName, Kind, LedgerState, MediaType, ObjectKey, OpenUpload, PART_SIZE, PartSession, Pinned,
    Status, UPLOAD_GRANT_VALID,
};
use consigne_core::invitations::{Invitation, InvitationStatus};
use consigne_core::jobs::{Ask, Job};
use consigne_core::keys::{ApiKey, KeyMode};
use consigne_core::orders::Order;
use consigne_core::orgs::{Member, OrgRole, Organisation};
use consigne_core::pacing::Rate;
use consigne_core::{
    DeliveryId, EmailAddress, EndpointId, EventId, FileId, InvitationId, JobId, KeyId, OrgId, Plan, PublicId,
    Timestamp, UserId,
};
use consigne_testkit::accounts;

use crate::stub::{API_KEY, INVITATION, INVITED, KEY, ORG};

/// The keys of a film that is uploaded in parts, and of a published file.
const FILM: &str = "user_ann1/videos/01M7YREWKH7VM7Z3Z2KWSH2FTM-film.mp4";
const PUBLIC: &str = "user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH2FTP-photo-ete.png";
/// The address of the published file.
const ADDRESS: &str = "pub_01M7YREWKH7VM7Z3Z2KWSH2FTP";
/// S3's id of the upload in parts.
const UPLOAD: &str = "upload-1";

/// When all records were created.
const CREATED: Timestamp = Timestamp::from_millis(1_795_257_000_000);
/// A time in the far future, at which grants, holds, invitations and jobs end.
const FAR: Timestamp = Timestamp::from_millis(4_102_444_800_000);

/// One record of each kind.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) file: File,
    /// A file whose upload in parts is open.
    pub(crate) film: File,
    /// A published file.
    pub(crate) public: File,
    pub(crate) order: Order,
    pub(crate) org: Organisation,
    pub(crate) member: Member,
    pub(crate) invitation: Invitation,
    pub(crate) key: ApiKey,
    pub(crate) wallet: Wallet,
    pub(crate) hold: Hold,
    pub(crate) checkout: Checkout,
    pub(crate) endpoint: Endpoint,
    pub(crate) delivery: Delivery,
    /// A job of every kind that a webhook may complete: picture, book, video.
    pub(crate) jobs: [Job; 3],
}

impl Records {
    /// Creates the records. Returns `None` if this module or the stub names one in a malformed way.
    pub(crate) fn new() -> Option<Self> {
        let (org, ann) = (OrgId::parse(ORG)?, UserId::parse("user_ann1")?);
        let key = ApiKey {
            id: KeyId::parse(API_KEY)?,
            scopes: BTreeSet::from(["pdf:read".to_owned()]),
            ..accounts::key(org, &ann, false, CREATED)
        };
        let endpoint = endpoint(org, &ann)?;
        Some(Self {
            file: file()?,
            film: film()?,
            public: public()?,
            order: Order::paid(PaymentId::parse("pi_3QxOrder")?, CREATED),
            org: Organisation {
                id: org,
                name: "Acme".to_owned(),
                slug: "acme-sh2ftr".to_owned(),
                created_at: CREATED,
                suspended: false,
                on_anomaly: OnAnomaly::default(),
            },
            member: Member { org, user: ann.clone(), role: OrgRole::Owner, joined_at: CREATED },
            invitation: invitation(org)?,
            wallet: Wallet::of_organisation(org, CREATED),
            hold: hold(&key)?,
            checkout: checkout(org, &ann)?,
            delivery: delivery(&endpoint)?,
            endpoint,
            key,
            jobs: [
                job(&ann, 'R', Kind::Image, Ask::images("a lighthouse", None, None).ok()?)?,
                job(&ann, 'T', Kind::Book, Ask::text("lighthouses", None, None).ok()?)?,
                job(&ann, 'V', Kind::Video, Ask::video("a lighthouse", None, None).ok()?)?,
            ],
        })
    }
}

/// Creates a ready file.
pub(crate) fn file() -> Option<File> {
    let (name, media) = (FileName::parse("photo été.png").ok()?, MediaType::from_name("image/png")?);
    Some(File {
        ledger_state: LedgerState::Kept,
        status: Status::Ready,
        changed_at: CREATED.plus(Duration::from_secs(1)),
        pinned: Some(Pinned { version: "v1".to_owned(), etag: "e1".to_owned(), sequencer: "05".to_owned() }),
        dimensions: Some(Dimensions { width: 640, height: 480 }),
        revision: 2,
        ..File::granted(ObjectKey::parse(KEY)?, name, media, 1_000, UPLOAD_GRANT_VALID, CREATED)
    })
}

/// Creates a film of which S3 has some parts.
fn film() -> Option<File> {
    let upload = Some(OpenUpload { id: UPLOAD.to_owned(), checked: false });
    let size = 6 * PART_SIZE + 4_194_305;
    Some(File {
        key: ObjectKey::parse(FILM)?,
        name: FileName::parse("film.mp4").ok()?,
        media: MediaType::from_name("video/mp4")?,
        size,
        ledger_state: LedgerState::Reserved,
        status: Status::Pending,
        grant_expires_at: FAR,
        pinned: None,
        dimensions: None,
        parts: Some(PartSession { part_size: PART_SIZE, part_count: 7, upload, completing: None }),
        ..file()?
    })
}

/// Creates a published file.
fn public() -> Option<File> {
    let key = ObjectKey::parse(PUBLIC)?;
    Some(File { key, published: Some(PublicId::parse(ADDRESS)?), ..file()? })
}

/// Creates an open invitation.
fn invitation(org: OrgId) -> Option<Invitation> {
    Some(Invitation {
        org,
        id: InvitationId::parse(INVITATION)?,
        email: EmailAddress::parse(INVITED)?,
        role: OrgRole::Developer,
        invited_by: UserId::parse("user_adam1")?,
        created_at: CREATED,
        expires_at: FAR,
        status: InvitationStatus::Open,
    })
}

/// Creates an open hold of a key.
fn hold(key: &ApiKey) -> Option<Hold> {
    Some(Hold {
        id: HoldId::parse("hold_01M7YREWKH7VM7Z3Z2KWSH2FTR_7GX2TX2RY2MXJ5QCNJPPQMA8T0")?,
        key: key.id,
        environment: KeyMode::Production,
        wallet: WalletId::Organisation(key.org),
        expiry_epoch: 0,
        amount: 50,
        service: "pdf".to_owned(),
        scope: None,
        caller: "pdf-api".to_owned(),
        fingerprint: String::new(),
        opened_at: CREATED,
        expires_at: FAR,
        end: None,
    })
}

fn checkout(org: OrgId, buyer: &UserId) -> Option<Checkout> {
    Some(Checkout {
        session: SessionId::parse("cs_test_1")?,
        url: "https://checkout.example.com/1".to_owned(),
        org,
        user: buyer.clone(),
        pack: "starter".to_owned(),
        credits: 1_000,
        amount_cents: 1_000,
        currency: "EUR".to_owned(),
        at: CREATED,
    })
}

fn endpoint(org: OrgId, creator: &UserId) -> Option<Endpoint> {
    Some(Endpoint {
        org,
        id: EndpointId::parse("ep_01M7YREWKH7VM7Z3Z2KWSH2FTW")?,
        url: HookUrl::kept("https://hooks.example.com/consigne")?,
        events: BTreeSet::from([EventKind::KeyRevoked]),
        rate: Rate::default(),
        status: EndpointStatus::Active,
        generation: 1,
        previous_until: None,
        failing_since: None,
        created_by: creator.clone(),
        created_at: CREATED,
        revision: 1,
    })
}

/// Creates a delivery that has ended, so that no outside server is called.
fn delivery(endpoint: &Endpoint) -> Option<Delivery> {
    Some(Delivery {
        id: DeliveryId::parse("dlv_01M7YREWKH7VM7Z3Z2KWSH2FTV")?,
        org: endpoint.org,
        endpoint: endpoint.id,
        event: EventId::parse("01M7YREWKH7VM7Z3Z2KWSH2FTX")?,
        kind: EventKind::KeyRevoked,
        person: None,
        payload: "{}".to_owned(),
        status: DeliveryStatus::Delivered,
        created_at: CREATED,
        began: CREATED,
        tries: 1,
        attempts_made: 1,
        next_at: None,
        wake_at: None,
        in_line: None,
        open: None,
        attempts: Vec::new(),
        revision: 1,
    })
}

/// Creates a job that no generator has begun. `end` is the last character of its id, by which the stub finds it.
fn job(owner: &UserId, end: char, kind: Kind, ask: Ask) -> Option<Job> {
    let tail = FileId::parse(&format!("01M7YREWKH7VM7Z3Z2KWSH2FT{end}"))?;
    let id = JobId::of(owner.clone(), tail);
    Some(Job { id, deadline: FAR, ..Job::accept(owner, Plan::Pro, kind, ask, CREATED) })
}
