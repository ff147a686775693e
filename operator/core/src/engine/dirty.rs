//! Which workloads are to be looked at again.

use std::collections::BTreeSet;

use domicile_crds::WorkloadKey;

/// How many may be noted, some of them more than once, before they are gone through.
const NOTED_MAX: usize = 1 << 16;

/// Keys in the order in which they were noted. A revocation notes a hundred thousand at once: sorting them once costs
/// less than finding the place of each.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    keys: Vec<WorkloadKey>,
    /// How many were left when they were gone through last.
    distinct: usize,
}

impl Dirty {
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn insert(&mut self, key: WorkloadKey) {
        self.extend([key]);
    }

    /// Takes them all, each once.
    pub(super) fn take(&mut self) -> BTreeSet<WorkloadKey> {
        std::mem::take(self).keys.into_iter().collect()
    }
}

impl Extend<WorkloadKey> for Dirty {
    fn extend<I: IntoIterator<Item = WorkloadKey>>(&mut self, keys: I) {
        self.keys.extend(keys);
        if self.keys.len() > NOTED_MAX.max(2 * self.distinct) {
            self.keys.sort_unstable();
            self.keys.dedup();
            self.distinct = self.keys.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_taken_once_and_noting_it_again_takes_no_room() {
        let key = |at: usize| WorkloadKey::new("acme", &format!("w{at}")).unwrap();
        let mut dirty = Dirty::default();
        for _ in 0..100 {
            dirty.extend((0..5000).map(key));
        }
        assert!(dirty.keys.len() <= NOTED_MAX + 5000, "{}", dirty.keys.len());
        assert_eq!(dirty.take().len(), 5000);
        assert!(dirty.is_empty());
        dirty.insert(key(1));
        dirty.insert(key(1));
        assert_eq!(dirty.take(), BTreeSet::from([key(1)]));
    }
}
