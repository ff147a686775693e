//! The steps of the story, each with what must come true.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use domicile_crds::{MigrationStep, WorkloadKey, keys::condition};

use super::{
    check::{
        Fingerprint, at_home, config, fingerprint, fingerprints, nothing_left, tenants_on, untouched,
        warnings,
    },
    picture::{Copy, Picture},
    scene::{Scene, Who},
    screen::Tone,
};

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
    switzerland(scene).await
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

async fn vendor(scene: &mut Scene) -> anyhow::Result<()> {
    scene.open("Step 1: a vendor runs its customers on machines of its own, in the United States")?;
    scene.apply(Who::Compliance, "10-vendor-approved.yaml", "the vendor may host, at its one site").await?;
    scene.apply(Who::Engineer, "11-tenants.yaml", "four customers, and the vendor itself").await?;
    for tenant in ["hospital", "webshop", "archive", "claims", "meridian"] {
        let namespace = format!("namespace/{tenant}");
        let args = ["wait", "--for=create", namespace.as_str(), "--timeout=60s"];
        scene.stage.fleet.hub()?.kubectl(args).text().await?;
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
        let tenants = tenants_on(scene.stage.fleet.member(cluster)?).await?;
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

async fn benelux(scene: &mut Scene) -> anyhow::Result<()> {
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

async fn hospital_leaves(scene: &mut Scene) -> anyhow::Result<()> {
    scene.open("Step 3: the customers leave; first the hospital, by its own policy")?;
    let why = "from now on the EU and nothing else; its place is no longer lawful";
    let began = scene.apply(Who::Engineer, "30-hospital-eu-only.yaml", why).await?;
    let moving = keys(&HOSPITAL)?;
    scene
        .until(PATIENCE, "the hospital's two workloads Ready and lawful in the EU only", |picture| {
            all_at_home(picture, &moving, &EU)
        })
        .await?;
    nothing_left(scene.stage.fleet.member(US)?, "hospital").await?;
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

async fn vendor_revoked(scene: &mut Scene) -> anyhow::Result<()> {
    scene.open("Step 3, continued: the vendor's machines are barred for everybody")?;
    let intake = key(INTAKE)?;
    let before = fingerprint(scene.stage.fleet.member(US)?, "claims").await?;
    let uid = uid_of(scene, &intake, US)?;
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
        nothing_left(scene.stage.fleet.member(US)?, tenant).await?;
    }
    scene
        .until(PATIENCE, "claims/intake runs on us-va-1 and says that it must not", |picture| {
            same_copy(picture, &intake, US, &uid)?;
            says(picture, &intake, condition::COMPLIANT, "False", "ApprovalRevoked")?;
            says(picture, &intake, condition::STALLED, "True", "NoLawfulPlace")?;
            turned_down(picture, &intake, &[("ApprovalRevoked", 1), ("CountryNotAllowed", 3)])
        })
        .await?;
    untouched(&before, &fingerprint(scene.stage.fleet.member(US)?, "claims").await?)?;
    let warnings = warnings(scene.stage.fleet.hub()?, &intake).await?;
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

/// A workload says so of its present generation.
fn says(picture: &Picture, key: &WorkloadKey, kind: &str, status: &str, reason: &str) -> Result<(), String> {
    let found = picture.workloads.get(key).and_then(|workload| workload.condition(kind));
    match found {
        Some((is, why, _)) if is == status && why == reason => Ok(()),
        other => Err(format!("{key} says {kind}={other:?}")),
    }
}

/// Its status says for which reasons how many clusters can't have it.
fn turned_down(picture: &Picture, key: &WorkloadKey, wanted: &[(&str, i32)]) -> Result<(), String> {
    let candidates = picture.workloads.get(key).map(|it| it.status.candidates.clone()).unwrap_or_default();
    let mut found: Vec<_> = candidates.iter().map(|it| (it.reason.as_str(), it.count)).collect();
    found.sort_unstable();
    if found == wanted { Ok(()) } else { Err(format!("{key} says of its candidates: {found:?}")) }
}

async fn frozen_and_reinstated(scene: &mut Scene) -> anyhow::Result<()> {
    scene.open("Step 4: a ministry bars the vendor as a precaution, and reconsiders")?;
    let updates = key(UPDATES)?;
    let home = scene.picture().clusters_of(&updates).first().map(|name| (*name).to_owned());
    let home = home.context("meridian/updates is nowhere")?;
    let before = fingerprint(scene.stage.fleet.member(&home)?, "meridian").await?;
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
    let released = config(scene.stage.fleet.member(&home)?, &updates, "index.html").await?;
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
    let member = scene.stage.fleet.member(home)?;
    let released = config(member, updates, "index.html").await?;
    ensure!(released == "Release 41", "wanted: Release 41 on {home} while frozen; found: {released}");
    untouched(before, &fingerprint(member, "meridian").await?)?;
    scene.event(Tone::Good, &format!("{home} still serves Release 41: same objects, same pods"))
}

async fn switzerland(scene: &mut Scene) -> anyhow::Result<()> {
    scene.open("Step 5: a Swiss data centre comes online")?;
    let others = ["hospital", "claims", "meridian"];
    let before = fingerprints(&scene.stage.fleet, &others).await?;
    let (webshop, records) = (keys(&WEBSHOP)?, key(RECORDS)?);
    scene.apply(Who::Compliance, "50-swiss-approved.yaml", "its provider may host, for two tenants").await?;
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
    let tenants = tenants_on(scene.stage.fleet.member(CH)?).await?;
    ensure!(
        tenants == ["archive", "webshop"],
        "wanted: only archive and webshop on {CH}; found: {tenants:?}"
    );
    untouched(&before, &fingerprints(&scene.stage.fleet, &others).await?)?;
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
