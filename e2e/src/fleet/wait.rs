//! Waiting with a deadline instead of sleeping.
//!
//! A fixed sleep is too short on a busy machine and too long on a quiet one, and when it was too
//! short the failure says nothing. [`eventually`] looks often, stops at once when there is
//! something to see, and otherwise says what was awaited and what it saw last.

use std::time::Duration;

use anyhow::anyhow;
use tokio::time::{Instant, sleep_until, timeout_at};

/// The first pause between two looks: most of what is awaited takes some milliseconds.
const PAUSE_MIN: Duration = Duration::from_millis(20);

/// The longest pause: five looks a second don't disturb a measured API server.
const PAUSE_MAX: Duration = Duration::from_millis(200);

/// Calls `probe` until it returns a value, for at most `deadline`.
///
/// `Ok(None)` and `Err` both mean "not yet". An error is no reason to give up, since an API server
/// that restarts gives many; it is kept as the last thing seen. So a probe that wants its timeout
/// to be understood returns an error such as `2 of 3 replicas ready` instead of `None`.
///
/// # Errors
///
/// After `deadline`, also when a call of `probe` never returned. The message has `what` and the last thing seen.
pub async fn eventually<T, F, Probe>(deadline: Duration, what: &str, mut probe: F) -> anyhow::Result<T>
where
    // Not `AsyncFnMut`: what calls it could not be spawned.
    F: FnMut() -> Probe,
    Probe: Future<Output = anyhow::Result<Option<T>>>,
{
    let end = Instant::now() + deadline;
    let mut pause = PAUSE_MIN;
    let mut seen = String::from("nothing: the first look did not return");
    loop {
        match timeout_at(end, probe()).await {
            Ok(Ok(Some(value))) => return Ok(value),
            Ok(Ok(None)) => seen = String::from("not yet"),
            Ok(Err(error)) => seen = format!("{error:#}"),
            Err(_) => break,
        }
        if Instant::now() + pause >= end {
            break;
        }
        sleep_until(Instant::now() + pause).await;
        pause = (pause * 3 / 2).min(PAUSE_MAX);
    }
    Err(anyhow!("waited {deadline:?} for {what}; seen last: {seen}"))
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn returns_the_first_value() {
        let mut looks = 0;
        let value = eventually(Duration::from_secs(5), "the third look", || {
            looks += 1;
            ready(Ok((looks == 3).then_some(looks)))
        });
        assert_eq!(value.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn a_timeout_says_what_was_awaited_and_seen() {
        let probe = || ready(Err::<Option<()>, _>(anyhow!("2 of 3 ready")));
        let error = eventually(Duration::from_millis(50), "replicas", probe).await.unwrap_err();
        assert_eq!(error.to_string(), "waited 50ms for replicas; seen last: 2 of 3 ready");
    }

    #[tokio::test]
    async fn a_probe_that_hangs_does_not_outlast_the_deadline() {
        let probe = || pending::<anyhow::Result<Option<()>>>();
        let error = eventually(Duration::from_millis(50), "an answer", probe).await.unwrap_err();
        assert!(error.to_string().contains("the first look did not return"));
    }
}
