//! What is said in a condition.

use domicile_core::text::shorten;
use domicile_crds::{condition_of, keys::condition};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// What is said in one condition.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) kind: &'static str,
    status: &'static str,
    pub(super) reason: &'static str,
    message: String,
}

impl Claim {
    pub(super) fn new(
        kind: &'static str,
        status: &'static str,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self { kind, status, reason, message: message.into() }
    }

    pub(super) fn ready(yes: bool, reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(condition::READY, if yes { "True" } else { "False" }, reason, message)
    }

    pub(super) fn stalled(yes: bool, reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(condition::STALLED, if yes { "True" } else { "False" }, reason, message)
    }

    /// What an event about an object says of it.
    pub(super) fn event(&self, object: &ObjectReference) -> (ObjectReference, String, String) {
        (object.clone(), format!("{}{}", self.kind, self.reason), self.message.clone())
    }

    /// The condition, which keeps the time of the one before if that said the same.
    pub(super) fn merge(&self, before: &[Condition], generation: Option<i64>, now: Timestamp) -> Condition {
        merged(before, self.kind, (self.status, self.reason, &self.message), (generation, now))
    }
}

/// A condition of this type, which keeps the time of the one before if that said the same.
pub(super) fn merged(
    before: &[Condition],
    kind: &str,
    (status, reason, message): (&str, &str, &str),
    (generation, now): (Option<i64>, Timestamp),
) -> Condition {
    let since = condition_of(before, kind).filter(|c| c.status == status);
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    Condition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: shorten(message),
        observed_generation: generation,
        last_transition_time: since.map_or(Time(now), |c| c.last_transition_time.clone()),
    }
}
