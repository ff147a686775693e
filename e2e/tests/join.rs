//! Members join, are held to what their owner grants, and leave, on real API servers.

use std::iter;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use domicile_e2e::fleet::wait::eventually;
use domicile_e2e::fleet::{Cluster, ClusterOptions, Program};
use domicile_e2e::plugin::{self, Ran};
use domicile_e2e::stage::{OPERATOR_NAMESPACE, Stage, root};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;

const MEMBER: &str = "nl-ams-1";
const FACTS: &str = r"
apiVersion: domicile.dev/v1alpha1
kind: Site
metadata: {name: nl-ams}
spec: {operatedBy: polder, ownedBy: polder, country: NL, state: Online}
---
apiVersion: domicile.dev/v1alpha1
kind: Tenant
metadata: {name: acme}
spec: {namespaces: [acme], residency: {allowed: [{country: NL}]}}
";

/// A hub and a member that nobody has joined yet.
struct Ground {
    stage: Stage,
}

impl Ground {
    async fn prepare(member: ClusterOptions) -> anyhow::Result<Self> {
        let stage = Stage::set_with(ClusterOptions::hub(), &[(MEMBER, member.nodes(0))]).await?;
        stage.apply(FACTS).await?;
        // kubectl asks first what an API server serves, and the hub may not ask that as a tenant: it needn't.
        stage.fleet.member(MEMBER)?.kubectl(["api-resources"]).text().await?;
        Ok(Self { stage })
    }

    fn member(&self) -> anyhow::Result<&Cluster> {
        self.stage.fleet.member(MEMBER)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.stage.fleet.dir().join(name)
    }

    /// `kubectl domicile`, on the hub as its administrator.
    fn cli(&self, args: &[&str]) -> anyhow::Result<Ran> {
        plugin::domicile(Some(&self.stage.fleet.hub()?.kubeconfig_path()), args, "")
    }

    /// The same with the member's administrator's kubeconfig; it must succeed.
    fn owner(&self, args: &[&str]) -> anyhow::Result<String> {
        let kubeconfig = self.member()?.kubeconfig_path().display().to_string();
        self.cli(&[args, &["--member-kubeconfig", &kubeconfig]].concat())?.done()
    }

    /// Writes down the credential that the hub was given.
    async fn credential(&self) -> anyhow::Result<PathBuf> {
        let secrets: Api<Secret> = Api::namespaced(self.stage.fleet.hub()?.client(), OPERATOR_NAMESPACE);
        let data = secrets.get(&format!("member-{MEMBER}")).await?.data.unwrap_or_default();
        let path = self.path("hub-credential.yaml");
        std::fs::write(&path, &data.get("kubeconfig").context("the Secret has no kubeconfig")?.0)?;
        Ok(path)
    }

    /// kubectl on the member with the hub's credential; with `tenant`, acting as it, as the operator does.
    async fn as_hub(&self, tenant: Option<&str>, args: &str, stdin: &str) -> anyhow::Result<Ran> {
        self.acting(tenant, &["--as-group=domicile:tenants"], args, stdin).await
    }

    /// The same with other groups, or none: whoever has the credential chooses them.
    async fn acting(
        &self,
        tenant: Option<&str>,
        groups: &[&str],
        args: &str,
        stdin: &str,
    ) -> anyhow::Result<Ran> {
        let user = tenant.map(|tenant| format!("--as=domicile:tenant:{tenant}"));
        let acting = user.iter().flat_map(|user| iter::once(user.as_str()).chain(groups.iter().copied()));
        let args = args.split_whitespace().chain(acting);
        let kubectl = self.member()?.kubectl(args).kubeconfig(self.credential().await?).stdin(stdin);
        Ok(kubectl.output().await?.into())
    }

    async fn applies(&self, tenant: Option<&str>, object: &str) -> anyhow::Result<()> {
        let done = self.as_hub(tenant, APPLY, object).await?;
        ensure!(done.code == Some(0), "refused: {object}: {done:?}");
        Ok(())
    }

    async fn refuses(&self, tenant: Option<&str>, object: &str, why: &str) -> anyhow::Result<()> {
        self.must_fail(tenant, APPLY, object, why).await
    }

    async fn refused(&self, tenant: Option<&str>, args: &str, why: &str) -> anyhow::Result<()> {
        self.must_fail(tenant, args, "", why).await
    }

    /// With the group that the operator names, and without: neither may do more than the other.
    async fn must_fail(
        &self,
        tenant: Option<&str>,
        args: &str,
        stdin: &str,
        why: &str,
    ) -> anyhow::Result<()> {
        let tries: &[&[&str]] =
            if tenant.is_some() { &[&["--as-group=domicile:tenants"], &[]] } else { &[&[]] };
        for groups in tries {
            let done = self.acting(tenant, groups, args, stdin).await?;
            ensure!(
                done.code != Some(0) && done.err.contains(why),
                "wanted `{why}` for {args} {stdin} with {groups:?}: {done:?}"
            );
        }
        Ok(())
    }
}

const APPLY: &str = "apply --server-side --force-conflicts --validate=false --field-manager=domicile -f -";
const HUB_GUARD: &str = "domicile-hub-guard: ";
const TENANT_GUARD: &str = "domicile-tenant-guard: ";
const LABELS: &str = "domicile.dev/tenant: acme, pod-security.kubernetes.io/enforce: baseline";

fn namespace(name: &str, labels: &str) -> String {
    format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, labels: {{{labels}}}}}}}")
}

fn object(kind: &str, name: &str, namespace: &str, rest: &str) -> String {
    format!("{{{kind}, metadata: {{name: {name}, namespace: {namespace}}}, {rest}}}")
}

fn binding(name: &str, namespace: &str, role: &str, user: &str) -> String {
    let rest = format!(
        "roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}, \
         subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: 'domicile:tenant:{user}'}}]"
    );
    object("apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding", name, namespace, &rest)
}

fn config_map(name: &str, namespace: &str) -> String {
    object("apiVersion: v1, kind: ConfigMap", name, namespace, "data: {a: b}")
}

fn policy(name: &str, namespace: &str, spec: &str) -> String {
    let spec = format!("spec: {{podSelector: {{}}, {spec}}}");
    object("apiVersion: networking.k8s.io/v1, kind: NetworkPolicy", name, namespace, &spec)
}

fn service(name: &str, spec: &str) -> String {
    object("apiVersion: v1, kind: Service", name, "acme", &format!("spec: {{ports: [{{port: 80}}], {spec}}}"))
}

/// What the hub can and can't do itself.
async fn the_hub_is_held_to_tenants_namespaces(ground: &Ground) -> anyhow::Result<()> {
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
async fn the_hub_deletes_nothing_by_other_ways(ground: &Ground) -> anyhow::Result<()> {
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
async fn the_owners_namespaces_are_the_owners(ground: &Ground) -> anyhow::Result<()> {
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
async fn a_tenant_is_held_to_its_own(ground: &Ground) -> anyhow::Result<()> {
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

async fn names_of_ours(member: &Cluster) -> anyhow::Result<String> {
    let kinds = "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings,\
                 namespaces";
    let args = ["get", kinds, "-o", "name", "-l", "app.kubernetes.io/part-of=domicile"];
    Ok(member.kubectl(args).text().await?.trim().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_joins_is_held_and_leaves() -> anyhow::Result<()> {
    let ground = Ground::prepare(ClusterOptions::member()).await?;
    let member = ground.member()?;
    member.kubectl(["create", "namespace", "owners"]).text().await?;

    let elsewhere = ground.cli(&["join", MEMBER, "--site", "nowhere", "--member-context", "x"])?;
    assert_eq!(elsewhere.code, Some(1));
    assert_eq!(elsewhere.err, "error: there is no Site nowhere on the hub; there are nl-ams\n");

    let joined = ground.owner(&["join", MEMBER, "--site", "nl-ams"])?;
    assert!(joined.contains("constrained impersonation; tenants admitted: none"), "{joined}");
    ground.refuses(Some("acme"), &config_map("a", "acme"), "cannot impersonate").await?;
    ground.owner(&["admit", "acme", "--member", MEMBER])?;
    the_hub_is_held_to_tenants_namespaces(&ground).await?;
    the_owners_namespaces_are_the_owners(&ground).await?;
    a_tenant_is_held_to_its_own(&ground).await?;

    // Once more: nothing is lost, and the old token is replaced.
    let before = std::fs::read_to_string(ground.credential().await?)?;
    let joined = ground.owner(&["join", MEMBER, "--site", "nl-ams", "--rotate"])?;
    assert!(joined.contains("tenants admitted: acme"), "{joined}");
    assert_ne!(before, std::fs::read_to_string(ground.credential().await?)?);
    ground.applies(Some("acme"), &config_map("b", "acme")).await?;
    let old = ground.path("old.yaml");
    std::fs::write(&old, before)?;
    eventually(Duration::from_secs(30), "the old token to end", async || {
        let output = member.kubectl(["get", "pods", "-A"]).kubeconfig(&old).output().await?;
        Ok((!output.status.success()).then_some(()))
    })
    .await?;

    ground.owner(&["admit", "acme", "--member", MEMBER, "--withdraw"])?;
    // An API server learns of it by a watch.
    eventually(Duration::from_secs(30), "the withdrawal to be in force", async || {
        ground.refuses(Some("acme"), &config_map("a", "acme"), "cannot impersonate").await?;
        Ok(Some(()))
    })
    .await?;

    ground.stage.apply(&namespace("acme", "a: b")).await?;
    let seats = "spec: {tenant: acme, seats: [{ordinal: 0, cluster: nl-ams-1, epoch: 1, generation: 1}]}";
    let assignment = object("apiVersion: domicile.dev/v1alpha1, kind: Assignment", "web", "acme", seats);
    ground.stage.apply(&assignment).await?;
    let used = ground.cli(&["leave", MEMBER])?;
    assert_eq!(used.code, Some(1));
    assert!(used.err.contains("1 workloads have a copy on nl-ams-1: acme/web; move them away"), "{used:?}");
    let hub = ground.stage.fleet.hub()?;
    hub.kubectl(["-n", "acme", "delete", "assignment", "web"]).text().await?;
    let left = ground.owner(&["leave", MEMBER])?;
    let wanted = "membercluster.domicile.dev/nl-ams-1 deleted\nsecret/member-nl-ams-1 deleted\n\
                  nl-ams-1 cleaned up; tenants' namespaces were left alone\n";
    assert_eq!(left, wanted);
    eventually(Duration::from_mins(1), "everything to be gone", async || {
        let names = names_of_ours(member).await?;
        ensure!(names.is_empty(), "{names} is left");
        Ok(Some(()))
    })
    .await?;
    member.kubectl(["-n", "acme", "get", "deployment", "web"]).text().await?;
    Ok(())
}

/// The commands under a heading of docs/member.md, as its reader would copy them.
fn documented(heading: &str) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(root().join("docs/member.md"))?;
    let (_, after) = text.split_once(heading).context("there is no such heading")?;
    let (_, block) = after.split_once("```sh\n").context("there is no block")?;
    Ok(block.split_once("```").context("the block doesn't end")?.0.to_owned())
}

fn shell(script: &str, folder: &Path, member: &Cluster) -> anyhow::Result<()> {
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("sh")
        .args(["-eu", "-c", script])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", member.binaries().folder().display()))
        .env("KUBECONFIG", member.kubeconfig_path())
        .stdin(Stdio::null())
        .output()?;
    ensure!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_cluster_is_joined_by_two_files() -> anyhow::Result<()> {
    let ground = Ground::prepare(ClusterOptions::member()).await?;
    let member = ground.member()?;
    let printed = ground.cli(&["join", MEMBER, "--print-member", "--admit", "acme"])?;
    assert_eq!((printed.code, printed.err.as_str()), (Some(0), ""));
    member.kubectl(["apply", "--server-side", "-f", "-"]).stdin(&printed.out).text().await?;
    let folder = ground.path("owner");
    std::fs::create_dir_all(&folder)?;
    shell(&documented("### Make the kubeconfig for the hub")?, &folder, member)?;
    let answer = folder.join("answer.yaml").display().to_string();
    let accept = |file: &str| ground.cli(&["join", MEMBER, "--site", "nl-ams", "--accept", file]);

    // Its owner's own kubeconfig by mistake.
    let admin = accept(&member.kubeconfig_path().display().to_string())?;
    assert_eq!(admin.code, Some(1));
    assert!(admin.err.contains("it can do everything: this is an administrator's"), "{admin:?}");

    // Without the guard: everything that RBAC can say is as it must be.
    let guard = ["delete", "validatingadmissionpolicybinding", "domicile-hub-guard"];
    member.kubectl(guard).text().await?;
    let unguarded = accept(&answer)?;
    assert_eq!(unguarded.code, Some(1));
    assert!(unguarded.err.contains("policy domicile-hub-guard or its binding is missing"), "{unguarded:?}");

    // With both kinds of impersonation.
    let legacy = ["create", "clusterrole", "more", "--verb=impersonate", "--resource=users"];
    let legacy = [&legacy[..], &["--resource-name=domicile:tenant:acme"]].concat();
    member.kubectl(legacy).text().await?;
    let bound = ["create", "clusterrolebinding", "more", "--clusterrole=more"];
    let bound = [&bound[..], &["--serviceaccount=domicile-system:hub"]].concat();
    member.kubectl(bound).text().await?;
    member.kubectl(["apply", "--server-side", "-f", "-"]).stdin(&printed.out).text().await?;
    let both = accept(&answer)?;
    assert_eq!(both.code, Some(1));
    assert!(both.err.contains("it has both kinds of impersonation"), "{both:?}");
    member.kubectl(["delete", "clusterrolebinding", "more"]).text().await?;

    let nothing = ground.stage.fleet.hub()?.kubectl(["get", "memberclusters", "-o", "name"]).text().await?;
    assert_eq!(nothing, "", "nothing is written on the hub until everything is right");
    let joined = eventually(Duration::from_secs(30), "the join", async || {
        let done = accept(&answer)?;
        ensure!(done.code == Some(0), "{done:?}");
        Ok(Some(done))
    })
    .await?;
    assert!(joined.out.contains("constrained impersonation; tenants admitted: acme"), "{joined:?}");
    ground.applies(None, &namespace("acme", LABELS)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_without_constrained_impersonation_gets_the_legacy_kind() -> anyhow::Result<()> {
    let old = "--feature-gates=ConstrainedImpersonation=false";
    let ground = Ground::prepare(ClusterOptions::member().arg(Program::Apiserver, old)).await?;
    ground.member()?.kubectl(["create", "namespace", "owners"]).text().await?;
    let joined = ground.owner(&["join", MEMBER, "--site", "nl-ams", "--admit", "acme"])?;
    assert!(joined.contains("legacy impersonation; tenants admitted: acme"), "{joined}");
    let names = names_of_ours(ground.member()?).await?;
    assert!(!names.contains("domicile-acting") && !names.contains("domicile-probe"), "{names}");
    the_hub_is_held_to_tenants_namespaces(&ground).await?;
    the_owners_namespaces_are_the_owners(&ground).await?;
    a_tenant_is_held_to_its_own(&ground).await
}
