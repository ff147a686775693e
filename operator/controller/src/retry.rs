//! When something that failed is tried again. One policy for all.

use std::time::Duration;

/// First pause of a backoff.
const FIRST: Duration = Duration::from_millis(500);
/// Longest pause of a backoff: a member that returns is noticed within it.
const LONGEST: Duration = Duration::from_mins(1);

/// Longest pause for what goes on.
const SHORT: Duration = Duration::from_secs(4);

/// When something is worth another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// When somebody changes the object, or after a long time, should the member have changed.
    OnChange,
    /// After a pause that doubles each time.
    Backoff,
    /// It goes on and takes its time, which is no failure: after a pause that stays short.
    GoesOn,
}

/// How often in a row something has failed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Failures(u32);

impl Failures {
    /// It has failed once more. Answers how long to wait; `salt` spreads those who failed together.
    pub(crate) fn again(&mut self, retry: Retry, salt: u64) -> Duration {
        self.0 = self.0.saturating_add(1);
        match retry {
            Retry::OnChange => Duration::from_mins(10),
            Retry::Backoff | Retry::GoesOn => {
                let longest = if retry == Retry::GoesOn { SHORT } else { LONGEST };
                let pause = FIRST.saturating_mul(1 << self.0.saturating_sub(1).min(10)).min(longest);
                // Up to a quarter less, by the salt.
                pause.saturating_sub(pause / 4 * u32::try_from(salt % 16).unwrap_or(0) / 16)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit() {
        let mut failures = Failures::default();
        let pauses: Vec<_> = (0..10).map(|_| failures.again(Retry::Backoff, 0)).collect();
        assert_eq!(pauses[0], FIRST);
        assert_eq!(pauses[1], FIRST * 2);
        assert_eq!(pauses[9], LONGEST);
        assert_eq!(failures.again(Retry::GoesOn, 0), SHORT);
        assert!(Failures::default().again(Retry::Backoff, 15) < FIRST);
    }
}
