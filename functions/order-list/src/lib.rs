//! Lists the orders of one status for experts, newest first.

use consigne_auth::{Role, SessionVerifier};
use consigne_core::orders::{OrderStatus, OrderView};
use consigne_core::ports::ListOrders;
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Paging, Request, function};

function! {
    users: SessionVerifier = session_verifier(),
    orders: A::Table = table(),
    paging: Paging = paging().await,
}

impl<A: Adapters<Table: ListOrders>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        user.require_role(Role::Expert)?;
        let status = request.query("status")?.map_or(Ok(OrderStatus::Submitted), |name| status(&name))?;
        let context = [Self::NAME, user.id.as_str(), status.name()];
        let page = self.paging.ask(request, &context)?;

        let listed = self.orders.list_orders(status, &page).await?;
        Ok(self.paging.answer("Orders listed", &listed, OrderView::of, request, &context))
    }

    fn operations() -> Vec<Operation> {
        let statuses = OrderStatus::ALL.map(OrderStatus::name);
        let operation = Operation::new::<Vec<OrderView>>("GET /api/orders", "List orders, for experts").in_envelope();
        let operation = operation.parameter("status", "Only orders with this status; `submitted` when absent", false);
        vec![operation.one_of(&statuses).paged().refuses(&[Code::RoleRequired])]
    }
}

fn status(name: &str) -> Result<OrderStatus, Fault> {
    let names = OrderStatus::ALL.map(OrderStatus::name);
    OrderStatus::from_name(name)
        .ok_or_else(|| Fault::field("status", format!("status must be one of {}", names.join(", "))))
}
