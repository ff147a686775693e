//! The next instant at which an answer can change by itself.

use jiff::Timestamp;

/// Collects instants and keeps the earliest that lies after `now`.
#[derive(Clone, Copy, Debug)]
pub struct Horizon {
    now: Timestamp,
    next: Option<Timestamp>,
}

impl Horizon {
    /// Nothing is known to change.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { now, next: None }
    }

    /// The instant that is judged.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Something changes at `at`.
    pub fn note(&mut self, at: Timestamp) {
        if at > self.now {
            self.next = Some(self.next.map_or(at, |next| next.min(at)));
        }
    }

    /// Whether the half-open interval holds `now`; its ends are noted.
    pub fn holds(&mut self, from: Option<Timestamp>, until: Option<Timestamp>) -> bool {
        self.has_begun(from) & !self.has_ended(until)
    }

    /// Whether `from` has come. An absent one always has.
    pub fn has_begun(&mut self, from: Option<Timestamp>) -> bool {
        from.is_none_or(|from| {
            self.note(from);
            from <= self.now
        })
    }

    /// Whether `until` has come. An absent one never does.
    pub fn has_ended(&mut self, until: Option<Timestamp>) -> bool {
        until.is_some_and(|until| {
            self.note(until);
            until <= self.now
        })
    }

    /// The earliest instant noted.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.next
    }
}
