//! What counts in place of an object that forbids and can't be read, so that it forbids all the same.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    Decision, DecisionSpec, FactStatus, Ground, Installation, InstallationSpec, Scope, Subject, Unreadable,
    Verdict,
};

impl Decision {
    /// The strictest that an object which can't be read as a Decision may mean.
    ///
    /// # Guarantees
    ///
    /// An approval approves nothing and lifts nothing. Anything else counts as it says if all that decides where, when
    /// and for whom it counts can be read; otherwise it freezes its subject, at once and everywhere, and every subject
    /// if its own can't be read either.
    #[must_use]
    pub fn strictest(unreadable: &Unreadable) -> Self {
        let spec = unreadable.object.get("spec").unwrap_or(&Value::Null);
        let subject: Option<Subject> = required(spec, "subject");
        let verdict: Option<Verdict> = required(spec, "decision");
        let (authority, decided_by) = (required(spec, "authority"), required(spec, "decidedBy"));
        // Whoever can't be named takes nobody's place.
        let supersedes = (authority.is_some() && decided_by.is_some()).then(|| optional(spec, "supersedes"));
        let mut strictest = DecisionSpec {
            subject: subject.unwrap_or_else(Subject::every),
            decision: verdict.unwrap_or(Verdict::Frozen),
            basis: required(spec, "basis").unwrap_or(Ground::Precaution),
            valid_from: None,
            valid_until: None,
            scope: Scope::default(),
            authority: authority.unwrap_or_default(),
            decided_by: decided_by.unwrap_or_default(),
            reason: format!("it can't be read: {}", unreadable.error),
            evidence: Vec::new(),
            review_on: None,
            contested: false,
            supersedes: supersedes.flatten().unwrap_or_default(),
            liftable_by: optional(spec, "liftableBy").unwrap_or_default(),
        };
        if verdict == Some(Verdict::Approved) {
            // It is there, for those that name it, and never begins.
            strictest.valid_from = Some(Time(Timestamp::MAX));
        } else if let (false, Some(_), Some(from), Some(until), Some(scope)) = (
            strictest.subject.is_every(),
            verdict,
            optional(spec, "validFrom"),
            optional(spec, "validUntil"),
            optional(spec, "scope"),
        ) {
            (strictest.valid_from, strictest.valid_until, strictest.scope) = (from, until, scope);
        } else {
            strictest.decision = Verdict::Frozen;
        }
        Self { metadata: (*unreadable.metadata).clone(), spec: strictest, status: status(unreadable) }
    }
}

impl Installation {
    /// The strictest that an object which can't be read as an Installation may mean: what can be read, and paused.
    #[must_use]
    pub fn strictest(unreadable: &Unreadable) -> Self {
        let spec = unreadable.object.get("spec").unwrap_or(&Value::Null);
        let strictest = InstallationSpec {
            hub: optional(spec, "hub").flatten(),
            paused: true,
            two_person_rule: optional(spec, "twoPersonRule").unwrap_or(true),
            max_moves_per_hour: optional(spec, "maxMovesPerHour").flatten(),
        };
        Self { metadata: (*unreadable.metadata).clone(), spec: strictest, status: status(unreadable) }
    }
}

fn required<T: DeserializeOwned>(spec: &Value, field: &str) -> Option<T> {
    T::deserialize(spec.get(field)?).ok()
}

/// The default if it is absent, and nothing if it can't be read.
fn optional<T: DeserializeOwned + Default>(spec: &Value, field: &str) -> Option<T> {
    spec.get(field).map_or_else(|| Some(T::default()), |value| T::deserialize(value).ok())
}

fn status(unreadable: &Unreadable) -> Option<FactStatus> {
    required(&unreadable.object, "status")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Guarded;

    fn unreadable<K: DeserializeOwned + std::fmt::Debug>(spec: &Value) -> Unreadable {
        let object = json!({
            "apiVersion": "domicile.dev/v1alpha1", "kind": "any", "metadata": {"name": "odd", "generation": 3},
            "spec": spec, "status": {"observedGeneration": 2},
        });
        serde_json::from_value::<Guarded<K>>(object).unwrap().0.unwrap_err()
    }

    /// A freeze of `alpha` with one field that is something else.
    fn strictest(field: &str, value: Value) -> Decision {
        let mut spec = json!({
            "subject": {"kind": "HostingProvider", "name": "alpha"}, "decision": "Suspended", "basis": "Law",
            "validFrom": "2026-06-01T12:00:00Z", "validUntil": "2026-07-01T12:00:00Z",
            "scope": {"countries": ["NL"]}, "authority": "court", "decidedBy": "ann", "reason": "because",
            "supersedes": ["earlier"], "liftableBy": ["other"],
        });
        spec[field] = value;
        Decision::strictest(&unreadable::<Decision>(&spec))
    }

    #[test]
    fn what_decides_nothing_changes_nothing() {
        for field in ["basis", "reason", "evidence", "reviewOn", "contested"] {
            let read = strictest(field, json!({"new": 1}));
            let spec = &read.spec;
            assert_eq!((spec.decision, spec.subject.name.as_str()), (Verdict::Suspended, "alpha"), "{field}");
            assert!(spec.valid_from.is_some() && spec.valid_until.is_some(), "{field}");
            assert_eq!(spec.scope.countries.len(), 1, "{field}");
            assert_eq!(spec.supersedes.len() + spec.liftable_by.len(), 2, "{field}");
            assert!(spec.reason.starts_with("it can't be read: "), "{}", spec.reason);
            assert_eq!(read.metadata.generation, Some(3));
            assert_eq!(read.status.unwrap().observed_generation, Some(2));
        }
    }

    #[test]
    fn what_decides_and_cannot_be_read_is_a_freeze_at_once_and_everywhere() {
        for field in ["decision", "validFrom", "validUntil", "scope"] {
            let spec = strictest(field, json!(["new"])).spec;
            assert_eq!((spec.decision, spec.subject.name.as_str()), (Verdict::Frozen, "alpha"), "{field}");
            assert_eq!((spec.valid_from, spec.valid_until), (None, None), "{field}");
            assert!(spec.scope.is_empty(), "{field}");
        }
        let quarantined = strictest("decision", json!("Quarantined")).spec;
        assert_eq!(quarantined.decision, Verdict::Frozen);
    }

    #[test]
    fn whoever_cannot_be_named_takes_nobodys_place() {
        for field in ["authority", "decidedBy", "supersedes"] {
            let spec = strictest(field, json!({"new": 1})).spec;
            assert_eq!((spec.decision, spec.supersedes.len()), (Verdict::Suspended, 0), "{field}");
        }
    }

    #[test]
    fn without_a_subject_every_subject_is_frozen() {
        for subject in [json!(null), json!({"kind": "Cable", "name": "alpha"}), json!({"kind": "Site"})] {
            let spec = strictest("subject", subject).spec;
            assert!(spec.subject.is_every());
            assert_eq!((spec.decision, spec.valid_from), (Verdict::Frozen, None));
            assert!(spec.scope.is_empty());
        }
        let nothing = Decision::strictest(&unreadable::<Decision>(&json!(7))).spec;
        assert!(nothing.subject.is_every() && nothing.decision == Verdict::Frozen);
    }

    #[test]
    fn an_approval_never_begins() {
        let spec = json!({
            "subject": {"kind": "HostingProvider", "name": "alpha"}, "decision": "Approved", "basis": "New",
            "authority": "court", "decidedBy": "ann", "reason": "because", "supersedes": ["revoked"],
        });
        let spec = Decision::strictest(&unreadable::<Decision>(&spec)).spec;
        assert_eq!((spec.decision, spec.valid_from), (Verdict::Approved, Some(Time(Timestamp::MAX))));
    }

    #[test]
    fn an_installation_is_paused_and_keeps_what_can_be_read() {
        let spec = json!({"paused": false, "twoPersonRule": {"count": 3}, "maxMovesPerHour": 7, "hub": {"site": "nl-ams"}});
        let spec = Installation::strictest(&unreadable::<Installation>(&spec)).spec;
        assert!(spec.paused && spec.two_person_rule);
        assert_eq!((spec.max_moves_per_hour, spec.hub.unwrap().site.is_some()), (Some(7), true));
    }
}
