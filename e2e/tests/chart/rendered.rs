//! What the chart renders: the files of the repository as they are, and nothing with more rights than they give.

use std::collections::BTreeSet;

use anyhow::Context as _;
use domicile_crds::{definitions, yaml};
use domicile_e2e::{least::excesses, stage::root};
use serde_json::{Value, json};

use domicile_e2e::helm::{CHART, Helm, NAMESPACE, files, id, text};

const KEEP: &str = "helm.sh/resource-policy";

/// An object without what keeps it when the release goes.
fn bare(mut object: Value) -> Value {
    if let Some(meta) = object["metadata"].as_object_mut()
        && meta.get("annotations").is_some_and(|all| *all == json!({KEEP: "keep"}))
    {
        meta.remove("annotations");
    }
    object
}

#[tokio::test]
async fn the_files_are_rendered_as_they_are() -> anyhow::Result<()> {
    let rendered = Helm::alone()?.render(&[]).await?;
    let of = |object: &&Value| id(object);
    let mut told: BTreeSet<String> = BTreeSet::new();
    for (folder, is_kept) in [
        ("crds/yaml", true),
        ("charts/domicile/countrysets", true),
        ("charts/domicile/admission", false),
        ("charts/domicile/roles", false),
    ] {
        let there = files(folder)?;
        assert!(there.len() > 2, "{folder}");
        for object in &there {
            let found = rendered.iter().find(|other| of(other) == id(object)).context(id(object))?;
            assert_eq!(bare(found.clone()), *object, "{folder}");
            assert_eq!(found["metadata"]["annotations"][KEEP] == "keep", is_kept, "{}", id(object));
            told.insert(id(object));
        }
    }
    let own: BTreeSet<String> = rendered.iter().map(id).filter(|id| !told.contains(id)).collect();
    let wanted = [
        "Deployment domicile-operator",
        "NetworkPolicy domicile-operator",
        "PodDisruptionBudget domicile-operator",
        "Service domicile-operator-metrics",
    ];
    assert_eq!(own, wanted.map(str::to_owned).into(), "by default, nothing that a cluster might not know");
    Ok(())
}

#[tokio::test]
async fn nothing_that_is_rendered_has_more_rights_than_it_needs() -> anyhow::Result<()> {
    let rendered = Helm::alone()?.render(&["--set=monitoring.serviceMonitor.enabled=true"]).await?;
    let people: BTreeSet<String> = files("charts/domicile/roles")?
        .iter()
        .map(id)
        .filter(|id| id.starts_with("ClusterRole domicile:"))
        .filter(|id| {
            !["ClusterRole domicile:operator", "ClusterRole domicile:secret-reader"].contains(&id.as_str())
        })
        .collect();
    let (theirs, others): (Vec<Value>, Vec<Value>) =
        rendered.into_iter().partition(|object| people.contains(&id(object)));
    // e2e/tests/admission/roles.rs looks at people's.
    assert_eq!(theirs.len(), people.len());
    assert_eq!(excesses(&others), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn it_can_be_installed_in_any_namespace() -> anyhow::Result<()> {
    let elsewhere = Helm::alone()?.render(&["--namespace=elsewhere"]).await?;
    let text = yaml::stream(&elsewhere);
    assert!(!text.contains(NAMESPACE), "{text}");
    let namespaced = [
        "Deployment",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Role",
        "RoleBinding",
        "Service",
        "ServiceAccount",
    ];
    let kinds: BTreeSet<&str> = elsewhere
        .iter()
        .filter(|object| object["metadata"]["namespace"] == "elsewhere")
        .filter_map(|object| object["kind"].as_str())
        .collect();
    assert_eq!(kinds, namespaced.into());
    Ok(())
}

#[tokio::test]
async fn an_image_is_named_by_its_digest_if_there_is_one() -> anyhow::Result<()> {
    let helm = Helm::alone()?;
    let digest = format!("sha256:{}", "0".repeat(64));
    let by_digest = format!("--set=image.digest={digest}");
    for (flags, wanted) in [
        (vec!["--set=image.repository=r.example/o"], format!("r.example/o:{}", env!("CARGO_PKG_VERSION"))),
        (vec!["--set=image.tag=next"], "domicile-operator:next".to_owned()),
        (vec!["--set=image.tag=next", &by_digest], format!("domicile-operator@{digest}")),
    ] {
        let rendered = helm.render(&flags).await?;
        let deployment = rendered.iter().find(|object| object["kind"] == "Deployment").context("none")?;
        assert_eq!(text(deployment, "/spec/template/spec/containers/0/image"), wanted);
    }
    Ok(())
}

#[test]
fn the_chart_says_what_the_workspace_says() -> anyhow::Result<()> {
    let chart: Value = yaml::from_str(&std::fs::read_to_string(root().join(CHART).join("Chart.yaml"))?)?;
    for key in ["version", "appVersion"] {
        assert_eq!(chart[key], env!("CARGO_PKG_VERSION"), "{key}");
    }
    let told: Vec<Value> = yaml::from_str(text(&chart, "/annotations/artifacthub.io~1crds"))?;
    let told: BTreeSet<_> =
        told.iter().map(|crd| (text(crd, "/kind").to_owned(), text(crd, "/name").to_owned())).collect();
    let all = definitions();
    let wanted =
        all.iter().map(|crd| (crd.spec.names.kind.clone(), crd.metadata.name.clone().unwrap_or_default()));
    assert_eq!(told, wanted.collect());
    Ok(())
}
