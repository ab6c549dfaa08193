//! Exports the caller's data: asks for an export, and shows whether it can be downloaded.
//!
//! Asking writes the export and the event that makes `export-worker` write it, in one transaction. Whoever asks again while
//! one is under way, or within an hour, gets the same one. Only the other route signs URLs, because its requests are audited.

use consigne_auth::SessionVerifier;
use consigne_core::exports::{EXPORT_TICKET, Export, ExportState};
use consigne_core::files::{Disposition, FileName, MediaType, Readable};
use consigne_core::ports::{GetExport, GetProfile, RequestExport};
use consigne_core::{Fault, Timestamp};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_storage::Presigner;
use schemars::JsonSchema;
use serde::Serialize;

/// The caller's export.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DataExport {
    /// Id; null if there is none.
    pub export_id: Option<String>,
    /// `pending` until it can be downloaded.
    #[schemars(extend("enum" = ExportState::ALL.map(ExportState::name)))]
    pub state: &'static str,
    /// When it was asked for.
    #[schemars(extend("format" = "date-time"))]
    pub requested_at: Option<String>,
    /// Until when it can be downloaded. While it is pending: when it has failed.
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: Option<String>,
    /// Number of records that are written.
    pub records: u64,
    /// Its objects once it is ready, the manifest first; only `GET` has them.
    pub parts: Vec<ExportPart>,
}

/// An object of an export, a JSON document.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ExportPart {
    /// Name of the object.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// How many of its records are about files.
    pub files: u64,
    /// Signed URL to `GET` it from, for five minutes at most.
    #[schemars(extend("format" = "uri"))]
    pub url: String,
}

function! {
    users: SessionVerifier = session_verifier(),
    exports: A::Table = table(),
    tickets: Presigner = presigner(),
}

impl<A: Adapters<Table: RequestExport + GetExport + GetProfile>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        if request.route().starts_with("GET ") {
            let (profile, export) =
                futures_util::try_join!(self.exports.get_profile(&user.id), self.exports.get_export(&user.id))?;
            profile.require_open()?;
            if let Some(export) = &export {
                request.log.field("export.id", export.id);
            }
            let view = show(export.as_ref(), self.sign(export.as_ref(), request.now)?, request.now);
            return Ok(Answer::envelope(200, "Your export", &view, request.now));
        }
        let export = self.exports.request_export(&Export::begin(user.id, request.now), None).await?;
        request.log.field("export.id", export.id);
        let text = if export.state(request.now) == ExportState::Ready {
            "Your data is ready already; an hour after you asked for it you can ask again"
        } else {
            "Your data is being collected; you get a mail when it is ready"
        };
        Ok(Answer::envelope(202, text, &show(Some(&export), Vec::new(), request.now), request.now))
    }

    fn operations() -> Vec<Operation> {
        vec![
            Operation::new::<DataExport>("POST /api/me/export", "Ask for an export of the caller's data")
                .in_envelope()
                .accepted(),
            Operation::new::<DataExport>("GET /api/me/export", "Get the caller's export").in_envelope(),
        ]
    }
}

impl<A: Adapters> Function<A> {
    /// Signs the URLs of an export's objects. There are none unless it is ready.
    fn sign(&self, export: Option<&Export>, now: Timestamp) -> Result<Vec<ExportPart>, Fault> {
        let Some(export) = export.filter(|export| export.state(now) == ExportState::Ready) else {
            return Ok(Vec::new());
        };
        let valid = self.tickets.validity(EXPORT_TICKET, now)?;
        let media = MediaType::from_name("application/json").ok_or_else(|| Fault::internal("no type of JSON"))?;
        let mut parts = Vec::new();
        for (key, part) in export.objects() {
            let name = key.name().to_owned();
            let readable = Readable {
                key: key.to_string(),
                name: FileName::stored(name.clone()),
                media,
                version: part.version.clone(),
                asked: Some(Disposition::Attachment),
            };
            let url = self.tickets.read(&readable, valid, now)?;
            parts.push(ExportPart { name, size: part.size, files: part.files, url });
        }
        Ok(parts)
    }
}

fn show(export: Option<&Export>, parts: Vec<ExportPart>, now: Timestamp) -> DataExport {
    DataExport {
        export_id: export.map(|export| export.id.to_string()),
        state: export.map_or(ExportState::None, |export| export.state(now)).name(),
        requested_at: export.map(|export| export.requested_at.to_string()),
        expires_at: export.map(|export| export.expires_at.to_string()),
        records: export.map_or(0, |export| export.counts.values().sum()),
        parts,
    }
}
