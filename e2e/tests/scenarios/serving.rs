//! Who serves itself on the hub: what `Tenant.spec.subjects` names may do what a tenant does, in the tenant's namespaces.

use domicile_e2e::{
    fleet::{process::Signal, wait::eventually},
    props::{list, site, tenant, with},
    stage::{PATIENCE, Stage},
};
use serde_json::{Value, json};

use crate::{
    set::namespace,
    unreadable::{apply_soon, extend},
};

/// Whether somebody, with a group, may do something in a namespace.
async fn may(
    stage: &Stage,
    (user, group): (&str, &str),
    what: &str,
    namespace: &str,
) -> anyhow::Result<bool> {
    let (verb, resource) = what.split_once(' ').unwrap_or((what, ""));
    let (user, group) = (format!("--as={user}"), format!("--as-group={group}"));
    let args = ["auth", "can-i", verb, resource, "-n", namespace, user.as_str(), group.as_str()];
    let answer = stage.fleet.hub()?.kubectl(args).output().await?;
    Ok(String::from_utf8_lossy(&answer.stdout).trim() == "yes")
}

async fn comes_to(
    stage: &Stage,
    who: (&str, &str),
    (what, namespace): (&str, &str),
    wanted: bool,
) -> anyhow::Result<()> {
    let goal = format!("{who:?} may {what} in {namespace}: {wanted}");
    eventually(PATIENCE, &goal, || async {
        Ok((may(stage, who, what, namespace).await? == wanted).then_some(()))
    })
    .await
}

fn served(name: &str, subjects: &Value) -> Value {
    with(tenant(name), json!({"spec": {"subjects": subjects}}))
}

const ANNA: (&str, &str) = ("anna", "nobody");
const BERT: (&str, &str) = ("bert", "acme-developers");
const MALLORY: (&str, &str) = ("mallory", "nobody");
const CREATE: &str = "create tenantworkloads.domicile.dev";

/// Has the hub refuse to bind a user.
async fn refuse(stage: &Stage, user: &str) -> anyhow::Result<()> {
    let kind = |kind: &str, spec: &Value| json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": "refuse"}, "spec": spec});
    let rule = json!({
        "apiGroups": ["rbac.authorization.k8s.io"], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"],
        "resources": ["rolebindings"],
    });
    let policy = kind(
        "ValidatingAdmissionPolicy",
        &json!({
            "failurePolicy": "Fail", "matchConstraints": {"resourceRules": [rule]},
            "validations": [{
                "expression": format!("!object.?subjects.orValue([]).exists(s, s.name == '{user}')"),
                "message": format!("not {user}"),
            }],
        }),
    );
    let binding = json!({"policyName": "refuse", "validationActions": ["Deny"]});
    let binding = kind("ValidatingAdmissionPolicyBinding", &binding);
    stage.apply(&list(&[policy, binding])).await?;
    // The API server learns of it by a watch.
    eventually(PATIENCE, "the policy to be in force", || async {
        let user = format!("--user={user}");
        let args =
            ["-n", "other", "create", "rolebinding", "try", "--clusterrole=view", &user, "--dry-run=server"];
        let tried = stage.fleet.hub()?.kubectl(args).output().await?;
        Ok((!tried.status.success()).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_a_tenant_names_serves_itself() -> anyhow::Result<()> {
    let stage = Stage::set(&[]).await?;
    let hub = stage.fleet.hub()?;
    // It exists already and is nobody's.
    hub.kubectl(["create", "namespace", "older"]).text().await?;
    let anna = json!([{"kind": "User", "name": "anna"}]);
    let hardened = json!({"spec": {"podSecurity": "restricted"}});
    stage
        .apply(&list(&[served("acme", &anna), served("older", &anna), with(tenant("other"), hardened)]))
        .await?;
    stage.start_operator()?;
    for (name, level) in [("acme", "baseline"), ("other", "restricted")] {
        namespace(&stage, name).await?;
        // Where the hub is a member, too, pods run in it.
        let label = "jsonpath={.metadata.labels.pod-security\\.kubernetes\\.io/enforce}";
        let args = ["get", "namespace", name, "-o", label];
        assert_eq!(stage.fleet.hub()?.kubectl(args).text().await?, level, "{name}");
    }
    comes_to(&stage, ANNA, (CREATE, "acme"), true).await?;
    assert!(!may(&stage, ANNA, CREATE, "other").await?, "another tenant's");
    assert!(!may(&stage, ANNA, CREATE, "older").await?, "a namespace that isn't labelled");
    for more in
        ["get pods", "delete assignments.domicile.dev", "update rolebindings.rbac.authorization.k8s.io"]
    {
        assert!(!may(&stage, ANNA, more, "acme").await?, "{more}");
    }

    // Whoever isn't named any more has no right any more.
    let developers = json!([{"kind": "Group", "name": "acme-developers"},
                            {"kind": "ServiceAccount", "name": "deployer", "namespace": "other"}]);
    stage.apply(&served("acme", &developers).to_string()).await?;
    comes_to(&stage, BERT, (CREATE, "acme"), true).await?;
    comes_to(&stage, ANNA, (CREATE, "acme"), false).await?;
    let deployer = ("system:serviceaccount:other:deployer", "system:serviceaccounts");
    assert!(may(&stage, deployer, CREATE, "acme").await?);

    // What somebody has added meanwhile is taken back, and what is somebody's own by another name is left alone.
    stage.stop_operator(Signal::KILL).await?;
    let own =
        ["-n", "acme", "create", "rolebinding", "domicile:tenant", "--clusterrole=view", "--user=mallory"];
    hub.kubectl(own).text().await?;
    let add = json!([{"op": "add", "path": "/subjects/-", "value": {
        "kind": "User", "name": "mallory", "apiGroup": "rbac.authorization.k8s.io"}}]);
    let (add, patch) =
        (add.to_string(), ["-n", "acme", "patch", "rolebinding", "domicile:subjects", "--type=json", "-p"]);
    hub.kubectl(patch.into_iter().chain([add.as_str()])).text().await?;
    comes_to(&stage, MALLORY, (CREATE, "acme"), true).await?;
    stage.start_operator()?;
    comes_to(&stage, MALLORY, (CREATE, "acme"), false).await?;
    assert!(may(&stage, MALLORY, "get pods", "acme").await?, "as it was bound by hand");

    // What the hub refuses is told, and withdraws nothing less.
    refuse(&stage, "carol").await?;
    let carol = json!([{"kind": "User", "name": "carol"}, {"kind": "Group", "name": "acme-developers"}]);
    stage.apply(&served("acme", &carol).to_string()).await?;
    comes_to(&stage, deployer, (CREATE, "acme"), false).await?;
    let told = stage.says("tenants/acme", "Ready", "False", "SubjectsNotBound").await?;
    assert!(told.contains("acme") && told.contains("not carol"), "{told}");
    assert!(may(&stage, BERT, CREATE, "acme").await?, "the others are served as before");
    stage.apply(&served("acme", &developers).to_string()).await?;
    stage.says("tenants/acme", "Ready", "True", "").await?;

    // What has nothing to do with it can't be read, so that nothing is begun: rights are withdrawn all the same.
    extend(&stage, "sites", json!({"op": "add", "path": "/state/enum/-", "value": "Haunted"})).await?;
    let haunted = with(site("castle", "nobody", "NL"), json!({"spec": {"state": "Haunted"}}));
    apply_soon(&stage, &haunted).await?;
    let anna_again = json!([{"kind": "User", "name": "anna"}]);
    stage.apply(&served("acme", &anna_again).to_string()).await?;
    comes_to(&stage, BERT, (CREATE, "acme"), false).await?;
    stage.fleet.hub()?.kubectl(["delete", "sites.domicile.dev", "castle"]).text().await?;
    stage.apply(&served("acme", &developers).to_string()).await?;
    comes_to(&stage, BERT, (CREATE, "acme"), true).await?;

    // A namespace that is the tenant's no more is nobody's to serve itself in.
    let moved = with(served("acme", &developers), json!({"spec": {"namespaces": ["acme-2"]}}));
    stage.apply(&moved.to_string()).await?;
    comes_to(&stage, BERT, (CREATE, "acme-2"), true).await?;
    comes_to(&stage, BERT, (CREATE, "acme"), false).await?;
    Ok(())
}
