//! Lists the organisations that the caller is a member of.

use consigne_auth::SessionVerifier;
use consigne_core::Fault;
use consigne_core::orgs::OrgView;
use consigne_core::ports::ListOrgs;
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Paging, Request, function};

function! {
    users: SessionVerifier = session_verifier(),
    orgs: A::Table = table(),
    paging: Paging = paging().await,
}

impl<A: Adapters<Table: ListOrgs>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        let context = [Self::NAME, user.id.as_str()];
        let page = self.paging.ask(request, &context)?;
        let listed = self.orgs.list_orgs(&user.id, &page).await?;
        let show = |(org, member): &_| OrgView::of(org, member);
        Ok(self.paging.answer("Organisations listed", &listed, show, request, &context))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<Vec<OrgView>>("GET /api/orgs", "List the caller's organisations");
        vec![operation.in_envelope().paged()]
    }
}
