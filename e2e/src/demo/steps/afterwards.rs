//! Steps 4 and 5, and what comes between them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use domicile_crds::{MigrationStep, Relocation, WorkloadKey, keys::condition};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, ResourceExt as _, api::ListParams};

use super::{CH, EU, PATIENCE, RECORDS, TENANTS, UPDATES, WEBSHOP, all_at_home, key, keys, says, seconds};
use crate::{
    demo::{
        check::{Fingerprint, at_home, config, fingerprint, fingerprints, tenants_on, untouched},
        picture::{Copy, Picture},
        scene::{Scene, Who},
        screen::Tone,
    },
    fleet::{process::Signal, wait::eventually},
    stage::{LEASE_SECONDS, OPERATOR_NAMESPACE},
};

pub(super) async fn frozen_and_reinstated(scene: &mut Scene) -> anyhow::Result<()> {
    scene.open("Step 4: a ministry bars the vendor as a precaution, and reconsiders")?;
    let updates = key(UPDATES)?;
    let home = scene.picture().clusters_of(&updates).first().map(|name| (*name).to_owned());
    let home = home.context("meridian/updates is nowhere")?;
    let before = fingerprint(scene.stage.member(&home)?, "meridian").await?;
    let plan = scene.plan("40-tenant-frozen.yaml").await?;
    ensure!(plan.contains("1 copy is frozen"), "wanted: a plan that freezes one copy; found: {plan}");
    let why = "the tenant meridian is frozen: nothing in, out or deleted";
    scene.apply(Who::Compliance, "40-tenant-frozen.yaml", why).await?;
    scene
        .until(PATIENCE, "meridian/updates says that it is frozen", |picture| {
            says(picture, &updates, condition::COMPLIANT, "False", "ApprovalFrozen")
        })
        .await?;
    scene.say("its engineers release a new version all the same:")?;
    let patch = r#"[{"op": "replace", "path": "/spec/manifests/0/data/index.html", "value": "Release 42"}]"#;
    scene.kubectl(&["-n", "meridian", "patch", "tw", "updates", "--type", "json", "-p", patch]).await?;
    scene
        .until(PATIENCE, "meridian/updates says that its update is held", |picture| {
            says(picture, &updates, condition::READY, "False", "UpdateHeld")
        })
        .await?;
    held(scene, &updates, &home, &before).await?;
    let why = "the ministry's second decision takes the place of the first";
    let began = scene.apply(Who::Compliance, "41-tenant-reinstated.yaml", why).await?;
    scene
        .until(PATIENCE, "meridian/updates Ready and lawful where it was", |picture| {
            at_home(picture, &updates, &[&home])
        })
        .await?;
    let released = config(scene.stage.member(&home)?, &updates, "index.html").await?;
    ensure!(
        released == "Release 42",
        "wanted: Release 42 on {home} after the reinstatement; found: {released}"
    );
    scene
        .event(Tone::Good, &format!("the held update is applied: the ConfigMap on {home} says Release 42"))?;
    let kept = ["meridian-frozen", "meridian-reinstated"];
    let found: Vec<String> = scene.picture().decisions.keys().cloned().collect();
    let on_record = kept.iter().all(|name| found.iter().any(|found| found == name));
    ensure!(on_record, "wanted: both decisions on record; found: {found:?}");
    scene.seen.push(format!(
        "A frozen tenant kept running and got nothing new; {} after it was reinstated its held update was \
         applied.\n    Both decisions and their reasons are on record.",
        seconds(began)
    ));
    scene.leave()
}

/// The update hasn't reached the member, and nothing else has either.
async fn held(
    scene: &mut Scene,
    updates: &WorkloadKey,
    home: &str,
    before: &Fingerprint,
) -> anyhow::Result<()> {
    let member = scene.stage.member(home)?;
    let released = config(member, updates, "index.html").await?;
    ensure!(released == "Release 41", "wanted: Release 41 on {home} while frozen; found: {released}");
    untouched(before, &fingerprint(member, "meridian").await?)?;
    scene.event(Tone::Good, &format!("{home} still serves Release 41: same objects, same pods"))
}

/// Waits until the campaigns say that they have ended: that is told a little later, so that many moves make few writes.
async fn campaigns_are_told(scene: &Scene) -> anyhow::Result<()> {
    let campaigns: Api<Relocation> = Api::all(scene.stage.hub().client());
    eventually(Duration::from_secs(PATIENCE), "wanted: campaigns say that all moves are done", || async {
        let found = campaigns.list(&ListParams::default()).await?;
        let left = |it: &Relocation| {
            it.status.as_ref().is_none_or(|it| it.conditions.is_empty() || it.pending + it.moving > 0)
        };
        match found.items.into_iter().find(left) {
            Some(it) => bail!("{} says {:?}", it.name_any(), it.status),
            None => Ok(Some(())),
        }
    })
    .await
}

/// The operator is killed, and another one takes over: nothing has changed, so nothing is written.
pub(super) async fn succession(scene: &mut Scene) -> anyhow::Result<()> {
    scene.open("Meanwhile: the operator is killed, and another one takes over")?;
    campaigns_are_told(scene).await?;
    let before = fingerprints(&scene.stage, &TENANTS).await?;
    let written = scene.stage.hub().metrics().await?;
    let began = Instant::now();
    scene.stage.stop_operator(Signal::KILL).await?;
    let successor = scene.stage.start_operator()?;
    scene.say("kill -9; a new one starts, and waits until the lease of the old one has run out")?;
    let leases: Api<Lease> = Api::namespaced(scene.stage.hub().client(), OPERATOR_NAMESPACE);
    eventually(Duration::from_secs(PATIENCE), "wanted: the new operator holds the lease", || async {
        let holder = leases.get("domicile-operator").await?.spec.and_then(|spec| spec.holder_identity);
        if holder.as_deref() == Some(&successor) { Ok(Some(())) } else { bail!("{holder:?} holds it") }
    })
    .await?;
    let took = seconds(began);
    scene.event(
        Tone::Good,
        &format!(
            "another one leads, {took} after the end of the first, whose lease was of {LEASE_SECONDS} s"
        ),
    )?;
    let moves = scene.picture().moves.clone();
    scene
        .stays(3, "nothing moves", |picture| {
            if picture.moves == moves { Ok(()) } else { Err(format!("moves are {:?}", picture.moves)) }
        })
        .await?;
    // What a hub's own nodes say of its pods isn't the operator's, which has no right to pods there.
    let written = scene.stage.hub().metrics().await?.since(&written).writes();
    let written = written.filter(|key| key.resource != "pods");
    ensure!(written.total() == 0, "wanted: nothing written on the hub but leases; found: {written:?}");
    untouched(&before, &fingerprints(&scene.stage, &TENANTS).await?)?;
    scene.event(Tone::Good, "it has looked at everything for 3 s and written nothing but its lease")?;
    scene.seen.push(format!(
        "The operator was killed; {took} later another one led, and wrote nothing but its lease, since nothing had \
         changed."
    ));
    Ok(())
}

pub(super) async fn switzerland(scene: &mut Scene) -> anyhow::Result<()> {
    scene.open("Step 5: a Swiss data centre comes online")?;
    let others = ["hospital", "claims", "meridian"];
    let before = fingerprints(&scene.stage, &others).await?;
    let (webshop, records) = (keys(&WEBSHOP)?, key(RECORDS)?);
    scene.apply(Who::Compliance, "50-swiss-approved.yaml", "its provider may host, for two tenants").await?;
    scene.plan("51-swiss-online.yaml").await?;
    let began = scene.apply(Who::Engineer, "51-swiss-online.yaml", "the site is online from now on").await?;
    scene.say(
        "webshop prefers Switzerland and lets Domicile move it; archive prefers it and wants to be asked",
    )?;
    scene.count_down(CH)?;
    scene
        .until(
            PATIENCE,
            "webshop's three workloads in Switzerland; archive/records asks and stays",
            |picture| {
                asks(picture, &records)?;
                all_at_home(picture, &webshop, &[CH])
            },
        )
        .await?;
    let took = seconds(began);
    let answered = answer(scene, &records).await?;
    scene
        .until(PATIENCE, "archive/records in Switzerland after the answer", |picture| {
            at_home(picture, &records, &[CH])
        })
        .await?;
    scene.seen.push(format!(
        "The Swiss site took in webshop by itself, two at a time, {took} after it came online (a cluster must \
         have been\n    Ready for a minute before anything prefers it), and archive/records {} after its answer.",
        seconds(answered)
    ));
    let tenants = tenants_on(scene.stage.member(CH)?).await?;
    ensure!(
        tenants == ["archive", "webshop"],
        "wanted: only archive and webshop on {CH}; found: {tenants:?}"
    );
    untouched(&before, &fingerprints(&scene.stage, &others).await?)?;
    scene
        .event(Tone::Good, "the other three tenants didn't notice: same objects, same versions, same pods")?;
    scene.seen.push(
        "hospital, claims and meridian didn't notice: their objects, versions and pods are the ones from before."
            .to_owned(),
    );
    scene.leave()
}

/// A workload asks its tenant before it moves, and stays meanwhile.
fn asks(picture: &Picture, key: &WorkloadKey) -> Result<(), String> {
    let places = picture.clusters_of(key);
    if places.iter().any(|place| !EU.contains(place)) {
        return Err(format!("{key} is on {places:?} before anybody has answered"));
    }
    match picture.move_of(key) {
        Some(it) if it.waits() && it.to == CH => {
            let copy = picture.copies.get(key).and_then(|copies| copies.get(&it.from));
            let works = copy.is_some_and(Copy::works);
            if works { Ok(()) } else { Err(format!("{key} doesn't work on {}", it.from)) }
        }
        other => Err(format!("{key} has no plan for {CH} that waits for an answer: {other:?}")),
    }
}

/// Answers for the tenant, as examples/benelux/README.md shows.
async fn answer(scene: &mut Scene, key: &WorkloadKey) -> anyhow::Result<Instant> {
    scene
        .until(PATIENCE, "archive/records says MovePending=True", |picture| {
            says(picture, key, condition::MOVE_PENDING, "True", "PreferredPlace")
        })
        .await?;
    let plan = scene.picture().move_of(key).cloned().context("archive/records has no plan")?;
    ensure!(plan.step == Some(MigrationStep::Waiting), "wanted: a plan that waits; found: {plan:?}");
    scene.say("archive answers the plan that it was shown:")?;
    let patch = format!(r#"{{"spec": {{"answer": "Approved", "answerFor": "{}"}}}}"#, plan.digest);
    scene.kubectl(&["-n", "archive", "patch", "dmig", &plan.name, "--type", "merge", "-p", &patch]).await
}
