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
    Ok(())
}

/// What Artifact Hub shows of the chart, in the form in which it reads it.
#[test]
fn artifact_hub_is_told_what_is_so() -> anyhow::Result<()> {
    let chart: Value = yaml::from_str(&std::fs::read_to_string(root().join(CHART).join("Chart.yaml"))?)?;
    let told = |name: &str| text(&chart, &format!("/annotations/artifacthub.io~1{name}")).to_owned();
    let list = |name: &str| -> anyhow::Result<Vec<Value>> { Ok(yaml::from_str(&told(name))?) };
    let names = |path: &str| {
        let path = path.to_owned();
        move |it: &Value| text(it, &path).to_owned()
    };

    let all = definitions();
    let wanted: BTreeSet<_> = all
        .iter()
        .flat_map(|crd| crd.spec.versions.iter().map(move |version| (crd, version)))
        .map(|(crd, version)| {
            (crd.spec.names.kind.clone(), crd.metadata.name.clone().unwrap_or_default(), version.name.clone())
        })
        .collect();
    let crds = list("crds")?;
    let shown: BTreeSet<_> =
        crds.iter().map(|crd| (names("/kind")(crd), names("/name")(crd), names("/version")(crd))).collect();
    assert_eq!(shown, wanted);
    assert!(
        crds.iter().all(|crd| !text(crd, "/displayName").is_empty() && !text(crd, "/description").is_empty())
    );

    let examples = files("examples/first-placement")?;
    for example in list("crdsExamples")? {
        assert!(examples.contains(&example), "{} isn't as in examples/first-placement", id(&example));
    }
    let log = std::fs::read_to_string(root().join("CHANGELOG.md"))?;
    for change in list("changes")? {
        let (kind, words) = (text(&change, "/kind"), text(&change, "/description"));
        let chapters = log.split("\n### ").filter(|chapter| chapter.to_lowercase().starts_with(kind));
        assert!(
            chapters.into_iter().any(|chapter| chapter.contains(&format!("- {words}"))),
            "{kind}: {words}"
        );
    }
    assert_eq!(told("license"), env!("CARGO_PKG_LICENSE"));
    assert!(std::fs::read_to_string(root().join("LICENSE"))?.contains("Apache License"));
    assert_eq!(told("prerelease") == "true", env!("CARGO_PKG_VERSION").starts_with("0."), "until 1.0");
    assert_eq!(told("operator"), "true");
    // From one version to the next by `helm upgrade` alone, which life.rs does: the second of Artifact Hub's five levels.
    assert_eq!(told("operatorCapabilities"), "Seamless Upgrades");
    Ok(())
}
