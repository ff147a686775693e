//! How much somebody holds of a provider, and tables of such.

/// At least and at most, in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Range {
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Range {
    pub(super) const ALL: Self = Self { min: 100.0, max: 100.0 };

    pub(super) fn add(&mut self, other: Self) {
        self.min += other.min;
        self.max += other.max;
    }

    /// At most, but no more than what others leave, and no less than at least.
    pub(super) fn at_worst(self, left: f64) -> f64 {
        self.max.min(left).max(self.min)
    }

    /// This much of it.
    pub(super) fn of(self, share: Self) -> Self {
        Self { min: self.min * share.min / 100.0, max: self.max * share.max / 100.0 }
    }

    pub(super) fn is_nothing(self) -> bool {
        self.min <= 0.0 && self.max <= 0.0
    }
}

/// A value for each of some that are numbered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table<T>(Vec<T>);

impl<T: Copy + Default> Table<T> {
    pub(super) fn new(count: usize) -> Self {
        Self(vec![T::default(); count])
    }

    pub(super) fn get(&self, number: usize) -> T {
        self.0.get(number).copied().unwrap_or_default()
    }

    pub(super) fn change(&mut self, number: usize, change: impl FnOnce(&mut T)) {
        if let Some(value) = self.0.get_mut(number) {
            change(value);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = T> {
        self.0.iter().copied()
    }
}
