//! Orders that come again and again: each was carried out, and what is seen is as it was before.
//!
//! Nothing should be so. Where it is, as with CRDs that are older than the operator, it must not be done without pause.

use std::collections::HashMap;

use domicile_core::orders::Order;
use domicile_crds::WorkloadKey;
use jiff::{SignedDuration, Timestamp};

use super::Slot;
use crate::retry::{Failures, Retry};

/// How often the same may be done in a row before it is slowed down: what was done may be seen a little later.
const FREE: u32 = 3;

/// Per workload, what was done, and is wanted ever since.
#[derive(Debug, Default)]
pub(super) struct Repeats(HashMap<WorkloadKey, Vec<Last>>);

#[derive(Debug)]
struct Last {
    slot: Slot,
    order: Order,
    times: u32,
    pauses: Failures,
    until: Timestamp,
}

impl Repeats {
    /// Until when an order waits that was carried out several times and changed nothing.
    pub(super) fn pause(
        &self,
        key: &WorkloadKey,
        slot: &Slot,
        order: &Order,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let last = self.0.get(key)?.iter().find(|last| last.slot == *slot && last.order == *order)?;
        (last.until > now).then_some(last.until)
    }

    /// An order is carried out.
    pub(super) fn note(&mut self, key: &WorkloadKey, slot: &Slot, order: Order, now: Timestamp) {
        // Whether something has gone is asked again and again, at a pace of its own; what must stop waits for nothing.
        if matches!(order, Order::Verify(_) | Order::Remove(_) | Order::Halt(_)) {
            return;
        }
        let lasts = self.0.entry(key.clone()).or_default();
        match lasts.iter_mut().find(|last| last.slot == *slot && last.order == order) {
            Some(last) => {
                last.times += 1;
                if last.times >= FREE {
                    let pause = last.pauses.again(Retry::Backoff, 0);
                    last.until = now + SignedDuration::try_from(pause).unwrap_or_default();
                    tracing::debug!(workload = %key, ?order, times = last.times, "the same again: nothing has changed by it");
                }
            }
            None => lasts.push(Last::new(slot, order, now)),
        }
    }

    /// What was carried out has failed: when that is tried again is decided elsewhere.
    pub(super) fn failed(&mut self, key: &WorkloadKey, slot: &Slot) {
        if let Some(lasts) = self.0.get_mut(key) {
            lasts.retain(|last| last.slot != *slot);
        }
    }

    /// What is wanted at present: whatever else was done has had its effect.
    pub(super) fn wanted(&mut self, key: &WorkloadKey, orders: &[Order]) {
        let Some(lasts) = self.0.get_mut(key) else { return };
        lasts.retain(|last| orders.contains(&last.order));
        if lasts.is_empty() {
            self.0.remove(key);
        }
    }
}

impl Last {
    fn new(slot: &Slot, order: Order, now: Timestamp) -> Self {
        Self { slot: slot.clone(), order, times: 1, pauses: Failures::default(), until: now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_nothing_is_done_at_longer_and_longer_pauses() {
        let key = WorkloadKey::new("acme", "web").unwrap();
        let (order, other) = (Order::ReleaseAssignment, Order::ReleaseMigration("m".to_owned()));
        let (mut repeats, mut now) = (Repeats::default(), Timestamp::UNIX_EPOCH);
        let mut done = 0;
        for _ in 0..600 {
            repeats.wanted(&key, std::slice::from_ref(&order));
            if repeats.pause(&key, &Slot::Record, &order, now).is_none() {
                repeats.note(&key, &Slot::Record, order.clone(), now);
                done += 1;
            }
            now += SignedDuration::from_millis(100);
        }
        assert_eq!(done, 9, "three at once, and six in a minute");
        assert_eq!(repeats.pause(&key, &Slot::Record, &other, now), None, "something else is done at once");
        assert!(repeats.pause(&key, &Slot::Record, &order, now).is_some());
        repeats.failed(&key, &Slot::Record);
        assert_eq!(repeats.pause(&key, &Slot::Record, &order, now), None);
        repeats.note(&key, &Slot::Record, order.clone(), now);
        repeats.wanted(&key, &[]);
        assert_eq!(repeats.pause(&key, &Slot::Record, &order, now), None, "it has had its effect");
        assert!(repeats.0.is_empty());
    }
}
