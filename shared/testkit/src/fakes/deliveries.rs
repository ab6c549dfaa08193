//! Fakes for customers' endpoints and deliveries, with receivers that answer as planned.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use consigne_core::audit::AuditEntry;
use consigne_core::deliveries::{
    Delivery, DeliveryStep, IN_FLIGHT_MAX, MoveOutcome, Post, Posted, REDELIVERIES_AN_HOUR, Slot, SlotChange,
    redelivery_hour, too_many_redeliveries,
};
use consigne_core::endpoints::{
    ENDPOINTS_MAX, Endpoint, EndpointStep, EndpointTest, NewEndpoint, TESTS_AN_HOUR, test_hour, too_many_endpoints,
    too_many_tests, url_taken,
};
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome};
use consigne_core::pacing::{Pace, PaceAsk, Paced};
use consigne_core::ports::{
    ChangeEndpoint, Clock, CreateEndpoint, DeleteEndpoint, DeliveryFilter, Due, FindEndpoints, ForgetEndpoints,
    GetDelivery, GetEndpoint, ListDeliveries, ListEndpoints, Listed, MoveDelivery, PaceCall, PageAsk, PostWebhook,
    RecordDelivery, Redeliver, ResolveHost, SnoozeDelivery, TestEndpoint,
};
use consigne_core::{DeliveryId, EndpointId, Fault, OrgId, Timestamp, UserId};

use super::accounts::page;
use super::{State, World};

/// Endpoints and deliveries, and customers' servers with their planned answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WebhookFakes {
    /// Endpoints by organisation and id.
    pub endpoints: BTreeMap<(OrgId, EndpointId), Endpoint>,
    /// Organisations of endpoints, by the person who registered the endpoint.
    pub pointers: BTreeMap<(UserId, EndpointId), OrgId>,
    /// Deliveries by id.
    pub deliveries: BTreeMap<(OrgId, DeliveryId), Delivery>,
    /// Until when `sweep` snoozes deliveries.
    pub snoozed: BTreeMap<(OrgId, DeliveryId), (u64, Timestamp)>,
    /// Slots of organisations that are taken.
    pub slots: BTreeMap<OrgId, BTreeSet<Slot>>,
    /// Paces by destination.
    pub paces: BTreeMap<String, Pace>,
    /// Number of redeliveries by organisation and hour.
    pub redeliveries: BTreeMap<(OrgId, Timestamp), u32>,
    /// Number of tests by organisation and hour.
    pub tests: BTreeMap<(OrgId, Timestamp), u32>,
    /// Webhooks that were sent, in order.
    pub posted: Vec<Post>,
    /// The receivers' next answers, in order. After the last one they answer 200.
    pub answers: VecDeque<Posted>,
    /// IP addresses of host names. Other names do not resolve.
    pub names: BTreeMap<String, Vec<IpAddr>>,
}

impl WebhookFakes {
    /// Returns the deliveries that are due for `sweep`, with the time at which they are due.
    pub(super) fn due(&self) -> impl Iterator<Item = ((Timestamp, String), Due)> {
        self.deliveries.values().filter_map(|delivery| {
            let snoozed = self.snoozed.get(&(delivery.org, delivery.id));
            let snoozed = snoozed.filter(|(revision, _)| *revision == delivery.revision).map(|(_, until)| *until);
            let wake = delivery.wake_at.map(|wake| snoozed.unwrap_or(wake))?;
            Some(((wake, delivery.id.to_string()), Due::Delivery(Box::new(delivery.clone()))))
        })
    }

    fn is_current(&self, step: &EndpointStep) -> bool {
        let known = self.endpoints.get(&(step.endpoint.org, step.endpoint.id));
        known.is_some_and(|known| known.revision == step.seen)
    }

    /// Returns whether another endpoint of the organisation has the endpoint's URL.
    fn has_url(&self, endpoint: &Endpoint) -> bool {
        let others = self.endpoints.values().filter(|known| known.org == endpoint.org && known.id != endpoint.id);
        others.map(|known| known.url.same()).any(|url| url == endpoint.url.same())
    }

    /// Takes or gives back a slot. Returns whether it could be taken.
    fn change_slot(&mut self, org: OrgId, change: SlotChange) -> bool {
        let slots = self.slots.entry(org).or_default();
        match change {
            SlotChange::GiveBack(slot) => {
                slots.remove(&slot);
                true
            }
            SlotChange::Take(slot) => {
                slots.retain(|taken| !taken.is_over(slot.started()));
                slots.len() < IN_FLIGHT_MAX as usize && slots.insert(slot)
            }
        }
    }

    fn has_moved(&self, step: &DeliveryStep) -> bool {
        let known = self.deliveries.get(&(step.delivery.org, step.delivery.id));
        known.is_none_or(|known| known.revision != step.seen)
    }

    fn put(&mut self, delivery: &Delivery) {
        self.deliveries.insert((delivery.org, delivery.id), delivery.clone());
    }
}

impl State {
    fn take_endpoint_step(&mut self, step: &EndpointStep) {
        self.hooks.endpoints.insert((step.endpoint.org, step.endpoint.id), step.endpoint.clone());
        self.accounts.audit.extend(step.audit.clone());
        if let Some(event) = &step.event {
            self.push_event(event);
        }
    }
}

impl CreateEndpoint for World {
    async fn create_endpoint(&self, new: &NewEndpoint) -> Result<WriteOutcome, Fault> {
        self.action(&new.audit, |state| {
            let (endpoint, now) = (&new.endpoint, new.endpoint.created_at);
            if let Some(before) = new.idempotent.as_ref().and_then(|idempotent| state.accounts.kept(idempotent, now)) {
                return Ok(before);
            }
            let theirs = state.hooks.endpoints.keys().filter(|(org, _)| *org == endpoint.org);
            if theirs.count() >= ENDPOINTS_MAX as usize {
                return Err(too_many_endpoints());
            }
            if state.hooks.has_url(endpoint) {
                return Err(url_taken());
            }
            state.accounts.keep(new.idempotent.as_ref(), now);
            state.hooks.endpoints.insert((endpoint.org, endpoint.id), endpoint.clone());
            state.hooks.pointers.insert((endpoint.created_by.clone(), endpoint.id), endpoint.org);
            state.accounts.audit.push(new.audit.clone());
            Ok(WriteOutcome::Applied)
        })?
    }
}

impl GetEndpoint for World {
    async fn get_endpoint(&self, org: OrgId, id: EndpointId) -> Result<Option<Endpoint>, Fault> {
        self.effect(|state| state.hooks.endpoints.get(&(org, id)).cloned())
    }
}

impl ListEndpoints for World {
    async fn list_endpoints(&self, org: OrgId, ask: &PageAsk) -> Result<Listed<Endpoint>, Fault> {
        self.effect(|state| {
            let theirs = state.hooks.endpoints.values().rev().filter(|endpoint| endpoint.org == org);
            page(&theirs.cloned().collect::<Vec<_>>(), ask)
        })?
    }
}

impl FindEndpoints for World {
    async fn find_endpoints(&self, user: &UserId) -> Result<Vec<(OrgId, EndpointId)>, Fault> {
        self.effect(|state| {
            let theirs = state.hooks.pointers.iter().filter(|((who, _), _)| who == user);
            theirs.map(|((_, id), org)| (*org, *id)).collect()
        })
    }
}

impl ForgetEndpoints for World {
    async fn forget_endpoints(&self, user: &UserId) -> Result<(), Fault> {
        self.effect(|state| state.hooks.pointers.retain(|(who, _), _| who != user))
    }
}

impl ChangeEndpoint for World {
    async fn change_endpoint(&self, step: &EndpointStep) -> Result<WriteOutcome, Fault> {
        let change = |state: &mut State| {
            let now = step.audit.as_ref().map_or(step.endpoint.created_at, |entry| entry.at);
            if let Some(before) = step.idempotent.as_ref().and_then(|idempotent| state.accounts.kept(idempotent, now)) {
                return Ok(before);
            }
            if !state.hooks.is_current(step) {
                return Ok(WriteOutcome::Conflict);
            }
            if step.left.is_some() && state.hooks.has_url(&step.endpoint) {
                return Err(url_taken());
            }
            state.accounts.keep(step.idempotent.as_ref(), now);
            state.take_endpoint_step(step);
            Ok(WriteOutcome::Applied)
        };
        match &step.audit {
            Some(entry) => self.action(entry, change)?,
            None => self.effect(change)?,
        }
    }
}

impl DeleteEndpoint for World {
    async fn delete_endpoint(&self, endpoint: &Endpoint, audit: &AuditEntry) -> Result<bool, Fault> {
        self.action(audit, |state| {
            if state.hooks.endpoints.remove(&(endpoint.org, endpoint.id)).is_none() {
                return false;
            }
            state.hooks.pointers.remove(&(endpoint.created_by.clone(), endpoint.id));
            state.accounts.audit.push(audit.clone());
            true
        })
    }
}

impl TestEndpoint for World {
    async fn test_endpoint(&self, test: &EndpointTest) -> Result<WriteOutcome, Fault> {
        self.effect_of(&test.by, |state| {
            if let Some(before) = test.idempotent.as_ref().and_then(|asked| state.accounts.kept(asked, test.now)) {
                return Ok(before);
            }
            let counted = state.hooks.tests.entry((test.org, test_hour(test.now))).or_default();
            if *counted >= TESTS_AN_HOUR {
                return Err(too_many_tests(test.now));
            }
            *counted += 1;
            state.accounts.keep(test.idempotent.as_ref(), test.now);
            state.push_event(&test.event);
            Ok(WriteOutcome::Applied)
        })?
    }
}

impl RecordDelivery for World {
    async fn record_delivery(&self, delivery: &Delivery) -> Result<bool, Fault> {
        self.effect(|State { hooks, .. }| {
            let new = !hooks.deliveries.contains_key(&(delivery.org, delivery.id));
            if new {
                hooks.put(delivery);
            }
            new
        })
    }
}

impl GetDelivery for World {
    async fn get_delivery(&self, org: OrgId, id: DeliveryId) -> Result<Option<Delivery>, Fault> {
        self.effect(|state| state.hooks.deliveries.get(&(org, id)).cloned())
    }
}

impl MoveDelivery for World {
    async fn move_delivery(&self, step: &DeliveryStep) -> Result<MoveOutcome, Fault> {
        self.effect(|state| {
            let current = step.endpoint.as_ref().is_none_or(|endpoint| state.hooks.is_current(endpoint));
            if state.hooks.has_moved(step) || !current {
                return MoveOutcome::Conflict;
            }
            if step.slot.is_some_and(|change| !state.hooks.change_slot(step.delivery.org, change)) {
                return MoveOutcome::NoSlot;
            }
            state.hooks.put(&step.delivery);
            if let Some(endpoint) = &step.endpoint {
                state.take_endpoint_step(endpoint);
            }
            MoveOutcome::Committed
        })
    }
}

impl Redeliver for World {
    async fn redeliver(
        &self,
        step: &DeliveryStep,
        by: &UserId,
        idempotent: Option<&IdempotentRequest>,
        now: Timestamp,
    ) -> Result<WriteOutcome, Fault> {
        self.effect_of(by, |State { accounts, hooks, .. }| {
            if let Some(before) = idempotent.and_then(|idempotent| accounts.kept(idempotent, now)) {
                return Ok(before);
            }
            if hooks.redeliveries.get(&(step.delivery.org, redelivery_hour(now))) >= Some(&REDELIVERIES_AN_HOUR) {
                return Err(too_many_redeliveries(now));
            }
            if hooks.has_moved(step) {
                return Ok(WriteOutcome::Conflict);
            }
            *hooks.redeliveries.entry((step.delivery.org, redelivery_hour(now))).or_default() += 1;
            accounts.keep(idempotent, now);
            hooks.put(&step.delivery);
            Ok(WriteOutcome::Applied)
        })?
    }
}

impl ListDeliveries for World {
    async fn list_deliveries(
        &self,
        org: OrgId,
        filter: &DeliveryFilter,
        ask: &PageAsk,
    ) -> Result<Listed<Delivery>, Fault> {
        self.effect(|state| {
            let all = state.hooks.deliveries.values().rev();
            let shown = all.filter(|delivery| {
                let asked = delivery.org == org && delivery.endpoint == filter.endpoint;
                let status = filter.status.is_none_or(|status| status == delivery.status);
                asked && status && delivery.is_shown_to(&filter.viewer)
            });
            page(&shown.cloned().collect::<Vec<_>>(), ask)
        })?
    }
}

impl SnoozeDelivery for World {
    async fn snooze_delivery(&self, delivery: &Delivery, until: Timestamp) -> Result<(), Fault> {
        let place = (delivery.org, delivery.id);
        self.effect(|state| {
            state.hooks.snoozed.insert(place, (delivery.revision, until));
        })
    }
}

impl PaceCall for World {
    async fn pace_call(&self, ask: &PaceAsk) -> Result<Paced, Fault> {
        self.effect(|state| state.hooks.paces.entry(ask.destination.clone()).or_default().ask(ask))
    }
}

impl PostWebhook for World {
    async fn post_webhook(&self, post: &Post) -> Result<Posted, Fault> {
        self.effect(|State { hooks, .. }| {
            hooks.posted.push(post.clone());
            hooks.answers.pop_front().unwrap_or_else(|| Posted::answered(200, None, b"ok"))
        })
    }
}

impl ResolveHost for World {
    async fn resolve_host(&self, name: &str) -> Result<Vec<IpAddr>, Fault> {
        self.effect(|state| state.hooks.names.get(name).cloned().unwrap_or_default())
    }
}

/// A simulated clock, which moves only when a test advances it. Clones share their time.
#[derive(Clone, Debug)]
pub struct SimClock(Arc<Mutex<SimTime>>);

#[derive(Debug)]
struct SimTime {
    now: Timestamp,
    /// The time that the last wait was for, unless that was asked for since.
    awaited: Option<Timestamp>,
}

impl SimClock {
    /// Creates a clock with a time.
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(SimTime { now, awaited: None })))
    }

    /// Advances it to a time. An earlier time changes nothing.
    pub fn advance(&self, to: Timestamp) {
        let mut time = self.lock();
        time.now = to.max(time.now);
    }

    /// Returns the time that somebody waits for, once for each time that they were polled.
    pub fn awaited(&self) -> Option<Timestamp> {
        self.lock().awaited.take()
    }

    fn lock(&self) -> MutexGuard<'_, SimTime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    /// Waits until the clock has reached a time. It wakes no task, so the test must poll it again.
    async fn wait_until(&self, at: Timestamp) {
        std::future::poll_fn(|_| {
            let mut time = self.lock();
            if time.now >= at {
                return std::task::Poll::Ready(());
            }
            time.awaited = Some(at);
            std::task::Poll::Pending
        })
        .await;
    }
}
