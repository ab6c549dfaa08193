//! The minute quota of a key: one window on the key's item, which each minute with a call replaces.
//!
//! Only a key with such a quota has the window. Like every window it is written in one of two ways, by a guess. Most
//! keys have no such quota, so that is the first guess for a key that this environment has not seen.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use consigne_core::keys::ApiKey;
use consigne_core::rates::Span;
use consigne_core::{KeyId, Timestamp};

use crate::table::Table;
use crate::table::item::number;
use crate::table::keys::key_item::{MINUTE_CALLS, MINUTE_STARTED};

/// What this environment last saw of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MinuteHint {
    /// It has no minute quota.
    NoQuota,
    /// It has one. This is when its window opened, if it has opened one.
    Quota(Option<Timestamp>),
}

/// How a call of a key is counted against its minute quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MinuteForm {
    /// Not at all: the key has no such quota.
    NoQuota,
    /// In the window that is open.
    Open,
    /// In a new window, because there is none or it is over.
    Over,
}

impl MinuteForm {
    fn of(hint: MinuteHint, now: Timestamp) -> Self {
        match hint {
            MinuteHint::NoQuota => Self::NoQuota,
            MinuteHint::Quota(Some(started)) if started > Span::Minute.over_by(now) => Self::Open,
            MinuteHint::Quota(_) => Self::Over,
        }
    }

    /// Adds the count of a call at `now` to an update of a key, and to its expressions. `assignments` ends with those
    /// of `SET`.
    pub(crate) fn count(
        self,
        update: UpdateBuilder,
        now: Timestamp,
        assignments: &mut String,
        condition: &mut String,
    ) -> UpdateBuilder {
        if self == Self::NoQuota {
            condition.push_str(" AND attribute_not_exists(minute_quota)");
            return update;
        }
        condition.push_str(" AND attribute_exists(minute_quota) AND ");
        if self == Self::Open {
            *assignments = format!("{assignments}, {MINUTE_CALLS} = {MINUTE_CALLS} + :one");
            *condition = format!("{condition}{MINUTE_STARTED} > :minute AND {MINUTE_CALLS} < minute_quota");
        } else {
            *assignments = format!("{assignments}, {MINUTE_STARTED} = :now, {MINUTE_CALLS} = :one");
            *condition = format!("{condition}(attribute_not_exists({MINUTE_STARTED}) OR {MINUTE_STARTED} <= :minute)");
        }
        update.expression_attribute_values(":minute", number(Span::Minute.over_by(now).as_millis()))
    }
}

impl Table {
    /// Guesses the form from what this environment last saw of the key.
    pub(crate) fn guess_minute(&self, key: KeyId, now: Timestamp) -> MinuteForm {
        MinuteForm::of(self.minutes.get(&key).unwrap_or(MinuteHint::NoQuota), now)
    }

    /// Returns the form that fits the key as it is, and remembers it.
    pub(crate) fn minute_of(&self, key: &ApiKey, now: Timestamp) -> MinuteForm {
        let started = key.minute.map(|window| window.started);
        let hint = key.minute_quota.map_or(MinuteHint::NoQuota, |_| MinuteHint::Quota(started));
        self.minutes.set(&key.id, hint);
        MinuteForm::of(hint, now)
    }

    /// Remembers the window after a call was counted in this form.
    pub(crate) fn remember_minute(&self, key: KeyId, form: MinuteForm, now: Timestamp) {
        if form == MinuteForm::Over {
            self.minutes.set(&key, MinuteHint::Quota(Some(now)));
        }
    }
}
