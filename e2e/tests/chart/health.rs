//! What others make of our objects: kstatus by its own code, and Argo CD by the health check that comes with the chart, in
//! the layout in which Argo CD keeps such checks, run by the Lua that it runs them with. The objects are what the operator's
//! own code has written: tests of domicile-core and domicile-operator hold the files against it.

use std::{collections::BTreeMap, process::Stdio};

use anyhow::{Context as _, ensure};
use domicile_crds::{definitions, yaml};
use domicile_e2e::{
    fleet::tools,
    helm::{CHART, text},
    stage::root,
};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, process::Command};

/// In Argo CD's layout, `_` stands for every kind.
const CHECK: &str = "argo-cd/domicile.dev/_";

/// What kstatus must say of each object.
const KSTATUS: [(&str, &str); 44] = [
    ("CountrySet-used", "Current"),
    ("Decision-about-nobody", "InProgress"),
    ("Decision-used", "Current"),
    ("HostingProvider-approved", "Current"),
    ("HostingProvider-not-approved", "Current"),
    ("Installation-unreadable", "InProgress"),
    ("Installation-used", "Current"),
    ("MemberCluster-ready", "Current"),
    ("MemberCluster-unreachable", "InProgress"),
    ("MemberCluster-without-access", "InProgress"),
    ("Migration-asks", "InProgress"),
    ("Migration-completed", "Current"),
    ("Migration-cut-off", "Failed"),
    ("Migration-new", "InProgress"),
    ("Migration-rolled-back", "InProgress"),
    ("Relocation-done", "Current"),
    ("Relocation-held", "InProgress"),
    ("Relocation-moving", "InProgress"),
    ("Site-closing", "InProgress"),
    ("Site-online", "Current"),
    ("Site-planned", "InProgress"),
    ("Site-without-provider", "InProgress"),
    ("Tenant-new-namespace", "InProgress"),
    ("Tenant-used", "Current"),
    ("Tenant-without-country-set", "InProgress"),
    ("TenantWorkload-asks", "Current"),
    ("TenantWorkload-changed", "InProgress"),
    ("TenantWorkload-frozen", "Current"),
    ("TenantWorkload-homeless", "Failed"),
    ("TenantWorkload-image-missing", "InProgress"),
    ("TenantWorkload-leaves", "Current"),
    ("TenantWorkload-new", "InProgress"),
    ("TenantWorkload-no-place", "Failed"),
    ("TenantWorkload-placement-unknown", "Failed"),
    ("TenantWorkload-ready", "Current"),
    ("TenantWorkload-secret-missing", "Failed"),
    ("TenantWorkload-source-away", "Failed"),
    ("TenantWorkload-starting", "InProgress"),
    ("TenantWorkload-stuck", "Failed"),
    ("TenantWorkload-succeeding", "InProgress"),
    ("TenantWorkload-suspended", "InProgress"),
    ("TenantWorkload-unready", "InProgress"),
    ("TenantWorkload-unseen", "InProgress"),
    ("TenantWorkload-update-held", "InProgress"),
];

fn read(path: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(root().join(CHART).join(path)).with_context(|| path.to_owned())
}

/// The objects beside the check, by the names of their files.
fn objects() -> anyhow::Result<BTreeMap<String, Value>> {
    let mut all = BTreeMap::new();
    for entry in root().join(CHART).join(CHECK).join("testdata").read_dir()? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).context("a name")?.to_owned();
        all.insert(name, yaml::from_str(&std::fs::read_to_string(&path)?)?);
    }
    Ok(all)
}

/// What kstatus says of each object, and what the check does.
async fn ask<'a>(objects: impl Iterator<Item = &'a Value>) -> anyhow::Result<Vec<(String, Value)>> {
    let program = tokio::task::spawn_blocking(tools::health).await??;
    let question =
        json!({"script": read(&format!("{CHECK}/health.lua"))?, "objects": objects.collect::<Vec<_>>()});
    let mut child =
        Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().context("stdin")?.write_all(question.to_string().as_bytes()).await?;
    let output = child.wait_with_output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout)?;
    Ok(answers.into_iter().map(|it| (text(&it, "/kstatus").to_owned(), it["health"].clone())).collect())
}

fn condition<'a>(object: &'a Value, kind: &str) -> &'a str {
    let all = object["status"]["conditions"].as_array().into_iter().flatten();
    all.filter(|c| c["type"] == kind).map(|c| text(c, "/status")).next().unwrap_or_default()
}

/// What our conditions mean by themselves.
fn meant(object: &Value) -> &'static str {
    if object["status"]["observedGeneration"] != object["metadata"]["generation"] {
        return "InProgress";
    }
    match (condition(object, "Stalled"), condition(object, "Ready")) {
        ("True", _) => "Failed",
        (_, "True") => "Current",
        _ => "InProgress",
    }
}

#[tokio::test]
async fn kstatus_and_argo_cd_take_every_state_as_it_is_meant() -> anyhow::Result<()> {
    let objects = objects()?;
    let wanted: BTreeMap<String, &str> = KSTATUS.map(|(name, status)| (name.to_owned(), status)).into();
    assert!(wanted.len() == KSTATUS.len() && wanted.keys().eq(objects.keys()), "{:?}", objects.keys());
    for ((name, object), (kstatus, health)) in objects.iter().zip(ask(objects.values()).await?) {
        assert_eq!(kstatus, wanted[name], "{name}");
        assert_eq!(kstatus, meant(object), "{name}");
        let argo = text(&health, "/status");
        let agrees = match kstatus.as_str() {
            "Failed" => argo == "Degraded",
            "InProgress" => ["Progressing", "Suspended"].contains(&argo),
            // kstatus knows nothing of Compliant, and what isn't is nowhere said to be healthy.
            _ if ["False", "Unknown"].contains(&condition(object, "Compliant")) => {
                ["Progressing", "Suspended"].contains(&argo)
            }
            _ => argo == "Healthy",
        };
        assert!(agrees, "{name}: {kstatus}, and {health}");
    }
    Ok(())
}

/// As Argo CD's own test of its checks does (util/lua/health_test.go).
#[tokio::test]
async fn the_check_says_what_its_tests_say() -> anyhow::Result<()> {
    let objects = objects()?;
    let tests: Value = yaml::from_str(&read(&format!("{CHECK}/health_test.yaml"))?)?;
    let tests = tests["tests"].as_array().context("no tests")?;
    let name = |test: &Value| {
        let path = text(test, "/inputPath");
        path.strip_prefix("testdata/").and_then(|path| path.strip_suffix(".yaml")).map(str::to_owned)
    };
    let names = tests.iter().map(name).collect::<Option<Vec<_>>>().context("a path")?;
    assert!(names.iter().eq(objects.keys()), "each object has its test, in order: {names:?}");
    for (test, (_, health)) in tests.iter().zip(ask(objects.values()).await?) {
        assert_eq!(health, test["healthStatus"], "{}", text(test, "/inputPath"));
    }
    Ok(())
}

/// Of what is written nowhere: an object before it is looked at, as a definition's default has it, one that is being
/// deleted, and a record.
#[tokio::test]
async fn nothing_is_current_before_it_was_looked_at_or_while_it_goes() -> anyhow::Result<()> {
    for definition in definitions() {
        let kind = &definition.spec.names.kind;
        let schema = definition.spec.versions[0].schema.as_ref().and_then(|s| s.open_api_v3_schema.as_ref());
        let status = schema.and_then(|s| s.properties.as_ref()?.get("status")?.default.as_ref());
        let Some(status) = status else {
            assert_eq!(kind, "Assignment", "without a status, kstatus takes it for ready at once");
            continue;
        };
        let meta = json!({"name": "new", "generation": 1});
        let new = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": kind, "metadata": meta, "status": status.0});
        let mut going = objects()?["TenantWorkload-ready"].clone();
        going["metadata"]["deletionTimestamp"] = "2026-06-01T12:00:00Z".into();
        let record = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "Assignment", "metadata": meta});
        let said = ask([&new, &going, &record].into_iter()).await?;
        let kstatus: Vec<&str> = said.iter().map(|(kstatus, _)| kstatus.as_str()).collect();
        assert_eq!(kstatus, ["InProgress", "Terminating", "Current"], "{kind}");
        assert_eq!((text(&said[0].1, "/status"), text(&said[2].1, "/status")), ("Progressing", "Healthy"));
    }
    Ok(())
}

#[test]
fn the_patch_for_argo_cd_has_the_check_for_every_kind() -> anyhow::Result<()> {
    let script = read(&format!("{CHECK}/health.lua"))?;
    let patch: Value = yaml::from_str(&read("argo-cd/argocd-cm.yaml")?)?;
    let kinds = definitions().into_iter().map(|crd| crd.spec.names.kind);
    let wanted =
        kinds.map(|kind| (format!("resource.customizations.health.domicile.dev_{kind}"), json!(script)));
    assert_eq!(patch, json!({"data": Value::Object(wanted.collect())}));
    Ok(())
}
