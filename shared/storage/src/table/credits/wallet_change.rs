//! The update that changes a wallet: the difference between the wallet as read and the new one.
//!
//! Amounts are changed by their differences (`ADD`), so that concurrent debits and holds are not lost. All other
//! attributes are written on condition that the revision has not changed. Every change of this kind increments the
//! revision; debits and holds do not.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use consigne_core::credits::Wallet;

use crate::table::credits::wallet_item::{carried, lot_attribute, lot_text, numbers, since_attribute, wallet_key};
use crate::table::item::{number, text};

/// The parts of an update expression.
pub(crate) struct WalletChange {
    update: UpdateBuilder,
    placeholders: usize,
    set: Vec<String>,
    remove: Vec<String>,
    add: Vec<String>,
    conditions: Vec<String>,
}

impl WalletChange {
    /// Builds the change from one state of a wallet to another.
    pub(crate) fn between(seen: &Wallet, new: &Wallet) -> Self {
        let mut change = Self {
            update: Update::builder().set_key(Some(wallet_key(&seen.id))),
            placeholders: 0,
            set: Vec::new(),
            remove: Vec::new(),
            add: Vec::new(),
            conditions: Vec::new(),
        };
        for ((name, before), (_, after)) in numbers(seen).into_iter().zip(numbers(new)) {
            if before != after {
                let (name, value) = (change.name(name), change.value(number(after - before)));
                change.add.push(format!("{name} {value}"));
            }
        }
        for (name, before, after) in [
            ("attributed", Some(number(seen.attributed)), Some(number(new.attributed))),
            ("debt", Some(number(seen.debt)), Some(number(new.debt))),
            ("era", Some(number(seen.expiry_epoch)), Some(number(new.expiry_epoch))),
            ("eras", carried(seen), carried(new)),
            ("low_reference", Some(number(seen.alert.reference)), Some(number(new.alert.reference))),
            ("low_next", seen.alert.next.map(number), new.alert.next.map(number)),
            ("next_expiry", expiry(seen), expiry(new)),
        ] {
            if before != after {
                change.put(name, after);
            }
        }
        change.lots(seen, new);
        let (revision, before) = (change.name("revision"), change.value(number(seen.revision)));
        let after = change.value(number(seen.revision + 1));
        change.set.push(format!("{revision} = {after}"));
        change.conditions.push(format!("{revision} = {before}"));
        change
    }

    /// Adds a condition, for attributes that concurrent debits and holds may have changed.
    pub(crate) fn on_condition(mut self, condition: &str) -> Self {
        self.conditions.push(condition.to_owned());
        self
    }

    /// Adds the condition that no credits were taken or released since `seen` was read.
    pub(crate) fn undisturbed(mut self, seen: &Wallet) -> Self {
        let amounts = ["balance", "held", "used"];
        for (name, value) in numbers(seen).into_iter().filter(|(name, _)| amounts.contains(name)) {
            let (name, value) = (self.name(name), self.value(number(value)));
            self.conditions.push(format!("{name} = {value}"));
        }
        self
    }

    /// Returns the update of the wallet's item, with all its conditions.
    pub(crate) fn build(self) -> UpdateBuilder {
        let mut expression = format!("SET {}", self.set.join(", "));
        for (verb, parts) in [(" REMOVE ", self.remove), (" ADD ", self.add)] {
            if !parts.is_empty() {
                expression.push_str(verb);
                expression.push_str(&parts.join(", "));
            }
        }
        self.update.update_expression(expression).condition_expression(self.conditions.join(" AND "))
    }

    /// Writes the lots that differ. The `since` of a new or returning lot is the total spent at the time of the write,
    /// not at the time of the read. So the update copies that number within the item.
    fn lots(&mut self, seen: &Wallet, new: &Wallet) {
        for (id, lot) in &new.lots {
            let before = seen.lots.get(id);
            if before != Some(lot) {
                self.put(&lot_attribute(*id), Some(text(lot_text(lot))));
            }
            if before.is_none_or(|before| before.since != lot.since) {
                let since = self.name(&since_attribute(*id));
                self.set.push(format!("{since} = used - late"));
            }
        }
        for id in seen.lots.keys().filter(|id| !new.lots.contains_key(id)) {
            self.put(&lot_attribute(*id), None);
            self.put(&since_attribute(*id), None);
        }
    }

    fn put(&mut self, name: &str, value: Option<AttributeValue>) {
        let name = self.name(name);
        match value {
            Some(value) => {
                let value = self.value(value);
                self.set.push(format!("{name} = {value}"));
            }
            None => self.remove.push(name),
        }
    }

    /// Adds a placeholder for an attribute's name.
    fn name(&mut self, name: &str) -> String {
        let placeholder = self.placeholder('#');
        self.update = std::mem::take(&mut self.update).expression_attribute_names(&placeholder, name);
        placeholder
    }

    /// Adds a placeholder for a value.
    fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = self.placeholder(':');
        self.update = std::mem::take(&mut self.update).expression_attribute_values(&placeholder, value);
        placeholder
    }

    fn placeholder(&mut self, sign: char) -> String {
        self.placeholders += 1;
        format!("{sign}w{}", self.placeholders)
    }
}

fn expiry(wallet: &Wallet) -> Option<AttributeValue> {
    wallet.next_expiry.map(|expiry| number(expiry.as_millis()))
}
