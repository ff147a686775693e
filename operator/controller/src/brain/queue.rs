//! Who waits for a member, or for the hub.
//!
//! What is to be done isn't queued, but who wants something done: when there is time again, it is derived anew, so
//! that nothing is carried out on what was decided long ago.

use std::collections::{HashSet, VecDeque};

use domicile_crds::WorkloadKey;

/// What is under way on a member or on the hub, and who waits.
///
/// Nobody overtakes who waits: a workload that needs several turns would else lose its place to whoever comes just then, and of
/// two hundred moves that are under way some would end last.
#[derive(Debug, Default)]
pub(super) struct Queue {
    under_way: usize,
    waiting: VecDeque<WorkloadKey>,
    queued: HashSet<WorkloadKey>,
    /// Whose turn it is in this round: there is room for each of them.
    called: HashSet<WorkloadKey>,
}

impl Queue {
    /// Whether something more may begin, of at most `most` at the same time. If so it has begun; else the workload
    /// waits.
    pub(super) fn enter(&mut self, key: &WorkloadKey, most: usize) -> bool {
        let is_called = self.called.remove(key);
        if is_called || (self.waiting.is_empty() && self.under_way + self.called.len() < most) {
            self.under_way += 1;
            return true;
        }
        if self.queued.insert(key.clone()) {
            self.waiting.push_back(key.clone());
        }
        false
    }

    /// Something has ended, or wasn't begun after all.
    pub(super) fn leave(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// Begins a round: those for whom there is room now, in the order in which they came. Who was called in the last round and
    /// wanted nothing has had its turn.
    pub(super) fn take_next(&mut self, most: usize) -> Vec<WorkloadKey> {
        let free = most.saturating_sub(self.under_way).min(self.waiting.len());
        let next: Vec<_> = self.waiting.drain(..free).collect();
        for key in &next {
            self.queued.remove(key);
        }
        self.called = next.iter().cloned().collect();
        next
    }

    /// Whether somebody waits for whom there is room.
    pub(super) fn has_next(&self, most: usize) -> bool {
        self.under_way < most && !self.waiting.is_empty()
    }

    /// Whether a workload waits.
    pub(super) fn has(&self, key: &WorkloadKey) -> bool {
        self.queued.contains(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_taken_in_order_and_once() {
        let key = |n: usize| WorkloadKey::new("acme", &format!("w{n}")).unwrap();
        let mut queue = Queue::default();
        assert!((0..2).all(|n| queue.enter(&key(n), 2)));
        for n in [2, 3, 2, 4] {
            assert!(!queue.enter(&key(n), 2));
        }
        assert_eq!(queue.take_next(2), []);
        assert!(!queue.has_next(2));
        queue.leave();
        queue.leave();
        assert!(queue.has_next(2));
        assert_eq!(queue.take_next(2), [key(2), key(3)]);
        // The first wants nothing any more; the next has room all the same.
        assert!(queue.enter(&key(3), 2));
        assert_eq!(queue.take_next(2), [key(4)]);
    }

    #[test]
    fn nobody_overtakes_who_waits() {
        let key = |n: usize| WorkloadKey::new("acme", &format!("w{n}")).unwrap();
        let mut queue = Queue::default();
        assert!(queue.enter(&key(0), 1));
        assert!(!queue.enter(&key(1), 1));
        queue.leave();
        assert!(!queue.enter(&key(2), 1), "before the round begins");
        assert_eq!(queue.take_next(1), [key(1)]);
        assert!(!queue.enter(&key(3), 1), "and before whoever is called has begun");
        assert!(queue.enter(&key(1), 1));
        assert!(!queue.enter(&key(1), 1), "once");
        queue.leave();
        assert_eq!(
            [queue.take_next(1), queue.take_next(1), queue.take_next(1)],
            [[key(2)], [key(3)], [key(1)]]
        );
        // Who was called and wanted nothing keeps no room.
        assert!(queue.take_next(1).is_empty());
        assert!(queue.enter(&key(4), 1));
    }
}
