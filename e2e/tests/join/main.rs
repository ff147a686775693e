//! Members join, are held to what their owner grants, and leave, on real API servers.

mod ground;
mod held;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use domicile_e2e::fleet::wait::eventually;
use domicile_e2e::fleet::{Cluster, ClusterOptions, Program};
use domicile_e2e::plugin::domicile;
use domicile_e2e::stage::{OPERATOR_NAMESPACE, binary, root};

use ground::{FACTS, Ground, LABELS, MEMBER, binding, config_map, namespace, object};
use held::{
    a_tenant_is_held_to_its_own, the_hub_is_held_to_tenants_namespaces, the_owners_namespaces_are_the_owners,
};

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

/// Whoever may not write the member's credential on the hub is told so before anything is set up.
async fn who_may_not_join_changes_nothing(ground: &Ground) -> anyhow::Result<()> {
    let (hub, member) = (ground.stage.fleet.hub()?, ground.member()?);
    let role =
        ["create", "clusterrolebinding", "pete", "--clusterrole=domicile:platform-engineer", "--user=pete"];
    hub.kubectl(role).text().await?;
    let (pete, owner) = (hub.kubeconfig_for("pete", &[])?, member.kubeconfig_path().display().to_string());
    let join = ["join", MEMBER, "--site", "nl-ams", "--member-kubeconfig", &owner];
    eventually(Duration::from_secs(30), "pete's role to be in force", async || {
        let done = domicile(Some(&pete), &join, "")?;
        let wanted = "secrets \"member-nl-ams-1\" is forbidden";
        ensure!(done.code == Some(1) && done.err.contains(wanted), "wanted `{wanted}`: {done:?}");
        Ok(Some(()))
    })
    .await?;
    let ours = names_of_ours(member).await?;
    ensure!(ours.is_empty(), "the member was set up: {ours}");
    Ok(())
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
    let used = "1 workload is on nl-ams-1, or moves from or to it: acme/web; move it away";
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
        refuses(true, "1 object of a workload is still on nl-ams-1: Deployment acme/web").await?;
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

    who_may_not_join_changes_nothing(&ground).await?;
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
