//! The brakes of an Installation are let go by a word, not by its absence.

use http::Method;
use serde_json::{Value, json};

use crate::{
    asking::{API, Ask},
    ground::Ground,
};

/// The Installation, with a brake on.
pub(crate) fn with_brake(brake: &str) -> Value {
    json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Installation", "metadata": {"name": "default"},
        "spec": {brake: true},
    })
}

/// To delete it, in earnest or not.
pub(crate) fn delete(query: &str) -> Ask {
    Ask::delete(&format!("{API}/installations/default{query}"))
}

pub(crate) async fn all(ground: &Ground) -> Vec<String> {
    let all = Ask::new(Method::DELETE, &format!("{API}/installations"));
    let path = format!("{API}/installations/default");
    let mut failures = Vec::new();
    // The first is on already, for longer than the policy is there.
    for brake in ["paused", "twoPersonRule"] {
        let on = Ask::apply(&path, &with_brake(brake));
        failures.extend(on.granted(&ground.petra, &format!("{brake}, by an engineer")).await);
        let says = format!("set spec.{brake} to false first");
        for client in [&ground.petra, &ground.admin] {
            failures.extend(delete("").refused(client, &says).await);
        }
        failures.extend(all.refused(&ground.petra, &says).await);
        let steps = [
            Ask::merge(&path, &json!({"metadata": {"annotations": {"example.com/note": "hello"}}})),
            Ask::merge(&path, &json!({"spec": {brake: false}})),
            delete(""),
        ];
        for step in steps {
            failures.extend(step.granted(&ground.petra, &format!("an engineer: {step:?}")).await);
        }
    }
    failures
}
