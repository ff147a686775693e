//! Step 6: a provider is sold, and two authorities draw different conclusions.

use anyhow::ensure;
use domicile_crds::{HostingProvider, condition_of, keys::condition};
use kube::Api;

use super::{EU, HOSPITAL, PATIENCE, all_at_home, keys, says, seconds};
use crate::{
    demo::{
        check::{fingerprint, nothing_left, untouched},
        scene::{Scene, Who},
        screen::Tone,
    },
    fleet::wait::eventually,
};

/// Where the hospital is: with the provider that is sold.
const SOLD: &str = EU[0];
/// Where else it may be.
const OTHER: &str = EU[1];

pub(super) async fn change_of_control(scene: &mut Scene) -> anyhow::Result<()> {
    scene.open("Step 6: the Dutch-Belgian provider is sold to a fund outside the EU")?;
    let hospital = keys(&HOSPITAL)?;
    scene
        .until(PATIENCE, "the hospital's workloads where they are since step 3", |picture| {
            all_at_home(picture, &hospital, &[SOLD])
        })
        .await?;
    let before = fingerprint(scene.stage.member(SOLD)?, "hospital").await?;
    let plan = scene.plan("60-schelde-maas-sold.yaml").await?;
    ensure!(plan.contains("2 copies are frozen"), "wanted: a plan that freezes two copies; found: {plan}");
    let why = "who owns it, as the register shows it now; nobody has decided anything";
    scene.apply(Who::Engineer, "60-schelde-maas-sold.yaml", why).await?;
    scene
        .until(PATIENCE, "the hospital's workloads say that foreigners control their provider", |picture| {
            hospital
                .iter()
                .try_for_each(|key| says(picture, key, condition::COMPLIANT, "False", "ForeignControl"))
        })
        .await?;
    scene
        .stays(3, "nothing moves", |picture| {
            let moved = hospital.iter().find(|key| picture.clusters_of(key) != [SOLD]);
            moved.map_or(Ok(()), |key| Err(format!("{key} is on {:?}", picture.clusters_of(key))))
        })
        .await?;
    untouched(&before, &fingerprint(scene.stage.member(SOLD)?, "hospital").await?)?;
    scene.event(Tone::Good, "the hospital is frozen there: it runs on, untouched, until somebody decides")?;
    let told = scene.domicile(&["explain", "portal", "-n", "hospital", "--cluster", SOLD]).await?;
    let chain = "Example Infrastructure Fund LP, US, holds 60 % of the capital of schelde-maas";
    ensure!(told.contains(chain), "wanted: an explanation with \"{chain}\"; found: {told}");
    scene.say(&format!("kubectl domicile explain portal -n hospital: {chain}"))?;
    decided(scene).await
}

/// Each tenant follows its own authority.
async fn decided(scene: &mut Scene) -> anyhow::Result<()> {
    let hospital = keys(&HOSPITAL)?;
    let mut before = Vec::new();
    for place in EU {
        before.push(fingerprint(scene.stage.member(place)?, "meridian").await?);
    }
    scene.plan("61-schelde-maas-decided.yaml").await?;
    let why = "two authorities, each for its own tenant";
    let began = scene.apply(Who::Compliance, "61-schelde-maas-decided.yaml", why).await?;
    scene
        .until(PATIENCE, "the hospital's workloads Ready and lawful in Germany only", |picture| {
            all_at_home(picture, &hospital, &[OTHER])
        })
        .await?;
    nothing_left(scene.stage.member(SOLD)?, "hospital").await?;
    for (place, before) in EU.into_iter().zip(&before) {
        untouched(before, &fingerprint(scene.stage.member(place)?, "meridian").await?)?;
    }
    let providers: Api<HostingProvider> = Api::all(scene.stage.hub().client());
    eventually(std::time::Duration::from_secs(PATIENCE), "schelde-maas to say Contested", || async {
        let status = providers.get("schelde-maas").await?.status.unwrap_or_default();
        let contested = condition_of(&status.conditions, condition::CONTESTED);
        Ok(contested.filter(|it| it.status == "True").map(|_| ()))
    })
    .await?;
    scene.event(
        Tone::Good,
        "the hospital has left for Germany; for meridian, another authority has left the provider approved",
    )?;
    scene.seen.push(format!(
        "A provider was sold: the hospital was frozen there, and left {} after its authority had revoked. \
         For meridian,\n    another authority has left the same provider approved, and nothing of meridian's was touched.",
        seconds(began)
    ));
    scene.leave()
}
