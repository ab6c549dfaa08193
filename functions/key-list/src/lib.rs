//! Lists an organisation's keys, newest first. The answer does not contain their texts.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::keys::{ApiKey, KeyView};
use consigne_core::ports::{GetMember, GetProfiles, ListKeys};
use consigne_core::profiles::Profile;
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Paging, Request, function};

function! {
    users: SessionVerifier = session_verifier(),
    keys: A::Table = table(),
    paging: Paging = paging().await,
}

impl<A: Adapters<Table: GetMember + ListKeys + GetProfiles>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.keys, Route::KeyList).await?;
        let id = org.to_string();
        let context = [Self::NAME, user.id.as_str(), &id];
        let page = self.paging.ask(request, &context)?;
        let listed = self.keys.list_keys(org, &page).await?;
        let creators = listed.items.iter().map(|key| key.created_by.clone()).collect();
        let people = self.keys.get_profiles(&creators).await?;
        let name_of = |key: &ApiKey| people.get(&key.created_by).and_then(Profile::name).map(str::to_owned);
        let show = |key: &ApiKey| KeyView { created_by_name: name_of(key), ..KeyView::of(key, request.now) };
        Ok(self.paging.answer("Keys listed", &listed, show, request, &context))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<Vec<KeyView>>("GET /api/orgs/{org}/keys", "List an organisation's keys");
        vec![operation.in_org().paged()]
    }
}
