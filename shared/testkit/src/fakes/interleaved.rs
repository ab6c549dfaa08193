//! Changes by somebody else while a function runs.

use std::sync::PoisonError;

use super::{State, World};

/// A change by somebody else, and after how many more effects it happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interleaved {
    skip: u32,
    change: fn(&mut State),
}

impl World {
    /// Plans a change by somebody else, right before the effect after the next `skip`.
    pub fn interleave(&self, skip: u32, change: fn(&mut State)) {
        *self.interleaved.lock().unwrap_or_else(PoisonError::into_inner) = Some(Interleaved { skip, change });
    }

    /// Returns whether the planned change has not happened yet, and removes it.
    pub fn interleaving_is_left(&self) -> bool {
        self.interleaved.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }

    /// Makes the planned change, if it is due.
    pub(super) fn let_others_in(&self) {
        let mut planned = self.interleaved.lock().unwrap_or_else(PoisonError::into_inner);
        match planned.as_mut() {
            Some(Interleaved { skip: 0, change }) => {
                change(&mut self.lock());
                *planned = None;
            }
            Some(later) => later.skip -= 1,
            None => {}
        }
    }
}
