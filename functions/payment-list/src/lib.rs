//! Lists an organisation's payments for credits, newest first.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::credits::PaymentView;
use consigne_core::ports::{GetMember, ListPayments, Listed};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Paging, Request, function};

function! {
    users: SessionVerifier = session_verifier(),
    /// Members and payments.
    payments: A::Table = table(),
    paging: Paging = paging().await,
}

impl<A: Adapters<Table: GetMember + ListPayments>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.payments, Route::PaymentList).await?;
        let id = org.to_string();
        let context = [Self::NAME, user.id.as_str(), &id];
        let page = self.paging.ask(request, &context)?;
        let listed = self.payments.list_payments(org, &page).await?;
        let items: Vec<PaymentView> = listed.items.iter().filter_map(PaymentView::of).collect();
        let shown = Listed { items, next: listed.next, total: listed.total };
        Ok(self.paging.answer("Payments listed", &shown, PaymentView::clone, request, &context))
    }

    fn operations() -> Vec<Operation> {
        let operation =
            Operation::new::<Vec<PaymentView>>("GET /api/orgs/{org}/payments", "List an organisation's payments");
        vec![operation.in_org().paged()]
    }
}
