//! Random operations on a wallet.

use consigne_core::credits::DisputeState;
use consigne_testkit::fakes::Moment;
use proptest::prelude::*;

/// An operation. Those that can be repeated may have a fault, after which they are retried.
#[derive(Clone, Debug)]
pub enum Op {
    /// Adds a lot that may expire after some hours.
    Grant { paid: bool, amount: u64, hours: Option<u64> },
    /// Repeats the last grant.
    GrantAgain,
    /// A debit with an idempotency key that may have been used before. It may be late: its clock may be behind.
    Debit { cost: u64, key: u8, test: bool, fault: Option<Moment>, late_minutes: u64 },
    /// Several concurrent debits of one credit, with different idempotency keys.
    Burst { calls: u8, test: bool },
    /// Opens a hold for some hours.
    Hold { amount: u64, test: bool, hours: u64, fault: Option<Moment> },
    /// Settles one of the last holds for a share of it, in percent, which may be above 100.
    Settle { back: usize, percent: u64, fault: Option<Moment> },
    /// Voids one of the last holds.
    Void { back: usize, provider: bool, fault: Option<Moment> },
    /// Uses up a key's refunds of the day.
    RefundsSpent { test: bool },
    /// Releases all expired holds, twice.
    Sweep,
    /// Reports that a payment bought credits, possibly again.
    Buy { payment: usize, credits: u64, fault: Option<Moment> },
    /// Reports the total refund of a payment, in percent, possibly before its purchase.
    Refund { payment: usize, percent: u64, fault: Option<Moment> },
    /// Reports that one of two refunds of a payment, in percent, has failed. It was made some hours ago.
    RefundFails { payment: usize, second: bool, percent: u64, hours: u64, fault: Option<Moment> },
    /// Reports the state of one of two disputes of a payment.
    Dispute { payment: usize, second: bool, percent: u64, state: DisputeState, fault: Option<Moment> },
    /// Advances the clock.
    Wait { hours: u64 },
}

/// Number of payments.
pub const PAYMENTS: usize = 4;
/// Amount of each payment, in cents.
pub const CENTS: u64 = 1_000;

fn fault() -> impl Strategy<Value = Option<Moment>> {
    prop_oneof![3 => Just(None), 1 => Just(Some(Moment::Before)), 1 => Just(Some(Moment::After))]
}

/// Generates hours up to `most`. Small numbers are frequent, so that things expire together.
fn hours(most: u64) -> impl Strategy<Value = u64> {
    prop_oneof![1_u64..5, 1..most]
}

/// Generates an operation.
pub fn op() -> impl Strategy<Value = Op> {
    let state = prop_oneof![
        Just(DisputeState::Open),
        Just(DisputeState::Dropped),
        Just(DisputeState::Won),
        Just(DisputeState::Lost)
    ];
    prop_oneof![
        3 => (any::<bool>(), 1_u64..60, prop::option::of(hours(200)))
            .prop_map(|(paid, amount, hours)| Op::Grant { paid, amount, hours }),
        1 => Just(Op::GrantAgain),
        8 => (1_u64..25, 0_u8..40, prop::bool::weighted(0.25), fault(), prop_oneof![4 => Just(0_u64), 1 => 1_u64..90])
            .prop_map(|(cost, key, test, fault, late_minutes)| Op::Debit { cost, key, test, fault, late_minutes }),
        1 => (2_u8..8, any::<bool>()).prop_map(|(calls, test)| Op::Burst { calls, test }),
        4 => (1_u64..40, prop::bool::weighted(0.3), hours(200), fault())
            .prop_map(|(amount, test, hours, fault)| Op::Hold { amount, test, hours, fault }),
        3 => (0_usize..4, 0_u64..120, fault())
            .prop_map(|(back, percent, fault)| Op::Settle { back, percent, fault }),
        2 => (0_usize..4, any::<bool>(), fault())
            .prop_map(|(back, provider, fault)| Op::Void { back, provider, fault }),
        1 => any::<bool>().prop_map(|test| Op::RefundsSpent { test }),
        1 => Just(Op::Sweep),
        2 => (0..PAYMENTS, 1_u64..90, fault())
            .prop_map(|(payment, credits, fault)| Op::Buy { payment, credits, fault }),
        2 => (0..PAYMENTS, 1_u64..110, fault())
            .prop_map(|(payment, percent, fault)| Op::Refund { payment, percent, fault }),
        2 => (0..PAYMENTS, any::<bool>(), 1_u64..110, hours(200), fault()).prop_map(
            |(payment, second, percent, hours, fault)| Op::RefundFails { payment, second, percent, hours, fault }
        ),
        2 => (0..PAYMENTS, any::<bool>(), 1_u64..100, state, fault())
            .prop_map(|(payment, second, percent, state, fault)| Op::Dispute { payment, second, percent, state, fault }),
        3 => hours(100).prop_map(|hours| Op::Wait { hours }),
        1 => (600_u64..2_000).prop_map(|hours| Op::Wait { hours }),
    ]
}
