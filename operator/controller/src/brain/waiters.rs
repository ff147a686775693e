//! Whose moves wait for a place in a budget.

use std::collections::{HashSet, VecDeque};

use domicile_crds::WorkloadKey;

/// Workloads in the order in which they came, each once.
///
/// A few are called when a place may be free, not all: with a thousand that wait, each end of a move would have all
/// of them derived anew. Whoever is called and finds no place joins again at the end, so that everybody's turn comes.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    order: VecDeque<WorkloadKey>,
    waiting: HashSet<WorkloadKey>,
}

impl Waiters {
    pub(super) fn join(&mut self, key: &WorkloadKey) {
        if self.waiting.insert(key.clone()) {
            self.order.push_back(key.clone());
        }
    }

    /// The first so many, who then don't wait any more.
    pub(super) fn call(&mut self, most: usize) -> Vec<WorkloadKey> {
        let called: Vec<WorkloadKey> = self.order.drain(..most.min(self.order.len())).collect();
        for key in &called {
            self.waiting.remove(key);
        }
        called
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_finds_no_place_comes_after_all_others() {
        let key = |name: &str| WorkloadKey::new("shop", name).unwrap();
        let names = |keys: Vec<WorkloadKey>| keys.iter().map(|key| key.name.to_string()).collect::<Vec<_>>();
        let mut waiters = Waiters::default();
        for name in ["c", "a", "b", "a"] {
            waiters.join(&key(name));
        }
        assert_eq!(names(waiters.call(1)), ["c"]);
        waiters.join(&key("c"));
        assert_eq!(names(waiters.call(2)), ["a", "b"]);
        assert_eq!(names(waiters.call(9)), ["c"]);
        assert!(waiters.call(9).is_empty());
    }
}
