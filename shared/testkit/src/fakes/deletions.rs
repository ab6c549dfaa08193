//! Fakes for deleting organisations.

use consigne_core::credits::WalletId;
use consigne_core::deletions::{DeletionAsk, DeletionOutcome, OrgDeletion};
use consigne_core::events::Event;
use consigne_core::idempotency::CommitOutcome;
use consigne_core::orgs::{Member, OrgRole};
use consigne_core::ports::{DeleteOrg, DismissMember, EndDeletion, PostponeDeletion};
use consigne_core::{Fault, OrgId, Timestamp, UserId};

use super::World;

impl DeleteOrg for World {
    async fn delete_org(&self, ask: &DeletionAsk) -> Result<DeletionOutcome, Fault> {
        let owner = ask.owner()?;
        self.act(&ask.origin, ask.now, |state| {
            let id = WalletId::Organisation(ask.org);
            if !state.accounts.orgs.contains_key(&ask.org) {
                return DeletionOutcome::NotFound;
            }
            state.expire_lots_of(&id, ask.now);
            let accounts = &mut state.accounts;
            let wallet = accounts.wallets.get_mut(&id).expect("every organisation has a wallet");
            if wallet.held > 0 {
                return DeletionOutcome::HoldsOpen;
            }
            let role = |owner: &UserId| accounts.members.get(&(ask.org, owner.clone())).map(|member| member.role);
            if owner.is_some_and(|owner| role(owner) != Some(OrgRole::Owner)) {
                return DeletionOutcome::NotFound;
            }
            let deletion = ask.deletion(wallet);
            (wallet.open, wallet.revision) = (false, wallet.revision + 1);
            let org = accounts.orgs.remove(&ask.org).expect("it was just found");
            accounts.deleted.insert(ask.org, org);
            accounts.founders.remove(&ask.org);
            accounts.deletions.insert(ask.org, deletion.clone());
            accounts.audit.push(ask.audit(&deletion));
            DeletionOutcome::Deleted(deletion)
        })
    }
}

impl DismissMember for World {
    async fn dismiss_member(&self, member: &Member, event: &Event) -> Result<CommitOutcome, Fault> {
        self.effect(|state| {
            if state.accounts.members.remove(&(member.org, member.user.clone())).is_none() {
                return CommitOutcome::Conflict;
            }
            state.push_event(event);
            CommitOutcome::Committed
        })
    }
}

impl PostponeDeletion for World {
    async fn postpone_deletion(&self, deletion: &OrgDeletion, until: Timestamp) -> Result<(), Fault> {
        self.effect(|state| {
            if let Some(known) = state.accounts.deletions.get_mut(&deletion.org) {
                known.due_at = until;
            }
        })
    }
}

impl EndDeletion for World {
    async fn end_deletion(&self, org: OrgId) -> Result<(), Fault> {
        self.effect(|state| drop(state.accounts.deletions.remove(&org)))
    }
}
