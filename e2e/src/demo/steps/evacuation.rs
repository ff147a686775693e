//! Steps 1 to 3: from the vendor's machines to lawful ones.

use anyhow::{Context as _, ensure};
use domicile_crds::{WorkloadKey, keys::condition};

use super::{
    CH, EU, HOSPITAL, INTAKE, PATIENCE, RECORDS, TENANTS, UPDATES, US, WEBSHOP, all_at_home, key, keys, says,
    seconds,
};
use crate::demo::{
    check::{fingerprint, nothing_left, tenants_on, untouched, warnings},
    picture::Picture,
    scene::{Scene, Who},
    screen::Tone,
};

pub(super) async fn vendor(scene: &mut Scene) -> anyhow::Result<()> {
    scene.open("Step 1: a vendor runs its customers on machines of its own, in the United States")?;
    scene.apply(Who::Compliance, "10-vendor-approved.yaml", "the vendor may host, at its one site").await?;
    scene.apply(Who::Engineer, "11-tenants.yaml", "four customers, and the vendor itself").await?;
    for tenant in TENANTS {
        let namespace = format!("namespace/{tenant}");
        let args = ["wait", "--for=create", namespace.as_str(), "--timeout=60s"];
        scene.stage.hub().kubectl(args).text().await?;
    }
    let began =
        scene.apply(Who::Engineer, "12-workloads.yaml", "what they run, as the tenants write it").await?;
    let mut everything = keys(&HOSPITAL)?;
    everything.extend(keys(&WEBSHOP)?);
    everything.extend(keys(&[RECORDS, INTAKE, UPDATES])?);
    scene
        .until(PATIENCE, "all eight workloads Ready and lawful on us-va-1 only", |picture| {
            all_at_home(picture, &everything, &[US])
        })
        .await?;
    for cluster in [EU[0], EU[1], CH] {
        let tenants = tenants_on(scene.stage.member(cluster)?).await?;
        ensure!(tenants.is_empty(), "wanted: nothing of anybody on {cluster}; found: namespaces {tenants:?}");
    }
    scene.event(
        Tone::Good,
        "all eight run on us-va-1; no other member has so much as a namespace of a tenant",
    )?;
    scene.seen.push(format!(
        "8 workloads of 5 tenants ran {} after they were applied, all on the one cluster whose provider was \
         approved.",
        seconds(began)
    ));
    scene.leave()
}

pub(super) async fn benelux(scene: &mut Scene) -> anyhow::Result<()> {
    scene.open("Step 2: it starts a service for the Benelux, on machines of independent providers")?;
    scene
        .apply(Who::Compliance, "20-benelux-approved.yaml", "a Dutch-Belgian and a German provider may host")
        .await?;
    scene
        .stays(3, "nothing moves, since an approval only permits", |picture| {
            if let Some((key, moves)) = picture.moves.iter().next() {
                return Err(format!("{key} has moves: {moves:?}"));
            }
            let strays = picture.copies.iter().find(|(_, copies)| copies.keys().any(|place| place != US));
            strays.map_or(Ok(()), |(key, copies)| Err(format!("{key} is on {:?}", copies.keys())))
        })
        .await?;
    scene.event(
        Tone::Good,
        "for 3 s nothing has moved: an approval permits, and nobody prefers the new places",
    )?;
    scene.leave()
}

pub(super) async fn hospital_leaves(scene: &mut Scene) -> anyhow::Result<()> {
    scene.open("Step 3: the customers leave; first the hospital, by its own policy")?;
    let why = "from now on the EU and nothing else; its place is no longer lawful";
    let began = scene.apply(Who::Engineer, "30-hospital-eu-only.yaml", why).await?;
    let moving = keys(&HOSPITAL)?;
    scene
        .until(PATIENCE, "the hospital's two workloads Ready and lawful in the EU only", |picture| {
            all_at_home(picture, &moving, &EU)
        })
        .await?;
    nothing_left(scene.stage.member(US)?, "hospital").await?;
    scene.event(Tone::Good, "nothing of the hospital is left on us-va-1, and nobody else has moved")?;
    others_stayed(scene, &moving)?;
    scene.seen.push(format!(
        "The hospital left the United States in {}: portal was Ready in the EU before anything of it was removed, \
         and\n    the CronJob bed-report was suspended there before it could run here.",
        seconds(began)
    ));
    scene.leave()
}

/// Only these have ever moved.
fn others_stayed(scene: &Scene, moved: &[WorkloadKey]) -> anyhow::Result<()> {
    let picture = scene.picture();
    let strays: Vec<_> = picture.moves.keys().filter(|key| !moved.contains(key)).collect();
    ensure!(strays.is_empty(), "wanted: only {moved:?} move; found: moves of {strays:?}");
    Ok(())
}

pub(super) async fn vendor_revoked(scene: &mut Scene) -> anyhow::Result<()> {
    scene.open("Step 3, continued: the vendor's machines are barred for everybody")?;
    let intake = key(INTAKE)?;
    let before = fingerprint(scene.stage.member(US)?, "claims").await?;
    let uid = uid_of(scene, &intake, US)?;
    let plan = scene.plan("31-vendor-revoked.yaml").await?;
    ensure!(
        plan.contains("stuck at us-va-1"),
        "wanted: a plan that says what has nowhere to go; found: {plan}"
    );
    let why = "its approval is revoked; what has a lawful place elsewhere moves there";
    let began = scene.apply(Who::Compliance, "31-vendor-revoked.yaml", why).await?;
    let mut moving = keys(&WEBSHOP)?;
    moving.extend(keys(&[RECORDS, UPDATES])?);
    scene
        .until(PATIENCE, "five workloads Ready and lawful in the EU only", |picture| {
            all_at_home(picture, &moving, &EU)
        })
        .await?;
    let took = seconds(began);
    for tenant in ["webshop", "archive", "meridian"] {
        nothing_left(scene.stage.member(US)?, tenant).await?;
    }
    scene
        .until(PATIENCE, "claims/intake runs on us-va-1 and says that it must not", |picture| {
            same_copy(picture, &intake, US, &uid)?;
            says(picture, &intake, condition::COMPLIANT, "False", "ApprovalRevoked")?;
            says(picture, &intake, condition::STALLED, "True", "NoLawfulPlace")?;
            turned_down(picture, &intake, &[("ApprovalRevoked", 1), ("CountryNotAllowed", 3)])
        })
        .await?;
    untouched(&before, &fingerprint(scene.stage.member(US)?, "claims").await?)?;
    let warnings = warnings(scene.stage.hub(), &intake).await?;
    ensure!(
        warnings.iter().any(|reason| reason == "NoLawfulPlace"),
        "wanted: a Warning event NoLawfulPlace about {intake}; found: {warnings:?}"
    );
    scene.event(Tone::Good, "claims/intake has no lawful place: it keeps running, untouched, and says so")?;
    scene.seen.push(format!(
        "5 workloads left the revoked provider in {took}; each was Ready at its new place first. The 6th, \
         claims/intake,\n    had no lawful place: not deleted, not touched, Compliant=False, Stalled=True, and a \
         Warning event."
    ));
    scene.leave()
}

/// The object that runs a workload's pods on a member is still this one.
fn same_copy(picture: &Picture, key: &WorkloadKey, cluster: &str, uid: &str) -> Result<(), String> {
    match picture.copies.get(key).and_then(|copies| copies.get(cluster)) {
        Some(copy) if copy.uid() != uid => Err(format!("what runs {key} on {cluster} is another one")),
        Some(copy) if !copy.works() => Err(format!("{key} doesn't work on {cluster}")),
        Some(_) => Ok(()),
        None => Err(format!("{key} isn't on {cluster}")),
    }
}

fn uid_of(scene: &Scene, key: &WorkloadKey, cluster: &str) -> anyhow::Result<String> {
    let picture = scene.picture();
    let copy = picture.copies.get(key).and_then(|copies| copies.get(cluster));
    Ok(copy.with_context(|| format!("{key} isn't on {cluster}"))?.uid().to_owned())
}

/// Its status says for which reasons how many clusters can't have it.
fn turned_down(picture: &Picture, key: &WorkloadKey, wanted: &[(&str, i32)]) -> Result<(), String> {
    let candidates = picture.workloads.get(key).map(|it| it.status.candidates.clone()).unwrap_or_default();
    let mut found: Vec<_> = candidates.iter().map(|it| (it.reason.as_str(), it.count)).collect();
    found.sort_unstable();
    if found == wanted { Ok(()) } else { Err(format!("{key} says of its candidates: {found:?}")) }
}
