//! Members join, are held to what their owner grants, and leave, on real API servers.

use std::iter;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use domicile_e2e::fleet::wait::eventually;
use domicile_e2e::fleet::{Cluster, ClusterOptions, Program};
use domicile_e2e::plugin::{self, Ran};
use domicile_e2e::stage::{OPERATOR_NAMESPACE, Stage, binary, root};
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

fn migration(from: &str, to: &str) -> String {
    let spec = format!(
        "spec: {{workload: web, tenant: acme, seat: 0, from: {from}, to: {to}, epoch: 2, generation: 1, \
         cause: {{kind: Draining, subject: MemberCluster/{from}}}, digest: '0000000000000000'}}"
    );
    object("apiVersion: domicile.dev/v1alpha1, kind: Migration", "web-1", "acme", &spec)
}

async fn names_of_ours(member: &Cluster) -> anyhow::Result<String> {
    let kinds = "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings,\
                 namespaces";
    let args = ["get", kinds, "-o", "name", "-l", "app.kubernetes.io/part-of=domicile"];
    Ok(member.kubectl(args).text().await?.trim().to_owned())
}

/// `leave` refuses as long as the hub's records name the member, or the member has something of a workload.
async fn it_leaves_when_nothing_is_there(ground: &Ground) -> anyhow::Result<()> {
    let member = ground.member()?;
    ground.stage.apply(&namespace("acme", "a: b")).await?;
    let seats = "spec: {tenant: acme, seats: [{ordinal: 0, cluster: nl-ams-1, epoch: 1, generation: 1}]}";
    let assignment = object("apiVersion: domicile.dev/v1alpha1, kind: Assignment", "web", "acme", seats);
    ground.stage.apply(&assignment).await?;
    member.kubectl(["-n", "acme", "label", "deployment", "web", "domicile.dev/workload=web"]).text().await?;
    let refuses = async |owner: bool, why: &str| {
        let kubeconfig = member.kubeconfig_path().display().to_string();
        let owner: &[&str] = if owner { &["--member-kubeconfig", &kubeconfig] } else { &[] };
        let done = ground.cli(&[&["leave", MEMBER], owner].concat())?;
        ensure!(done.code == Some(1) && done.err.contains(why), "wanted `{why}`: {done:?}");
        Ok(())
    };
    let used = "1 workloads are on nl-ams-1, or move from or to it: acme/web; move them away";
    refuses(false, used).await?;
    let hub = ground.stage.fleet.hub()?;
    // In the middle of a move only one end of it is in the Assignment.
    for (from, to) in [(MEMBER, "be-bru-1"), ("be-bru-1", MEMBER)] {
        let elsewhere = assignment.replace(MEMBER, "be-bru-1");
        ground.stage.apply(&elsewhere).await?;
        ground.stage.apply(&migration(from, to)).await?;
        refuses(false, used).await?;
        let ended = r#"{"status":{"step":"Completed"}}"#;
        let end = [
            "-n",
            "acme",
            "patch",
            "migration",
            "web-1",
            "--subresource=status",
            "--type=merge",
            "-p",
            ended,
        ];
        hub.kubectl(end).text().await?;
        refuses(true, "1 objects of workloads are still on nl-ams-1: Deployment acme/web").await?;
        hub.kubectl(["-n", "acme", "delete", "migration", "web-1"]).text().await?;
    }
    hub.kubectl(["-n", "acme", "delete", "assignment", "web"]).text().await?;
    member.kubectl(["-n", "acme", "label", "deployment", "web", "domicile.dev/workload-"]).text().await?;
    let left = ground.owner(&["leave", MEMBER])?;
    let wanted = "membercluster.domicile.dev/nl-ams-1 deleted\nsecret/member-nl-ams-1 deleted\n\
                  nl-ams-1 cleaned up; what tenants have there was left alone\n";
    assert_eq!(left, wanted);
    let binding = ["-n", "acme", "get", "rolebinding", "domicile-tenant", "--ignore-not-found", "-o", "name"];
    assert_eq!(member.kubectl(binding).text().await?, "", "it would come alive with the next hub");
    eventually(Duration::from_mins(1), "everything to be gone", async || {
        let names = names_of_ours(member).await?;
        ensure!(names.is_empty(), "{names} is left");
        Ok(Some(()))
    })
    .await?;
    member.kubectl(["-n", "acme", "get", "deployment", "web"]).text().await?;
    Ok(())
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

    it_leaves_when_nothing_is_there(&ground).await
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
    let plugin = binary("kubectl-domicile")?.with_file_name("");
    let output = Command::new("sh")
        .args(["-eu", "-c", script])
        .current_dir(folder)
        .env("PATH", format!("{}:{}:{path}", member.binaries().folder().display(), plugin.display()))
        .env("KUBECONFIG", member.kubeconfig_path())
        .stdin(Stdio::null())
        .output()?;
    ensure!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Repeating is safe, also with a slip by which the cluster would stand in another country.
async fn it_stays_at_its_site(ground: &Ground, answer: &str) -> anyhow::Result<()> {
    ground
        .stage
        .apply(&FACTS.replace("nl-ams", "us-va").replace("country: NL, state", "country: US, state"))
        .await?;
    let hub = ground.stage.fleet.hub()?;
    let kept = [
        "get",
        "secret",
        "-n",
        OPERATOR_NAMESPACE,
        "member-nl-ams-1",
        "-o",
        "jsonpath={.metadata.resourceVersion}",
    ];
    let before = hub.kubectl(kept).text().await?;
    let slip = ground.cli(&["join", MEMBER, "--site", "us-va", "--accept", answer])?;
    assert_eq!(slip.code, Some(1));
    let wanted = "error: nl-ams-1 is at site nl-ams, not us-va; if it stands there, say so first: \
                  kubectl patch membercluster nl-ams-1 --type=merge -p '{\"spec\":{\"site\":\"us-va\"}}'\n";
    assert_eq!(slip.err, wanted);
    let site = ["get", "membercluster", MEMBER, "-o", "jsonpath={.spec.site}"];
    assert_eq!(
        (hub.kubectl(site).text().await?.as_str(), hub.kubectl(kept).text().await?),
        ("nl-ams", before.clone())
    );
    // On purpose.
    hub.kubectl(["patch", "membercluster", MEMBER, "--type=merge", "-p", r#"{"spec":{"site":"us-va"}}"#])
        .text()
        .await?;
    ground.cli(&["join", MEMBER, "--site", "us-va", "--accept", answer])?.done()?;

    // A MemberCluster that somebody else keeps, who wants another Secret: then nothing is written, that one included.
    let theirs = format!(
        "{{apiVersion: domicile.dev/v1alpha1, kind: MemberCluster, metadata: {{name: {MEMBER}}}, \
         spec: {{site: us-va, connection: {{kubeconfigSecret: theirs}}}}}}"
    );
    let apply = ["apply", "--server-side", "--force-conflicts", "--field-manager=gitops", "-f", "-"];
    hub.kubectl(apply).stdin(theirs).text().await?;
    let before = hub.kubectl(kept).text().await?;
    let conflict = ground.cli(&["join", MEMBER, "--site", "us-va", "--accept", answer])?;
    assert!(conflict.code == Some(1) && conflict.err.contains("gitops"), "{conflict:?}");
    assert_eq!(hub.kubectl(kept).text().await?, before);
    Ok(())
}

/// Whatever is missing or was given beyond the files is named, all of it at once.
async fn more_than_the_files_is_refused(ground: &Ground, answer: &str, files: &str) -> anyhow::Result<()> {
    let member = ground.member()?;
    let kubectl = async |args: &str| member.kubectl(args.split_whitespace()).text().await;
    let names = async |wanted: &[&str]| {
        eventually(Duration::from_secs(30), "the refusal", async || {
            let done = ground.cli(&["join", MEMBER, "--site", "nl-ams", "--accept", answer])?;
            ensure!(done.code == Some(1), "{done:?}");
            for wanted in wanted {
                ensure!(done.err.contains(wanted), "wanted `{wanted}`: {done:?}");
            }
            Ok(Some(()))
        })
        .await
    };
    let hub = "--serviceaccount=domicile-system:hub";
    let tenants = "--group=domicile:tenants";
    kubectl("delete validatingadmissionpolicybinding domicile-hub-guard").await?;
    kubectl("delete validatingadmissionpolicy domicile-tenant-guard").await?;
    kubectl("create namespace payroll").await?;
    kubectl(&format!("-n payroll create rolebinding more --clusterrole=admin {hub}")).await?;
    kubectl("-n payroll create rolebinding wide --clusterrole=view --user=domicile:tenant:acme").await?;
    kubectl("create clusterrole kubelets --verb=get,create --resource=nodes/proxy").await?;
    kubectl(&format!("create clusterrolebinding kubelets --clusterrole=kubelets {hub}")).await?;
    kubectl("create clusterrole quiet --verb=update --resource=mutatingwebhookconfigurations").await?;
    kubectl(&format!("create clusterrolebinding quiet --clusterrole=quiet {hub}")).await?;
    names(&[
        "ValidatingAdmissionPolicyBinding domicile-hub-guard is missing",
        "ValidatingAdmissionPolicy domicile-tenant-guard is missing",
        "RoleBinding payroll/more gives it ClusterRole admin",
        "RoleBinding payroll/wide gives domicile:tenant:acme, whose namespace it isn't, ClusterRole view",
        "it can create/get nodes/proxy, which no file grants",
        "it can update mutatingwebhookconfigurations.admissionregistration.k8s.io, which no file grants",
    ])
    .await?;
    kubectl("delete namespace payroll").await?;
    kubectl("delete clusterrolebinding kubelets quiet").await?;
    member.kubectl(["apply", "--server-side", "-f", "-"]).stdin(files).text().await?;
    kubectl(&format!("create clusterrolebinding all-see --clusterrole=view {tenants}")).await?;
    names(&["as tenant acme it can get configmaps in kube-system"]).await?;
    kubectl("delete clusterrolebinding all-see").await?;
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

    more_than_the_files_is_refused(&ground, &answer, &printed.out).await?;

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
    ground.applies(None, &namespace("acme", LABELS)).await?;
    ground.applies(None, &binding("domicile-tenant", "acme", "domicile-tenant", "acme")).await?;

    it_stays_at_its_site(&ground, &answer).await?;

    // Its owner wants out, and doesn't ask.
    shell(&documented("### Out at once")?, &folder, member)?;
    let names = names_of_ours(member).await?;
    assert!(names.is_empty(), "{names}");
    let bindings =
        ["get", "rolebindings", "-A", "-o", "name", "--field-selector=metadata.name=domicile-tenant"];
    assert_eq!(member.kubectl(bindings).text().await?, "");
    member.kubectl(["get", "namespace", "acme"]).text().await?;
    Ok(())
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
