//! When a workload is looked at again by itself.

use std::collections::{BTreeSet, HashMap};

use domicile_crds::WorkloadKey;
use jiff::Timestamp;

/// One instant for each workload: the earliest that anybody asked for. Whoever looks then asks again for what is later.
#[derive(Debug, Default)]
pub(super) struct Timers {
    queue: BTreeSet<(Timestamp, WorkloadKey)>,
    next: HashMap<WorkloadKey, Timestamp>,
}

impl Timers {
    /// Has a workload looked at again at `at`, or earlier.
    pub(super) fn set(&mut self, key: &WorkloadKey, at: Timestamp) {
        if self.next.get(key).is_some_and(|known| *known <= at) {
            return;
        }
        if let Some(later) = self.next.insert(key.clone(), at) {
            self.queue.remove(&(later, key.clone()));
        }
        self.queue.insert((at, key.clone()));
    }

    /// Takes the workloads whose time has come.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<WorkloadKey> {
        let mut due = Vec::new();
        while let Some((at, key)) = self.queue.pop_first() {
            if at > now {
                self.queue.insert((at, key));
                break;
            }
            self.next.remove(&key);
            due.push(key);
        }
        due
    }

    /// The earliest instant.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.queue.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_has_one_timer_the_earliest() {
        let key = |name| WorkloadKey::new("acme", name).unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut timers = Timers::default();
        for second in [30, 10, 20, 10] {
            timers.set(&key("web"), at(second));
        }
        timers.set(&key("api"), at(15));
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.take_due(at(12)), [key("web")]);
        assert_eq!(
            timers.take_due(at(100)),
            [key("api")],
            "later ones are asked for again by whoever looked"
        );
        assert_eq!(timers.next(), None);
    }
}
