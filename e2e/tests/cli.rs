//! `kubectl domicile` on a live fleet: what it shows, what it switches, and how it says that something is wrong.
#![expect(clippy::indexing_slicing, reason = "JSON: a missing member is null")]

use std::process::Command;

use anyhow::{Context as _, ensure};
use domicile_crds::yaml;
use domicile_e2e::fleet::process::Signal;
use domicile_e2e::fleet::wait::eventually;
use domicile_e2e::plugin::{self, Ran};
use domicile_e2e::props::{config_map, decision, deployment, list, place, tenant, with, workload};
use domicile_e2e::sight::managed;
use domicile_e2e::stage::{OPERATOR_NAMESPACE, PATIENCE, Stage, binary};
use serde_json::{Value, json};

const NL: &str = "nl-ams-1";
const DE: &str = "de-fra-1";

/// Two approved members. The German site, which the tenant prefers, isn't online yet; it wants to be asked.
async fn stage() -> anyhow::Result<Stage> {
    let stage = Stage::set(&[NL, DE]).await?;
    let mut facts = place("alpha", "nl-ams", "NL");
    facts.extend(place("beta", "de-fra", "DE"));
    for fact in &mut facts {
        if fact["metadata"]["name"] == "de-fra" {
            fact["spec"]["state"] = "Planned".into();
        }
    }
    let asked = json!({"migration": {"mode": "Approval"}, "preferences": [{"site": "de-fra"}]});
    facts.push(with(tenant("acme"), json!({"spec": asked})));
    stage.apply(&list(&facts)).await?;
    for (name, site) in [(NL, "nl-ams"), (DE, "de-fra")] {
        stage.join(name, site, &["acme"]).await?;
    }
    stage.start_operator()?;
    let hub = stage.fleet.hub()?;
    hub.kubectl(["wait", "--for=create", "namespace/acme", "--timeout=60s"]).text().await?;
    let web = workload("acme", "web", &[config_map("web", "a"), deployment("web", "1")], json!({}));
    stage.apply(&web.to_string()).await?;
    stage.wait_on(("acme", "web"), &[NL]).await?;
    stage.says(&format!("memberclusters/{DE}"), "Ready", "True", "").await?;
    Ok(stage)
}

fn ran(stage: &Stage, command: &str) -> anyhow::Result<Ran> {
    let args: Vec<&str> = command.split_whitespace().collect();
    plugin::domicile(Some(&stage.fleet.hub()?.kubeconfig_path()), &args, "")
}

fn done(stage: &Stage, command: &str) -> anyhow::Result<String> {
    ran(stage, command)?.done().with_context(|| command.to_owned())
}

fn says(text: &str, parts: &[&str]) -> anyhow::Result<()> {
    for part in parts {
        ensure!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
    Ok(())
}

fn json_of(stage: &Stage, command: &str) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(&done(stage, &format!("{command} -o json"))?)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_shows_is_so_and_what_it_switches_happens() -> anyhow::Result<()> {
    let stage = stage().await?;
    all_is_well(&stage)?;
    errors_say_what_to_do(&stage)?;
    a_move_is_answered(&stage).await?;
    a_cordoned_member_gets_nothing_new(&stage).await?;
    a_paused_move_waits(&stage).await?;
    a_drained_member_is_left(&stage).await?;
    what_has_no_other_place_is_stuck(&stage).await?;
    a_tenant_sees_its_own(&stage).await?;
    what_is_suspended_is_told(&stage).await?;
    nobody_keeps_watch(&stage).await?;
    what_is_left_is_told(&stage).await
}

fn all_is_well(stage: &Stage) -> anyhow::Result<()> {
    let text = done(stage, "status")?;
    let begins = "OPERATOR   operator-1, heard of ";
    ensure!(text.starts_with(begins) && text.contains(" ago\n"), "{text}");
    says(
        &text,
        &["CLUSTER    SITE     COUNTRY   PROVIDER", "de-fra-1   de-fra   DE        beta       Open"],
    )?;
    says(&text, &["acme     1     1        1        0     0         0       0         0\n"])?;
    ensure!(!text.contains('\u{1b}'), "colours are for terminals");
    says(&done(stage, "status -o wide")?, &["VERSION   REASON\n", "   v1.36.3   "])?;
    let report = json_of(stage, "status")?;
    assert_eq!(report["operator"]["alive"], true);
    assert_eq!(report["operator"]["holder"], "operator-1");
    assert_eq!(report["clusters"][1]["name"], NL);
    assert_eq!(report["clusters"][1]["ready"], "True");
    let mut acme = report["tenants"][0].clone();
    assert_eq!(acme["name"].take(), "acme");
    let counts = [("workloads", 1), ("placed", 1), ("compliant", 1), ("notCompliant", 0), ("unknown", 0)];
    for (field, count) in counts {
        assert_eq!(acme[field], count, "{field}");
    }
    let again: Value = yaml::from_str(&done(stage, "status -n acme -o yaml")?)?;
    assert_eq!(again["tenants"], report["tenants"]);

    let stuck = ran(stage, "status --stuck")?;
    assert_eq!(stuck.code, Some(0), "{}", stuck.out);
    ensure!(stuck.out.ends_with("\n\nnothing needs a person\n"), "{}", stuck.out);
    assert_eq!(json_of(stage, "status --stuck")?, json!([]));

    let map = "DE\n  beta\n    de-fra  (Planned)\n      de-fra-1: empty\nNL\n  alpha\n    nl-ams\n      nl-ams-1: acme 1\n";
    assert_eq!(done(stage, "map")?, map);
    assert_eq!(done(stage, "map -n acme")?, "NL\n  alpha\n    nl-ams\n      nl-ams-1: acme 1\n");
    says(&done(stage, "map -o wide")?, &["      nl-ams-1\n        acme 1\n"])?;
    let chart = json_of(stage, "map")?;
    assert_eq!(chart["NL"]["alpha"]["nl-ams"]["clusters"][NL]["tenants"], json!({"acme": 1}));
    assert_eq!(yaml::from_str::<Value>(&done(stage, "map -o yaml")?)?, chart);
    Ok(())
}

fn errors_say_what_to_do(stage: &Stage) -> anyhow::Result<()> {
    for (command, code, error) in [
        (
            "cordon nowhere",
            1,
            "error: there is no MemberCluster nowhere on the hub; there are de-fra-1, nl-ams-1\n",
        ),
        (
            "drain nowhere",
            1,
            "error: there is no MemberCluster nowhere on the hub; there are de-fra-1, nl-ams-1\n",
        ),
        ("pause nothing", 1, "error: there is no Relocation nothing on the hub; there is none at all\n"),
        (
            "answer it approve -n acme",
            1,
            "error: there is no Migration acme/it on the hub; there is none at all\n",
        ),
        (
            "leave nl-ams-1",
            1,
            "1 workload is on nl-ams-1, or moves from or to it: acme/web; move it away with `kubectl domicile drain nl-ams-1`, or delete it",
        ),
        (
            "status --context nowhere",
            1,
            "error: no usable kubeconfig for the hub: name one with --kubeconfig and --context",
        ),
        ("status -o table", 2, "[possible values: text, wide, json, yaml]"),
        ("cordon Nowhere", 2, "invalid value 'Nowhere' for '<NAME>'"),
        ("frob", 2, "unrecognized subcommand 'frob'"),
        ("answer it perhaps", 2, "[possible values: approve, deny]"),
    ] {
        let ran = ran(stage, command)?;
        assert_eq!((ran.code, ran.out.as_str()), (Some(code), ""), "{command}: {ran:?}");
        says(&ran.err, &[error])?;
    }
    let gone = plugin::domicile(None, &["map"], "")?;
    assert_eq!(gone.code, Some(1));
    says(
        &gone.err,
        &[
            "error: no usable kubeconfig for the hub: name one with --kubeconfig and --context, or set KUBECONFIG",
        ],
    )
}

/// The condition's own words are typed.
async fn a_move_is_answered(stage: &Stage) -> anyhow::Result<()> {
    let online =
        json!({"spec": {"operatedBy": "beta", "ownedBy": "beta", "country": "DE", "state": "Online"}});
    let site = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "Site", "metadata": {"name": "de-fra"}});
    stage.apply(&with(site, online).to_string()).await?;
    let pending = ("MovePending", "True", "PreferredPlace");
    let message =
        stage.wait_until_said("tenantworkloads/acme/web", pending, "kubectl domicile answer").await?;
    let (_, command) = message.split_once("kubectl domicile ").context("it says what to type")?;
    says(
        &done(stage, &command.replace("approve", "deny"))?,
        &[" denied: acme/web from nl-ams-1 to de-fra-1 because "],
    )?;
    stage.wait_until_said("tenantworkloads/acme/web", pending, "denied").await?;
    stage.wait_on(("acme", "web"), &[NL]).await?;
    says(&done(stage, command)?, &[" approved: acme/web from nl-ams-1 to de-fra-1 because "])?;
    stage.wait_on(("acme", "web"), &[DE]).await?;
    let ended = eventually(PATIENCE, "the move to end", async || {
        let ran = ran(stage, command)?;
        Ok((ran.code == Some(1)).then_some(ran.err))
    })
    .await?;
    says(&ended, &["has ended (Completed), so there is nothing left to answer"])
}

async fn a_cordoned_member_gets_nothing_new(stage: &Stage) -> anyhow::Result<()> {
    assert_eq!(done(stage, "cordon de-fra-1")?, "membercluster.domicile.dev/de-fra-1 cordoned\n");
    assert_eq!(done(stage, "cordon de-fra-1")?, "membercluster.domicile.dev/de-fra-1 already cordoned\n");
    says(&done(stage, "status")?, &["   Cordoned     "])?;
    says(&done(stage, "map")?, &["      de-fra-1  (Cordoned): acme 1\n"])?;
    stage.apply(&workload("acme", "new", &[deployment("new", "1")], json!({})).to_string()).await?;
    stage.wait_on(("acme", "new"), &[NL]).await?;
    stage.wait_on(("acme", "web"), &[DE]).await?;
    assert_eq!(done(stage, "uncordon de-fra-1")?, "membercluster.domicile.dev/de-fra-1 uncordoned\n");
    // It would have been wanted there: without an answer it stays.
    stage.says("tenantworkloads/acme/new", "MovePending", "True", "PreferredPlace").await?;
    stage.wait_on(("acme", "new"), &[NL]).await
}

/// One campaign, and the whole installation.
async fn a_paused_move_waits(stage: &Stage) -> anyhow::Result<()> {
    let columns = "jsonpath={.items[*].metadata.name}";
    let campaign =
        stage.fleet.hub()?.kubectl(["get", "relocations.domicile.dev", "-o", columns]).text().await?;
    ensure!(campaign.starts_with("preferredplace-de-fra-"), "{campaign}");
    let (new, pending) = ("tenantworkloads/acme/new", ("MovePending", "True", "PreferredPlace"));
    let message = stage.wait_until_said(new, pending, "kubectl domicile answer").await?;
    let (_, command) = message.split_once("kubectl domicile ").context("it says what to type")?;
    let is = |did: &str| format!("relocation.domicile.dev/{campaign} {did}\n");
    assert_eq!(done(stage, &format!("pause {campaign}"))?, is("paused"));
    done(stage, command)?;
    stage.wait_until_said(new, pending, &format!("Relocation/{campaign} is paused")).await?;
    assert_eq!(done(stage, "pause")?, "installation.domicile.dev/default paused\n");
    says(&done(stage, "status")?, &["MOVES      paused; go on with: kubectl domicile resume\n"])?;
    assert_eq!(done(stage, &format!("resume {campaign}"))?, is("resumed"));
    stage.wait_until_said(new, pending, "Installation/default is paused").await?;
    stage.wait_on(("acme", "new"), &[NL]).await?;
    assert_eq!(done(stage, "resume")?, "installation.domicile.dev/default resumed\n");
    stage.wait_on(("acme", "new"), &[DE]).await
}

async fn a_drained_member_is_left(stage: &Stage) -> anyhow::Result<()> {
    let drained = ran(stage, "drain de-fra-1")?;
    says(&drained.err, &["note: `kubectl get reloc` shows how far it is"])?;
    assert_eq!(drained.done()?, "membercluster.domicile.dev/de-fra-1 draining\n");
    for name in ["new", "web"] {
        stage.wait_on(("acme", name), &[NL]).await?;
    }
    let de = stage.fleet.member(DE)?;
    eventually(PATIENCE, "the drained member to be empty", async || {
        let left = managed(de).await?;
        ensure!(left.is_empty(), "{:?}", left.keys());
        Ok(Some(()))
    })
    .await
}

async fn what_has_no_other_place_is_stuck(stage: &Stage) -> anyhow::Result<()> {
    done(stage, "drain nl-ams-1")?;
    for name in ["web", "new"] {
        stage.says(&format!("tenantworkloads/acme/{name}"), "Stalled", "True", "NoLawfulPlace").await?;
    }
    let stuck = ran(stage, "status --stuck")?;
    assert_eq!(stuck.code, Some(3));
    says(
        &stuck.out,
        &[
            "OPERATOR   operator-1, heard of ",
            "TenantWorkload acme/new: NoLawfulPlace, for ",
            "TenantWorkload acme/web: NoLawfulPlace",
        ],
    )?;
    says(&stuck.out, &["must leave nl-ams-1 because", "nothing is deleted"])?;
    let as_json = ran(stage, "status --stuck -o json")?;
    assert_eq!(as_json.code, Some(3));
    let listed: Value = serde_json::from_str(&as_json.out)?;
    assert_eq!(listed[0]["object"], "TenantWorkload acme/new");
    assert_eq!(listed[0]["reason"], "NoLawfulPlace");
    says(&done(stage, "status")?, &["2 things need a person: kubectl domicile status --stuck\n"])?;
    for (name, was) in [(NL, "uncordoned"), (DE, "uncordoned")] {
        assert_eq!(
            done(stage, &format!("uncordon {name}"))?,
            format!("membercluster.domicile.dev/{name} {was}\n")
        );
    }
    stage.wait_on(("acme", "web"), &[NL]).await?;
    eventually(PATIENCE, "nothing to be stuck", async || {
        let stuck = ran(stage, "status --stuck")?;
        ensure!(stuck.code == Some(0), "{}", stuck.out);
        Ok(Some(()))
    })
    .await
}

/// With no more rights than to read Domicile's objects in its own namespace.
async fn a_tenant_sees_its_own(stage: &Stage) -> anyhow::Result<()> {
    let hub = stage.fleet.hub()?;
    let role = [
        "-n",
        "acme",
        "create",
        "role",
        "reader",
        "--verb=get,list",
        "--resource=tenantworkloads.domicile.dev,migrations.domicile.dev,assignments.domicile.dev",
    ];
    hub.kubectl(role).text().await?;
    hub.kubectl(["-n", "acme", "create", "rolebinding", "reader", "--role=reader", "--user=tess"])
        .text()
        .await?;
    let kubeconfig = hub.kubeconfig_for("tess", &[])?;
    let tess = |args: &[&str]| plugin::domicile(Some(&kubeconfig), args, "");
    let own = eventually(PATIENCE, "the role to be in force", async || {
        let own = tess(&["status", "-n", "acme"])?;
        ensure!(own.code == Some(0), "{}", own.err);
        Ok(Some(own))
    })
    .await?;
    assert_eq!(own.err, "");
    let hidden = "OPERATOR   you may not see; what it said last is shown as it stands\nMEMBERS    you may not see\nTENANTS    you may not see\nFACTS      you may not see\n";
    let counts = "\nacme        2     2        2        0     0         ";
    ensure!(own.out.starts_with(hidden) && own.out.contains(counts), "{}", own.out);
    let stuck = tess(&["status", "-n", "acme", "--stuck"])?;
    assert_eq!((stuck.code, stuck.err.as_str()), (Some(0), ""), "{}", stuck.out);
    says(&stuck.out, &[hidden, "\nnothing that you may see needs a person\n"])?;
    let data = tess(&["status", "-n", "acme", "-o", "json"])?;
    says(&data.err, &["note: you may not see countrysets, decisions, "])?;
    let report: Value = serde_json::from_str(&data.done()?)?;
    for hidden in ["operator", "paused", "clusters", "tenants"] {
        assert_eq!(report[hidden], Value::Null, "{hidden}");
    }
    assert_eq!((&report["namespace"]["name"], &report["namespace"]["placed"]), (&json!("acme"), &json!(2)));
    let fleet = tess(&["status"])?;
    assert_eq!(
        (fleet.code, fleet.err.as_str()),
        (
            Some(1),
            "error: you may not get the Lease domicile-operator in namespace domicile-system, which is needed to look at all namespaces: look at one of yours with -n NAMESPACE\n"
        )
    );
    let other = tess(&["status", "-n", "default"])?;
    assert_eq!(other.code, Some(1));
    says(
        &other.err,
        &["error: you may not list tenantworkloads.domicile.dev in namespace default, without which "],
    )?;
    let map = tess(&["map"])?;
    assert_eq!(
        (map.code, map.err.as_str()),
        (
            Some(1),
            "error: you may not list memberclusters.domicile.dev, which is needed to look at all namespaces: look at one of yours with -n NAMESPACE\n"
        )
    );
    let map = tess(&["map", "-n", "acme"])?;
    says(&map.err, &["note: you may not see memberclusters or sites"])?;
    assert_eq!(map.done()?, "NL\n  alpha\n    nl-ams\n      nl-ams-1: acme 2\n");
    let refused = tess(&["cordon", NL])?;
    says(&refused.err, &["\n  because: ", "is forbidden: User \"tess\" cannot "])?;
    ensure!(!refused.err.contains("Status"), "{}", refused.err);
    let none = done(stage, "status -n nosuch --stuck")?;
    says(&none, &["nothing needs a person\n"])?;
    says(&ran(stage, "status -n nosuch")?.err, &["note: there is no namespace nosuch on the hub\n"])?;
    says(&ran(stage, "status -n default")?.err, &["note: there is no TenantWorkload in namespace default\n"])
}

/// By a Decision: `web` is scaled to zero.
async fn what_is_suspended_is_told(stage: &Stage) -> anyhow::Result<()> {
    stage.apply(&decision("stop", "TenantWorkload/acme/web", "Suspended", &[]).to_string()).await?;
    stage.says("tenantworkloads/acme/web", "Ready", "False", "Suspended").await?;
    says(&done(stage, "status")?, &["acme     2     2        1        1     0         "])?;
    assert_eq!(json_of(stage, "status")?["tenants"][0]["suspended"], 1);
    let stuck = ran(stage, "status --stuck")?;
    assert_eq!(stuck.code, Some(3));
    says(
        &stuck.out,
        &[
            "TenantWorkload acme/web: Suspended, for ",
            "it is kept scaled to zero: nl-ams-1: TenantWorkload/acme/web is suspended by Decision/stop",
        ],
    )?;
    let map = done(stage, "map")?;
    says(
        &map,
        &["nl-ams-1: acme 2 (1 not compliant, 1 suspended)\n", "\n\nnot compliant: it may not be there; "],
    )?;
    stage.apply(&decision("go-on", "TenantWorkload/acme/web", "Approved", &["stop"]).to_string()).await?;
    stage.says("tenantworkloads/acme/web", "Ready", "True", "").await?;
    Ok(())
}

/// A workload is deleted while its member doesn't answer.
async fn what_is_left_is_told(stage: &Stage) -> anyhow::Result<()> {
    stage.fleet.member(NL)?.kill_apiserver();
    let hub = stage.fleet.hub()?;
    let gone = ["-n", "acme", "delete", "tenantworkloads.domicile.dev", "new", "--cascade=orphan"];
    hub.kubectl(gone).text().await?;
    let listed = "DELETED    LEFT-ON    SINCE\nacme/new   nl-ams-1   -\n";
    says(&done(stage, "status")?, &[listed])?;
    let todo = "kubectl -n acme delete assignments.domicile.dev new";
    says(&ran(stage, "status --stuck")?.out, &["Assignment acme/new: WorkloadGone\n", todo])?;
    let record = ["-n", "acme", "delete", "assignments.domicile.dev", "new", "--wait=false"];
    hub.kubectl(record).text().await?;
    let todo = "kubectl -n acme annotate assignments.domicile.dev new domicile.dev/abandon=nl-ams-1";
    let told = eventually(PATIENCE, "what is left to be told", async || {
        let stuck = ran(stage, "status --stuck -n acme")?;
        ensure!(stuck.code == Some(3));
        Ok(stuck.out.contains(todo).then_some(stuck.out))
    })
    .await?;
    says(&told, &["Assignment acme/new: CleanupWaits, for "])
}

async fn nobody_keeps_watch(stage: &Stage) -> anyhow::Result<()> {
    stage.stop_operator(Signal::KILL).await?;
    let text = eventually(PATIENCE, "the lease to run out", async || {
        let text = done(stage, "status")?;
        Ok(text.starts_with("OPERATOR   UNKNOWN: operator-1 was last heard of ").then_some(text))
    })
    .await?;
    says(&text, &["its lease lasts 5s; what it saw may no longer hold\n", "Open         UNKNOWN   "])?;
    says(&text, &["acme     2     ?        ?        ?     ?         ?       ?         ?\n"])?;
    ensure!(!text.contains("True"), "{text}");
    let report = json_of(stage, "status")?;
    assert_eq!(report["operator"]["alive"], false);
    assert_eq!(report["clusters"][0]["ready"], "Unknown");
    assert_eq!(report["tenants"][0], json!({"name": "acme", "workloads": 2}));
    let stuck = ran(stage, "status --stuck -o yaml")?;
    assert_eq!(stuck.code, Some(3));
    let listed: Value = yaml::from_str(&stuck.out)?;
    assert_eq!(listed[0]["object"], format!("Lease {OPERATOR_NAMESPACE}/domicile-operator"));
    assert_eq!(listed[0]["reason"], "OperatorSilent");
    says(listed[0]["message"].as_str().unwrap_or_default(), &["see that the operator runs"])?;
    // Where things are was written down before they went there.
    says(&done(stage, "map")?, &["      nl-ams-1: acme 2 (2 not known)\n", "\nnot known: it isn't"])?;

    stage.start_operator()?;
    eventually(PATIENCE, "the next operator to keep watch", async || {
        let text = done(stage, "status")?;
        Ok(text.starts_with("OPERATOR   operator-2, heard of ").then_some(()))
    })
    .await?;
    stage.stop_operator(Signal::TERM).await?;
    let text = done(stage, "status")?;
    ensure!(text.starts_with("OPERATOR   UNKNOWN: nobody holds its lease; "), "{text}");
    Ok(())
}

/// As a user has it: found by kubectl on the PATH, and completed by a shell.
#[tokio::test(flavor = "multi_thread")]
async fn kubectl_and_shells_find_it() -> anyhow::Result<()> {
    let folder = binary("kubectl-domicile")?.parent().context("a folder")?.to_owned();
    let kubectl = domicile_e2e::fleet::Binaries::locate()?.path(domicile_e2e::fleet::Program::Kubectl);
    let path = format!("{}:{}", folder.display(), std::env::var("PATH")?);
    let run = |program: &std::path::Path, args: &[&str]| -> anyhow::Result<Ran> {
        Ok(Command::new(program).args(args).env("PATH", &path).output()?.into())
    };
    let version = run(&kubectl, &["domicile", "--version"])?.done()?;
    assert_eq!(version, format!("kubectl-domicile {}\n", env!("CARGO_PKG_VERSION")));
    let wrong = run(&kubectl, &["domicile", "wrap"])?;
    assert_eq!(wrong.code, Some(2), "kubectl passes the exit code on");
    says(&wrong.err, &["Usage: kubectl domicile wrap"])?;
    says(&run(&kubectl, &["domicile", "help-me"])?.err, &["unrecognized subcommand"])?;

    // kubectl's own way of completing plugins.
    let script = folder.join("kubectl_complete-domicile");
    let text = plugin::domicile(None, &["completion", "--kubectl"], "")?.done()?;
    let dir = tempfile::tempdir()?;
    let script = dir.path().join(script.file_name().context("a name")?);
    std::fs::write(&script, text)?;
    let mode = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    std::fs::set_permissions(&script, mode)?;
    let completed = Command::new(&kubectl)
        .args(["__complete", "domicile", "un"])
        .env("PATH", format!("{}:{path}", dir.path().display()))
        .output()?;
    says(&Ran::from(completed).done()?, &["uncordon\n:4\n"])?;

    // A shell that has read the script offers what there is.
    let bash = plugin::domicile(None, &["completion", "bash"], "")?.done()?;
    let file = dir.path().join("bash");
    std::fs::write(&file, bash)?;
    let asks = format!(
        "source {}; COMP_WORDS=(kubectl-domicile unc); COMP_CWORD=1; _kubectl__domicile kubectl-domicile unc kubectl-domicile; echo ${{COMPREPLY[*]}}",
        file.display()
    );
    assert_eq!(run("bash".as_ref(), &["-euc", &asks])?.done()?, "uncordon\n");
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        says(&plugin::domicile(None, &["completion", shell], "")?.done()?, &["uncordon"])?;
    }
    Ok(())
}
