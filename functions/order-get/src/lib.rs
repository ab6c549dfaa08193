//! Shows an order to experts: the answers, earlier submissions, and links of five minutes to clean copies of the photos.
//!
//! A clean copy has the same pixels and says nothing about camera, place and time. There is no link to an original. Every
//! access is in the audit, with each photo to which a link was given.

use std::collections::BTreeMap;
use std::time::Duration;

use consigne_auth::{Role, SessionVerifier};
use consigne_core::files::{DerivedCopy, File, ReadKey, Rendition};
use consigne_core::orders::{Order, OrderDetail, OrderPhotoView, Photo, order_not_found};
use consigne_core::ports::{GetFiles, GetOrder};
use consigne_core::{Code, Fault, FileId, OrderId};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_storage::Presigner;

/// How long a link to a photo is valid.
const LINK_VALID: Duration = Duration::from_mins(5);

function! {
    users: SessionVerifier = session_verifier(),
    orders: A::Table = table(),
    tickets: Presigner = presigner(),
}

impl<A: Adapters<Table: GetOrder + GetFiles>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        user.require_role(Role::Expert)?;
        let id = OrderId::parse(request.parameter("id")).ok_or_else(order_not_found)?;
        request.names_order(id);
        let order = self.orders.get_order(id).await?.ok_or_else(order_not_found)?;
        let photos = order.photos().map(Photo::file).collect();
        let files = self.orders.get_files(&order.owner(), &photos).await?;

        let links = self.links(&order, &files, request)?;
        let detail = OrderDetail::with(&order, |photo| shown(photo, &files, &links));
        Ok(Answer::envelope(200, "Order", &detail, request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<OrderDetail>("GET /api/orders/{id}", "Get an order, for experts");
        let operation = operation.in_envelope().parameter("id", "Id of the order", true);
        vec![operation.refuses(&[Code::NotFound, Code::RoleRequired])]
    }
}

/// Links by file: the URL, and when it expires.
type Links = BTreeMap<FileId, (String, String)>;

impl<A: Adapters> Function<A> {
    /// Signs a link to the clean copy of each photo, or to its largest other copy if there is none: those are clean, too.
    fn links(&self, order: &Order, files: &BTreeMap<FileId, File>, request: &Request) -> Result<Links, Fault> {
        let valid = self.tickets.validity(LINK_VALID, request.now)?;
        let mut links = Links::new();
        for file in order.photos().filter_map(|photo| files.get(&photo.file())) {
            let best = [Rendition::Clean, Rendition::Display, Rendition::Large, Rendition::Small];
            let copies = file.readable_copies();
            let Some(copy) = best.iter().find_map(|one| copies.iter().find(|copy| copy.rendition == *one)) else {
                continue;
            };
            let readable = file.readable_by(&ReadKey::Derived(file.derived_key(copy)))?;
            let url = self.tickets.read(&readable, valid, request.now)?;
            links.insert(file.id(), (url, request.now.plus(valid).to_string()));
            request.names_one_file(file.key.as_str(), None);
        }
        Ok(links)
    }
}

/// Shows a photo with its link and the keys of its copies.
fn shown(photo: &Photo, files: &BTreeMap<FileId, File>, links: &Links) -> OrderPhotoView {
    let link = links.get(&photo.file());
    let copies = files.get(&photo.file()).into_iter().flat_map(|file| {
        let key = |copy: &DerivedCopy| (copy.name().to_owned(), file.derived_key(copy).to_string());
        file.readable_copies().iter().map(key)
    });
    OrderPhotoView {
        url: link.map(|(url, _)| url.clone()),
        url_expires_at: link.map(|(_, expires_at)| expires_at.clone()),
        thumbnails: copies.collect(),
        ..OrderPhotoView::of(photo)
    }
}
