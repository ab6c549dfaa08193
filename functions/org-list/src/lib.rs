//! Lists the organisations a person is a member of.

use consigne_auth::SessionVerifier;
use consigne_core::Fault;
use consigne_core::orgs::OrgView;
use consigne_core::ports::ListOrgs;
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Paging, Request, Start, Wire, Wiring};

/// The function, with what it works with.
pub struct Function<A: Adapters> {
    users: SessionVerifier,
    orgs: A::Table,
    paging: Paging,
}

impl<A: Adapters> Wire<A> for Function<A> {
    fn wire(start: &Start<A>) -> Wiring<Self> {
        let (users, orgs) = (start.session_verifier()?, start.table()?);
        Ok(start.paging()?.map(move |paging| Self { users, orgs, paging }))
    }
}

impl<A: Adapters<Table: ListOrgs>> HttpFunction for Function<A> {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    /// Answers a request for the caller's organisations.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        let context = ["org-list", user.id.as_str()];
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
