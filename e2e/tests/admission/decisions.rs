//! Who decided is who was authenticated, and what was decided stays.

use domicile_e2e::plugin::domicile;
use serde_json::{Value, json};

use crate::{
    asking::{API, Ask},
    ground::{Ground, decided_by},
};

/// What the policy says to whoever deletes one.
const NEVER: &str =
    "a Decision is never deleted: make another that supersedes it; the group domicile:break-glass";

/// Whoever is in this group passes every rule of RBAC.
const MASTERS: &str = "system:masters";

pub(crate) async fn all(ground: &Ground) -> anyhow::Result<Vec<String>> {
    let Ground { admin, clara, .. } = ground;
    let all = format!("{API}/decisions");
    let own = format!("{all}/clara-1");
    let mut failures = Vec::new();
    failures.extend(Ask::create(&all, &decided_by("clara-1", "clara")).granted(clara, "a decision").await);
    failures.extend(from_the_command_line(ground)?);
    let forged = |name: &str| Ask::create(&all, &decided_by(name, "carl"));
    let says = "spec.decidedBy is carl, but the hub knows you as clara: nobody decides in another's name";
    failures.extend(forged("carl-1").refused(clara, says).await);
    failures.extend(forged("carl-1").refused(admin, "the hub knows you as admin").await);
    let applied = Ask::apply(&format!("{all}/carl-1"), &decided_by("carl-1", "carl"));
    failures.extend(applied.refused(admin, "the hub knows you as admin").await);
    // Whoever may act as somebody decides as that one, which is what the API server's audit log shows.
    let as_carl = forged("carl-2").acting_as("carl").in_group(MASTERS);
    failures.extend(as_carl.granted(admin, "a decision as carl").await);

    let change = Ask::merge(&own, &json!({"spec": {"decidedBy": "carl"}}));
    failures.extend(change.refused(clara, "cannot patch resource \"decisions\"").await);
    failures.extend(change.refused(admin, "a decision never changes").await);
    failures.extend(Ask::delete(&own).refused(clara, "cannot delete resource \"decisions\"").await);
    failures.extend(Ask::delete(&own).refused(admin, NEVER).await);
    // All at once, or by way of an owner that isn't there: neither gets around it.
    failures.extend(Ask::delete(&all).refused(admin, NEVER).await);
    let glass = Ask::delete(&own).acting_as("admin").in_group("domicile:break-glass");
    // The group grants nothing by itself.
    failures.extend(glass.refused(admin, "cannot delete resource \"decisions\"").await);
    failures.extend(still_there(ground, &own).await);
    failures.extend(glass.in_group(MASTERS).granted(admin, "breaking the glass").await);
    failures.extend(Ask::get(&own).refused(admin, "not found").await);
    Ok(failures)
}

/// The role is enough for all that the plugin looks at before it decides.
fn from_the_command_line(ground: &Ground) -> anyhow::Result<Option<String>> {
    let clara = ground.fleet.hub()?.kubeconfig_for("clara", &[])?;
    let words = "freeze polder --authority ministry --reason precaution --name clara-2 --yes";
    let args: Vec<&str> = words.split_whitespace().collect();
    let done = domicile(Some(&clara), &args, "")?.done();
    Ok(done.err().map(|error| format!("`kubectl domicile {words}` as clara: {error:#}")))
}

async fn still_there(ground: &Ground, own: &str) -> Option<String> {
    let found = Ask::get(own).to(&ground.admin).await.unwrap_or(Value::Null);
    (found["spec"]["decidedBy"] != "clara").then(|| format!("the decision is gone, or another: {found}"))
}
