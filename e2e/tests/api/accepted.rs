//! What must be accepted: every country, and every example.

use std::{collections::BTreeSet, fs};

use domicile_crds::{COUNTRY_CODES, yaml};
use domicile_e2e::fleet::Cluster;
use http::Method;
use serde_json::json;

use crate::{refused::send, yaml_files};

/// Every assigned code, since one that is mangled on its way (`NO` is a boolean in YAML 1.1) is missed by nobody else.
pub(crate) async fn every_country(hub: &Cluster) -> Option<String> {
    let member = |code: &&str| json!({"country": code, "basis": "Agreement", "source": "ISO 3166-1"});
    let members: Vec<_> = COUNTRY_CODES.iter().map(member).collect();
    let world = json!({
        "apiVersion": "domicile.dev/v1alpha1",
        "kind": "CountrySet",
        "metadata": {"name": "world"},
        "spec": {"members": members},
    });
    send(hub, Method::POST, &world, true)
        .await
        .err()
        .map(|refusal| format!("a country is refused: {refusal}"))
}

/// Applies every example, in order, as its README says, and then once more.
pub(crate) async fn examples(hub: &Cluster) -> anyhow::Result<Vec<String>> {
    let mut failures = Vec::new();
    let mut seen = BTreeSet::new();
    for folder in ["charts/domicile/countrysets", "examples/benelux", "examples/first-placement"] {
        for path in yaml_files(folder)? {
            let path = path.display().to_string();
            for document in yaml::documents(&fs::read_to_string(&path)?)? {
                if let Some(namespace) = document["metadata"]["namespace"].as_str()
                    && seen.insert(namespace.to_owned())
                {
                    hub.kubectl(["create", "namespace", namespace]).text().await?;
                }
            }
            for _ in ["first", "again"] {
                let apply = ["apply", "--server-side", "--validate=strict", "-f", &path];
                let output = hub.kubectl(apply).output().await?;
                let said = String::from_utf8_lossy(&output.stderr);
                if !output.status.success() || !said.is_empty() {
                    failures.push(format!("{path}: {}", said.trim()));
                }
            }
        }
    }
    Ok(failures)
}
