//! What the hub, and it as a tenant, can and can't do on a member.

use anyhow::ensure;

use crate::ground::{
    Ground, HUB_GUARD, LABELS, TENANT_GUARD, binding, config_map, namespace, object, policy, service,
};

/// What the hub can and can't do itself.
pub(crate) async fn the_hub_is_held_to_tenants_namespaces(ground: &Ground) -> anyhow::Result<()> {
    for (args, why) in [
        ("-n acme create deployment x --image=x", "cannot create resource \"deployments\""),
        ("-n kube-system get secrets", "cannot list resource \"secrets\""),
        ("-n domicile-system get secret hub-token", "cannot get resource \"secrets\""),
        ("-n acme create role r --verb=get --resource=pods", "cannot create resource \"roles\""),
        ("delete namespace acme", "cannot delete resource \"namespaces\""),
        ("-n domicile-system create token hub", "cannot create resource \"serviceaccounts/token\""),
        ("get pods --as=system:admin --as-group=system:masters", "cannot impersonate"),
        ("get configmaps --as=domicile:tenant:other --as-group=domicile:tenants", "cannot impersonate"),
        ("get configmaps --as=domicile:tenant:acme --as-group=system:masters", "cannot impersonate"),
    ] {
        ground.refused(None, args, why).await?;
    }
    ground.applies(None, &namespace("acme", LABELS)).await?;
    let privileged = LABELS.replace("baseline", "privileged");
    let old = format!("{LABELS}, pod-security.kubernetes.io/enforce-version: v1.0");
    for (name, labels) in [
        ("plain", ""),
        ("no-level", "domicile.dev/tenant: acme"),
        ("privileged", &privileged),
        ("old-level", &old),
        ("exempt", &format!("{LABELS}, policies.example/exempt: a")),
        ("kube-tenant", LABELS),
        ("domicile-tenant", LABELS),
        ("default", LABELS),
        ("kube-system", LABELS),
        ("acme", &LABELS.replace("acme", "other")),
        ("owners", LABELS),
    ] {
        ground.refuses(None, &namespace(name, labels), HUB_GUARD).await?;
    }
    ground.applies(None, &binding("domicile-tenant", "acme", "domicile-tenant", "acme")).await?;
    for (name, namespace, role, user, why) in [
        ("domicile-tenant", "acme", "domicile-tenant", "other", HUB_GUARD),
        ("mine", "acme", "domicile-tenant", "acme", HUB_GUARD),
        ("domicile-tenant", "kube-system", "domicile-tenant", "acme", HUB_GUARD),
        ("domicile-tenant", "owners", "domicile-tenant", "acme", HUB_GUARD),
        ("domicile-admin", "acme", "cluster-admin", "acme", "attempting to grant RBAC permissions"),
    ] {
        ground.refuses(None, &binding(name, namespace, role, user), why).await?;
    }
    let quota = |name: &str, namespace: &str| {
        object("apiVersion: v1, kind: ResourceQuota", name, namespace, "spec: {hard: {pods: '9'}}")
    };
    ground.applies(None, &quota("domicile-quota", "acme")).await?;
    ground.applies(None, &policy("domicile-egress", "acme", "policyTypes: [Egress]")).await?;
    ground.refuses(None, &quota("quota", "acme"), HUB_GUARD).await?;
    ground.refuses(None, &quota("domicile-quota", "kube-system"), HUB_GUARD).await?;
    ground.refuses(None, &policy("domicile-egress", "default", "policyTypes: [Egress]"), HUB_GUARD).await?;
    the_hub_deletes_nothing_by_other_ways(ground).await
}

/// What the hub may change has nothing by which Kubernetes deletes it, or doesn't let go of it.
pub(crate) async fn the_hub_deletes_nothing_by_other_ways(ground: &Ground) -> anyhow::Result<()> {
    let orphaned = r#"{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Namespace","name":"nothing","uid":"00000000-0000-0000-0000-000000000000"}]}}"#;
    let held = r#"{"metadata":{"finalizers":["example.com/held"]}}"#;
    for object in [
        "namespace acme",
        "rolebinding domicile-tenant",
        "resourcequota domicile-quota",
        "networkpolicy domicile-egress",
    ] {
        for patch in [orphaned, held] {
            let args = format!("-n acme patch {object} --type=merge -p {patch}");
            ground.refused(None, &args, HUB_GUARD).await?;
        }
    }
    let finalizers = "metadata: {name: held, finalizers: [example.com/held]";
    for object in [
        namespace("held", LABELS).replace("metadata: {name: held", finalizers),
        policy("domicile-held", "acme", "policyTypes: [Egress]")
            .replace("name: domicile-held", "name: domicile-held, finalizers: [example.com/held]"),
    ] {
        ground.refuses(None, &object, HUB_GUARD).await?;
    }
    // What its owner has put there stays, and is in nobody's way.
    let member = ground.member()?;
    member.kubectl(["patch", "namespace", "acme", "--type=merge", "-p", held]).text().await?;
    ground.applies(None, &namespace("acme", LABELS)).await?;
    let let_go = r#"{"metadata":{"finalizers":[]}}"#;
    ground.refused(None, &format!("patch namespace acme --type=merge -p {let_go}"), HUB_GUARD).await?;
    member.kubectl(["patch", "namespace", "acme", "--type=merge", "-p", let_go]).text().await?;
    Ok(())
}

/// The owner's word on a namespace: whose it may be, by which labels tools find it, how strict it is.
pub(crate) async fn the_owners_namespaces_are_the_owners(ground: &Ground) -> anyhow::Result<()> {
    let pruned = format!("{LABELS}, app.kubernetes.io/instance: ingress");
    let warned = format!("{LABELS}, pod-security.kubernetes.io/warn: privileged");
    for labels in [&pruned, &warned] {
        ground.refuses(None, &namespace("acme", labels), HUB_GUARD).await?;
    }
    let strict = LABELS.replace("baseline", "restricted");
    let theirs = LABELS.replace("acme", "never-admitted");
    let apply = async |name: &str, labels: &str| {
        let object = namespace(name, labels);
        ground.member()?.kubectl(["apply", "--server-side", "-f", "-"]).stdin(object).text().await
    };
    apply("strict", &strict).await?;
    ground.applies(None, &namespace("strict", &strict)).await?;
    ground
        .refuses(None, &namespace("strict", LABELS), "may not be lowered from restricted to baseline")
        .await?;
    apply("theirs", &theirs).await?;
    let admitted = "has not admitted tenant never-admitted";
    ground.refuses(None, &namespace("theirs", &theirs), admitted).await?;
    ground.refuses(None, &namespace("new", &theirs), admitted).await?;
    let theirs = binding("domicile-tenant", "theirs", "domicile-tenant", "never-admitted");
    ground.refuses(None, &theirs, admitted).await
}

/// What the hub can and can't do as a tenant.
pub(crate) async fn a_tenant_is_held_to_its_own(ground: &Ground) -> anyhow::Result<()> {
    let acme = Some("acme");
    let deployment = "spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, \
                      spec: {containers: [{name: a, image: x}]}}}";
    let deployment = object("apiVersion: apps/v1, kind: Deployment", "web", "acme", deployment);
    let secret = object("apiVersion: v1, kind: Secret", "key", "acme", "stringData: {a: b}");
    for allowed in [&deployment, &secret, &config_map("a", "acme"), &policy("web", "acme", "ingress: [{}]")] {
        ground.applies(acme, allowed).await?;
    }
    let scaled = ground.as_hub(acme, "-n acme scale deployment web --replicas=2", "").await?;
    ensure!(scaled.code == Some(0), "{scaled:?}");
    let owners = policy("of-the-owner", "acme", "policyTypes: [Egress]");
    ground.member()?.kubectl(["apply", "-f", "-"]).stdin(owners).text().await?;
    for refused in [
        config_map("domicile-a", "acme"),
        policy("out", "acme", "policyTypes: [Ingress, Egress]"),
        policy("out", "acme", "egress: [{}]"),
        policy("domicile-egress", "acme", "ingress: [{}]"),
        policy("of-the-owner", "acme", "policyTypes: [Ingress]"),
        service("alias", "type: ExternalName, externalName: db.example"),
        service("alias", "externalIPs: [192.0.2.1]"),
    ] {
        ground.refuses(acme, &refused, TENANT_GUARD).await?;
    }
    for (args, why) in [
        ("-n acme delete networkpolicy domicile-egress", TENANT_GUARD),
        ("-n acme delete networkpolicy of-the-owner", TENANT_GUARD),
        ("-n kube-system get secrets", "is forbidden"),
        ("-n owners get configmaps", "is forbidden"),
        ("-n acme delete rolebinding domicile-tenant", "is forbidden"),
        ("-n acme get pods", "is forbidden"),
        ("delete namespace acme", "is forbidden"),
    ] {
        ground.refused(acme, args, why).await?;
    }
    ground.refuses(acme, &config_map("a", "kube-system"), "is forbidden").await?;
    // Nobody else is touched by the policies.
    let by_owner = ground.member()?.kubectl(["-n", "acme", "create", "configmap", "domicile-z"]);
    by_owner.text().await?;
    Ok(())
}
