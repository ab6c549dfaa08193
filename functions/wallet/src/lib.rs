//! Shows an organisation's wallet, and the caller's test wallet.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::credits::{CURRENCY, Wallet, WalletId};
use consigne_core::orgs::org_not_found;
use consigne_core::ports::{GetMember, GetWallet};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use schemars::JsonSchema;
use serde::Serialize;

/// A wallet: `balance + held + total_used + total_expired + total_clawed_back == total_purchased + total_granted`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WalletView {
    /// Credits to spend. Below zero when a refund took back more credits than were left.
    pub balance: i64,
    /// Credits reserved by open holds.
    pub held: u64,
    /// Credits bought since the wallet was opened.
    pub total_purchased: u64,
    /// Credits given for free since the wallet was opened.
    pub total_granted: u64,
    /// Credits spent since the wallet was opened.
    pub total_used: u64,
    /// Credits that have expired since the wallet was opened.
    pub total_expired: u64,
    /// Credits taken back after refunds and disputes since the wallet was opened.
    pub total_clawed_back: u64,
    /// Currency in which credits are bought.
    #[schemars(extend("const" = CURRENCY))]
    pub currency: &'static str,
    /// Whether keys may spend from it. False while the organisation is suspended.
    pub is_open: bool,
    /// The caller's test wallet.
    pub test: TestView,
    /// Credit lots that are not spent, in no particular order.
    pub buckets: Vec<LotView>,
}

/// A person's test wallet.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TestView {
    /// Test credits to spend.
    pub balance: i64,
    /// When the balance is reset to 100 credits.
    #[schemars(extend("format" = "date-time"))]
    pub resets_at: Option<String>,
}

/// A credit lot: credits that came together and expire together.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LotView {
    /// Id of the lot.
    pub id: String,
    /// `promo` or `paid`. Promotional credits are spent first.
    #[schemars(extend("enum" = ["promo", "paid"]))]
    pub kind: &'static str,
    /// Credits in the lot when it was added.
    pub amount: u64,
    /// Credits of the lot that are left.
    pub left: u64,
    /// When the credits that are left expire; null when they do not.
    #[schemars(extend("format" = "date-time"))]
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
        vec![Operation::new::<WalletView>("GET /api/orgs/{org}/wallet", "Get an organisation's wallet").in_org()]
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
