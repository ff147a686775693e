//! An API server's words on an object that it refused, as what was wanted, what was found and what to do.

use kube::core::Status;

use crate::retry::Retry;

/// Why an object was refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// One word for conditions.
    pub(super) reason: &'static str,
    /// What is wrong, and what to do.
    pub(super) message: String,
    /// When it is worth another try.
    pub(super) retry: Retry,
}

/// What an answer means for the object; `None` if it says nothing about it.
pub(super) fn refusal(status: &Status) -> Option<Refusal> {
    let text = status.message.as_str();
    let said = |reason, retry| Some(Refusal { reason, message: text.to_owned(), retry });
    match status.code {
        // A field that isn't in the schema is no 400 or 422 when it is applied.
        400 | 500 if text.contains("failed to create typed patch object") => Some(misspelt(text)),
        400 | 422 if is_immutable(text) => Some(immutable(text)),
        400 | 422 => said("ManifestRejected", Retry::OnChange),
        403 if text.contains("exceeded quota") => said("QuotaExceeded", Retry::Backoff),
        403 if text.contains("violates PodSecurity") => said("PodSecurityViolation", Retry::OnChange),
        403 if text.contains("ValidatingAdmissionPolicy") => said("ManifestRejected", Retry::OnChange),
        403 => said("Forbidden", Retry::Backoff),
        409 => Some(Refusal {
            reason: "NameTaken",
            message: format!("somebody else has an object of this name there: rename one of them ({text})"),
            retry: Retry::Backoff,
        }),
        _ => None,
    }
}

/// `failed to create typed patch object (ns/name; apps/v1, Kind=Deployment): .spec.replicsa: field not declared in schema`,
/// or `errors:` and one such line for each.
fn misspelt(text: &str) -> Refusal {
    let faults = text.split_once("): ").map_or(text, |(_, faults)| faults);
    let faults = faults.trim_start_matches("errors:").lines().map(str::trim).filter(|line| !line.is_empty());
    let words = faults.map(|fault| {
        let fault = fault.trim_start_matches('.');
        match fault.strip_suffix(": field not declared in schema") {
            Some(field) => format!("there is no field `{field}`: correct or remove it"),
            None => fault.to_owned(),
        }
    });
    let message = words.collect::<Vec<_>>().join("; ");
    Refusal { reason: "ManifestRejected", message, retry: Retry::OnChange }
}

fn is_immutable(text: &str) -> bool {
    let phrases = ["immutable", "updates to", "may not change once set", "may not be changed"];
    phrases.iter().any(|phrase| text.contains(phrase))
}

/// `Deployment.apps "web" is invalid: spec.selector: Invalid value: {..}: field is immutable`.
///
/// The value may be long, so the field alone is told.
fn immutable(text: &str) -> Refusal {
    let fault = text.split_once(" is invalid: ").map_or(text, |(_, fault)| fault).trim_start_matches('[');
    let field = fault.split_once(": ").map_or(fault, |(field, _)| field);
    let message = format!(
        "`{field}` can't change once the object exists: change it back, or give the object another name"
    );
    Refusal { reason: "ImmutableField", message, retry: Retry::OnChange }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: u16, message: &str) -> Option<(&'static str, String)> {
        let status = Status { code, message: message.to_owned(), ..Status::default() };
        refusal(&status).map(|refusal| (refusal.reason, refusal.message))
    }

    /// As a kube-apiserver 1.36 words them.
    #[test]
    fn fields_are_named() {
        let one = "failed to create typed patch object (acme/web; apps/v1, Kind=Deployment): \
                   .spec.template.spec.containers[name=\"main\"].imagge: field not declared in schema";
        let field =
            "there is no field `spec.template.spec.containers[name=\"main\"].imagge`: correct or remove it";
        assert_eq!(answer(500, one), Some(("ManifestRejected", field.to_owned())));

        let two = "failed to create typed patch object (acme/web; /v1, Kind=Service): errors:\n  \
                   .spec.portz: field not declared in schema\n  .spec.type: expected string, got 3";
        let fields =
            "there is no field `spec.portz`: correct or remove it; spec.type: expected string, got 3";
        assert_eq!(answer(500, two), Some(("ManifestRejected", fields.to_owned())));

        let selector = "Deployment.apps \"web\" is invalid: spec.selector: Invalid value: {\"matchLabels\":{}}: field is immutable";
        let field = "`spec.selector` can't change once the object exists: change it back, or give the object another name";
        assert_eq!(answer(422, selector), Some(("ImmutableField", field.to_owned())));

        let claim = "PersistentVolumeClaim \"data\" is invalid: spec: Forbidden: spec is immutable after creation except resources.requests";
        assert_eq!(answer(422, claim).map(|(reason, _)| reason), Some("ImmutableField"));
    }

    #[test]
    fn a_server_that_fails_says_nothing_about_the_object() {
        assert_eq!(answer(500, "etcdserver: request timed out"), None);
        assert_eq!(answer(503, "apiserver is shutting down"), None);
        assert_eq!(answer(404, "namespaces \"acme\" not found"), None);
    }
}
