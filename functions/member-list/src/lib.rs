//! Lists the members of an organisation.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::orgs::{Member, MemberView};
use consigne_core::ports::{GetMember, GetProfiles, ListMembers};
use consigne_core::profiles::Profile;
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Paging, Request, function};

function! {
    users: SessionVerifier = session_verifier(),
    orgs: A::Table = table(),
    paging: Paging = paging().await,
}

impl<A: Adapters<Table: GetMember + ListMembers + GetProfiles>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.orgs, Route::MemberList).await?;
        let id = org.to_string();
        let context = [Self::NAME, user.id.as_str(), &id];
        let page = self.paging.ask(request, &context)?;
        let listed = self.orgs.list_members(org, &page).await?;
        let users = listed.items.iter().map(|member| member.user.clone()).collect();
        let people = self.orgs.get_profiles(&users).await?;
        let show = |member: &Member| {
            let profile = people.get(&member.user);
            MemberView {
                name: profile.and_then(Profile::name).map(str::to_owned),
                email: profile.and_then(Profile::verified).map(|contact| contact.email.clone()),
                ..MemberView::of(member)
            }
        };
        Ok(self.paging.answer("Members listed", &listed, show, request, &context))
    }

    fn operations() -> Vec<Operation> {
        let operation =
            Operation::new::<Vec<MemberView>>("GET /api/orgs/{org}/members", "List an organisation's members");
        vec![operation.in_org().paged()]
    }
}
