//! Events: what is told once, to whoever looks at an object.

use domicile_crds::{ADOPTED, SeatStatus, TenantWorkloadStatus, condition_of, keys::condition};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use super::Hands;

/// What a new status says that the last didn't, as events: where copies are, by which cause one has moved, and whether a person
/// must act.
pub(super) fn news(
    old: Option<&TenantWorkloadStatus>,
    next: &TenantWorkloadStatus,
    cause: impl Fn(&SeatStatus) -> Option<String>,
) -> Vec<(EventType, String, String)> {
    let mut events = Vec::new();
    for seat in &next.seats {
        let place = &seat.place;
        let country = place.country.map(|c| c.to_string()).unwrap_or_default();
        let provider = place.provider.as_ref().map(ToString::to_string).unwrap_or_default();
        let there = format!("{} ({country}, {provider})", place.cluster);
        let before = old.and_then(|old| old.seats.iter().find(|other| other.ordinal == seat.ordinal));
        let event = match before {
            None if seat.epoch == ADOPTED => (
                "Adopted",
                format!("copy {} runs on {there} already, and is Domicile's from now on", seat.ordinal),
            ),
            None => ("Placed", format!("copy {} is placed on {there}", seat.ordinal)),
            Some(before) if before.place.cluster != place.cluster => {
                let cause = cause(seat).map(|cause| format!(": {cause}")).unwrap_or_default();
                let from = &before.place.cluster;
                ("Moved", format!("copy {} has moved from {from} to {there}{cause}", seat.ordinal))
            }
            Some(_) => continue,
        };
        events.push((EventType::Normal, event.0.to_owned(), event.1));
    }
    let told = |status: Option<&TenantWorkloadStatus>, kind, is: fn(&str) -> bool| {
        let condition = status.and_then(|status| condition_of(&status.conditions, kind));
        condition.filter(|c| is(&c.status)).map(|c| (c.reason.clone(), c.message.clone()))
    };
    let stalled = |status| told(status, condition::STALLED, |status| status == "True");
    let barred = |status| told(status, condition::COMPLIANT, |status| status == "False");
    match (stalled(old), stalled(Some(next))) {
        (Some((old, _)), Some((new, _))) if old == new => {}
        (_, Some((reason, message))) => events.push((EventType::Warning, reason, message)),
        // What holds it up otherwise now, or that it leaves, is told below.
        (Some((reason, _)), None) if barred(Some(next)).is_none() => {
            events.push((EventType::Normal, "Resolved".to_owned(), format!("{reason} is over")));
        }
        (_, None) => {}
    }
    let is_lawful = |status: &TenantWorkloadStatus| {
        condition_of(&status.conditions, condition::COMPLIANT).is_some_and(|c| c.reason == "Lawful")
    };
    match (barred(old), barred(Some(next))) {
        (Some((old, _)), Some((new, _))) if old == new => {}
        (_, Some((reason, message))) => {
            let is_told = events.iter().any(|(_, other, _)| *other == reason);
            events.extend((!is_told).then_some((EventType::Warning, reason, message)));
        }
        (Some(_), None) if is_lawful(next) => {
            let message = "every copy is at a lawful place again";
            events.push((EventType::Normal, "Compliant".to_owned(), message.to_owned()));
        }
        _ => {}
    }
    let pending = |status| told(status, condition::MOVE_PENDING, |status| status == "True");
    if let (None, Some((reason, message))) = (pending(old), pending(Some(next))) {
        events.push((EventType::Normal, reason, message));
    }
    events
}

/// Publishes a Warning event about an object.
pub(super) async fn warn(
    hands: &Hands,
    object: &k8s_openapi::api::core::v1::ObjectReference,
    reason: String,
    message: String,
) {
    publish(hands, object, EventType::Warning, (reason, message)).await;
}

pub(super) async fn publish(
    hands: &Hands,
    object: &k8s_openapi::api::core::v1::ObjectReference,
    type_: EventType,
    (reason, message): (String, String),
) {
    let reporter = Reporter { controller: "domicile-operator".to_owned(), instance: None };
    let recorder = Recorder::new(hands.client.clone(), reporter);
    let event = Event { type_, reason, note: Some(message), action: "Place".to_owned(), secondary: None };
    if let Err(error) = recorder.publish(&event, object).await {
        tracing::debug!(%error, "an event was not published");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(conditions: &[(&str, &str, &str)]) -> TenantWorkloadStatus {
        let conditions = conditions.iter().map(|(kind, status, reason)| {
            serde_json::json!({"type": kind, "status": status, "reason": reason, "message": reason.to_lowercase(),
                               "lastTransitionTime": "2026-01-01T00:00:00Z"})
        });
        let conditions: Vec<_> = conditions.collect();
        serde_json::from_value(serde_json::json!({"conditions": conditions})).unwrap()
    }

    fn reasons(old: &[(&str, &str, &str)], next: &[(&str, &str, &str)]) -> Vec<String> {
        news(Some(&status(old)), &status(next), |_| None).into_iter().map(|(_, reason, _)| reason).collect()
    }

    #[test]
    fn a_move_is_told_with_its_cause() {
        let at = |cluster: &str| {
            let seat =
                serde_json::json!({"ordinal": 0, "place": {"cluster": cluster}, "epoch": 2, "ready": true});
            serde_json::from_value(serde_json::json!({"seats": [seat]})).unwrap()
        };
        let told = |cause: Option<&str>| {
            let mut events = news(Some(&at("nl-ams-1")), &at("de-fra-1"), |_| cause.map(str::to_owned));
            events.pop().map(|(_, reason, message)| (reason, message)).unwrap()
        };
        let message = "copy 0 has moved from nl-ams-1 to de-fra-1 (, ): alpha is revoked";
        assert_eq!(told(Some("alpha is revoked")), ("Moved".to_owned(), message.to_owned()));
        assert!(told(None).1.ends_with("(, )"), "a move that nothing is on record of");
    }

    #[test]
    fn an_event_tells_what_has_changed_for_whom_it_runs() {
        let (lawful, frozen) =
            ([("Compliant", "True", "Lawful")], [("Compliant", "False", "ApprovalFrozen")]);
        assert_eq!(reasons(&lawful, &frozen), ["ApprovalFrozen"]);
        assert_eq!(reasons(&frozen, &frozen), [""; 0]);
        assert_eq!(reasons(&frozen, &[("Compliant", "False", "ApprovalSuspended")]), ["ApprovalSuspended"]);
        assert_eq!(reasons(&frozen, &lawful), ["Compliant"]);
        let unknown = [("Compliant", "Unknown", "ObservationStale")];
        assert_eq!(reasons(&unknown, &lawful), [""; 0], "it was never unlawful");
        assert_eq!(reasons(&frozen, &[("Compliant", "True", "NothingPlaced")]), [""; 0]);
        let moving = [("Compliant", "True", "Lawful"), ("MovePending", "True", "PreferredPlace")];
        assert_eq!(reasons(&lawful, &moving), ["PreferredPlace"]);
        assert_eq!(reasons(&moving, &lawful), [""; 0], "that it has moved is told with the place");
        let both = [("Compliant", "False", "NoLawfulPlace"), ("Stalled", "True", "NoLawfulPlace")];
        assert_eq!(reasons(&lawful, &both), ["NoLawfulPlace"], "once");
        let suspended = [("Compliant", "False", "ApprovalSuspended")];
        assert_eq!(
            reasons(&both, &suspended),
            ["ApprovalSuspended"],
            "that nothing is lawful for it isn't over"
        );
        let stalled = [("Compliant", "True", "Lawful"), ("Stalled", "True", "MemberUnreachable")];
        assert_eq!(reasons(&stalled, &lawful), ["Resolved"]);
    }
}
