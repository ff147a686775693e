//! The steps of the story, each with what must come true.

mod afterwards;
mod control;
mod evacuation;

use std::time::Instant;

use domicile_crds::WorkloadKey;

use super::{check::at_home, picture::Picture, scene::Scene};
use afterwards::{frozen_and_reinstated, succession, switzerland};
use control::change_of_control;
use evacuation::{benelux, hospital_leaves, vendor, vendor_revoked};

/// The tenants of the story.
pub(super) const TENANTS: [&str; 5] = ["hospital", "webshop", "archive", "claims", "meridian"];

/// Where the EU is, on this fleet.
const EU: [&str; 2] = ["nl-ams-1", "de-fra-1"];
const US: &str = "us-va-1";
const CH: &str = "ch-zrh-1";

const HOSPITAL: [(&str, &str); 2] = [("hospital", "portal"), ("hospital", "bed-report")];
const WEBSHOP: [(&str, &str); 3] =
    [("webshop", "storefront"), ("webshop", "checkout"), ("webshop", "search")];
const RECORDS: (&str, &str) = ("archive", "records");
const INTAKE: (&str, &str) = ("claims", "intake");
const UPDATES: (&str, &str) = ("meridian", "updates");

/// How long a step may take, in seconds: it takes a few, but fleets share machines with builds.
const PATIENCE: u64 = 120;

/// Acts out all steps.
pub(super) async fn all(scene: &mut Scene) -> anyhow::Result<()> {
    vendor(scene).await?;
    benelux(scene).await?;
    hospital_leaves(scene).await?;
    vendor_revoked(scene).await?;
    frozen_and_reinstated(scene).await?;
    succession(scene).await?;
    switzerland(scene).await?;
    change_of_control(scene).await
}

fn key(name: (&str, &str)) -> anyhow::Result<WorkloadKey> {
    Ok(WorkloadKey::new(name.0, name.1)?)
}

fn keys(names: &[(&str, &str)]) -> anyhow::Result<Vec<WorkloadKey>> {
    names.iter().copied().map(key).collect()
}

fn seconds(since: Instant) -> String {
    format!("{:.1} s", since.elapsed().as_secs_f32())
}

/// All of them are Ready and lawful in one of these places, and nowhere else.
fn all_at_home(picture: &Picture, keys: &[WorkloadKey], places: &[&str]) -> Result<(), String> {
    keys.iter().try_for_each(|key| at_home(picture, key, places))
}

/// A workload says so of its present generation.
fn says(picture: &Picture, key: &WorkloadKey, kind: &str, status: &str, reason: &str) -> Result<(), String> {
    let found = picture.workloads.get(key).and_then(|workload| workload.condition(kind));
    match found {
        Some((is, why, _)) if is == status && why == reason => Ok(()),
        other => Err(format!("{key} says {kind}={other:?}")),
    }
}
