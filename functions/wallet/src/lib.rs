//! Shows an organisation's credits, and the caller's test credits.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::credits::{Wallet, WalletId};
use consigne_core::orgs::org_not_found;
use consigne_core::ports::{GetMember, GetWallet};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use schemars::JsonSchema;
use serde::Serialize;

/// A wallet: `balance + held + total_used + total_expired + total_clawed_back == total_purchased + total_granted`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WalletView {
    /// Credits to spend; below zero when more was taken back after a refund than was left.
    pub balance: i64,
    /// Credits set aside for jobs that run.
    pub held: u64,
    /// Credits ever bought.
    pub total_purchased: u64,
    /// Credits ever given.
    pub total_granted: u64,
    /// Credits ever spent.
    pub total_used: u64,
    /// Credits ever lost by expiry.
    pub total_expired: u64,
    /// Credits ever taken back after a refund.
    pub total_clawed_back: u64,
    /// Currency credits are bought in.
    pub currency: &'static str,
    /// Whether keys may spend from it; not while the organisation is suspended.
    pub is_open: bool,
    /// The caller's test wallet.
    pub test: TestView,
    /// Lots that are not spent, in no particular order.
    pub buckets: Vec<LotView>,
}

/// A person's test wallet.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TestView {
    /// Test credits to spend.
    pub balance: i64,
    /// When they are a hundred again.
    pub resets_at: Option<String>,
}

/// A lot of credits.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LotView {
    /// Id.
    pub id: String,
    /// `promo` or `paid`; promotional credits are spent first.
    pub kind: &'static str,
    /// Credits it brought.
    pub amount: u64,
    /// Credits left of it.
    pub left: u64,
    /// When what is left is lost.
    pub expires_at: Option<String>,
}

function! {
    users: SessionVerifier = session_verifier(),
    credits: A::Table = table(),
}

impl<A: Adapters<Table: GetMember + GetWallet>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.credits, Route::Wallet).await?;
        let (own, test) = (WalletId::Organisation(org), WalletId::Test(user.id));
        let (wallet, test) =
            tokio::try_join!(self.credits.get_wallet(&own, request.now), self.credits.get_wallet(&test, request.now))?;
        let (wallet, test) = (wallet.ok_or_else(org_not_found)?, test.ok_or_else(org_not_found)?);
        Ok(Answer::envelope(200, "Wallet", &show(&wallet, &test), request.now))
    }

    fn operations() -> Vec<Operation> {
        vec![Operation::new::<WalletView>("GET /api/orgs/{org}/wallet", "Get an organisation's credits").in_org()]
    }
}

fn show(wallet: &Wallet, test: &Wallet) -> WalletView {
    let buckets = wallet.lots.iter().map(|(id, bucket)| LotView {
        id: id.to_string(),
        kind: bucket.kind.name(),
        amount: bucket.amount,
        left: bucket.left,
        expires_at: bucket.expires_at.map(|expiry| expiry.to_string()),
    });
    WalletView {
        balance: wallet.balance,
        held: wallet.held,
        total_purchased: wallet.purchased,
        total_granted: wallet.granted,
        total_used: wallet.used,
        total_expired: wallet.expired,
        total_clawed_back: wallet.clawed_back,
        currency: "EUR",
        is_open: wallet.open,
        test: TestView { balance: test.balance, resets_at: test.next_expiry.map(|reset| reset.to_string()) },
        buckets: buckets.collect(),
    }
}
