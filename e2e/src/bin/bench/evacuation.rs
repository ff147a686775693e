//! The scenario in which everything must go elsewhere: the provider that hosts it is revoked.

use std::{collections::BTreeSet, sync::Arc};

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    eyes::{Eyes, KINDS, Sight},
    floor::{DOMICILE, get},
    ground::{Ground, MEMBERS, decision},
    load::Pace,
    machine,
    measure::{Cpu, Requests, reads, total, writes},
    peer,
    placing::{patience, place, verify_placed},
    report::{Figure, Section, per, progress},
};

/// Workloads that don't become Ready elsewhere until all others have left, so that nobody can have left too early
/// unnoticed: an order of two events on two API servers is otherwise only as good as this program is fast.
pub(crate) const SLOW: usize = 3;

/// (e): revokes the provider that hosts all, and watches until nothing is left there.
pub(crate) async fn evacuate(ground: &Ground, eyes: &Arc<Eyes>, count: usize) -> anyhow::Result<Section> {
    let title = String::from("provider revoked");
    let [(source, _, provider, _), ..] = MEMBERS;
    progress(&format!("{title}: places {count} workloads on {source}"));
    let names = place(ground, eyes, "e", count, Pace::InFlight(64)).await?;
    let slow = place(ground, eyes, "slow", SLOW, Pace::InFlight(1)).await?;
    let all: Vec<String> = names.iter().chain(&slow).cloned().collect();
    verify_placed(&all, &eyes.sights(&all))?;
    ensure!(
        eyes.sights(&all).iter().all(|sight| sight.copies.contains_key(source)),
        "not everything is on {source}"
    );
    eyes.withhold(&slow);
    let load_before = machine::load();
    let complaints = ground.complaints().len();
    let (_, before) = ground.quiet().await?;
    let cpu = Cpu::now(ground)?;

    progress(&format!("{title}: revokes {provider}"));
    let (begin, since) = (Instant::now(), Timestamp::now());
    let revoked =
        decision(&format!("{provider}-revoked"), provider, "Revoked", &format!("[{provider}-approved]"));
    ground.stage.apply(&revoked).await?;
    let left = |sight: &Sight| sight.copies.get(source).is_some_and(|copy| copy.left().is_some());
    eyes.wait(&names, patience(count), left).await?;
    let cpu = cpu.until(&Cpu::now(ground)?);
    for (name, sight) in slow.iter().zip(eyes.sights(&slow)) {
        let here = sight.copies.get(source).map_or(0, crate::eyes::Copy::present);
        ensure!(here == KINDS.len(), "{name} isn't Ready elsewhere and only {here} of its objects are left");
    }
    eyes.release();
    eyes.wait(&slow, patience(count), left).await?;
    let (_, after) = ground.quiet().await?;

    let sights = eyes.sights(&all);
    verify_placed(&all, &sights)?;
    for (name, sight) in all.iter().zip(&sights) {
        in_order(name, sight, source)?;
    }
    let timed = eyes.sights(&names);
    let moved = timed.iter().filter_map(|sight| target(sight, source)?.ready).max();
    let gone = timed.iter().filter_map(|sight| sight.copies.get(source)?.left()).max();
    let seconds = |at: Option<Instant>| at.map(|at| (at - begin).as_secs_f64()).unwrap_or_default();
    let (writes, reads) = (writes(&before, &after), reads(&before, &after));
    let told = told_of_it(ground, since).await?;
    let figures =
        figures(count, (seconds(moved), seconds(gone)), (&writes, told), per(cpu.counted() * 1000.0, count));
    let complaints = ground.complaints().split_off(complaints);
    Ok(Section {
        title,
        workloads: count + SLOW,
        load_before,
        figures,
        cpu: Some(cpu),
        writes,
        reads,
        complaints,
    })
}

/// How many were told that they may not be where they are, before they left: who waits for a turn in the campaign reads of
/// the decision at once, and that would be written, too, if nothing could move. Their condition has changed, and back.
async fn told_of_it(ground: &Ground, since: Timestamp) -> anyhow::Result<usize> {
    let all = get(&ground.hub()?.client(), &format!("{DOMICILE}/tenantworkloads")).await?;
    let items = all.get("items").and_then(Value::as_array).context("no workloads")?;
    let changed = |item: &&Value| {
        let conditions = item.pointer("/status/conditions").and_then(Value::as_array);
        let compliant = conditions.into_iter().flatten().find(|it| it["type"] == "Compliant");
        let at = compliant.and_then(|it| it["lastTransitionTime"].as_str()?.parse::<Timestamp>().ok());
        at.is_some_and(|at| at >= since)
    };
    Ok(items.iter().filter(changed).count())
}

fn figures(
    count: usize,
    (ready, gone): (f64, f64),
    (writes, told): (&[Requests], usize),
    cpu: f64,
) -> Vec<Figure> {
    // The decision itself, what is said of the facts that it is about, and the campaign.
    let cause = ["decisions", "hostingproviders", "relocations"];
    let is_cause = |write: &&Requests| cause.iter().any(|kind| write.request.contains(kind));
    let causes: u64 = writes.iter().filter(is_cause).map(|write| write.count).sum();
    #[expect(clippy::cast_precision_loss, reason = "there are some thousands")]
    let (hub, told, members) = (
        per((total(writes, "hub") - causes) as f64 - told as f64, count + SLOW),
        per(told as f64, count + SLOW),
        per(total(writes, "members") as f64, count + SLOW),
    );
    let (mut ready, mut gone) = (
        Figure::less("revoked to the last one Ready elsewhere", ready, "s"),
        Figure::less("revoked to the last one gone from the source", gone, "s"),
    );
    if count >= 1000 {
        ready = ready.goal(30.0).peer(peer::EVACUATED_READY);
        gone = gone.goal(60.0).peer(peer::EVACUATED_GONE);
    }
    vec![
        ready,
        gone,
        Figure::less("hub writes, decision and campaign aside", hub, "per move")
            .goal(4.0)
            .peer(peer::EVACUATED_HUB_WRITES),
        Figure::less("of the decision's, told to who waits for a turn", told, "per move"),
        Figure::less("member writes", members, "per move"),
        Figure::less("CPU of operator, API servers, etcds", cpu, "ms/move"),
    ]
}

/// The copy elsewhere.
fn target<'a>(sight: &'a Sight, source: &str) -> Option<&'a crate::eyes::Copy> {
    sight.copies.iter().find(|(cluster, copy)| *cluster != source && copy.present() > 0).map(|(_, copy)| copy)
}

/// No object may be seen to be gone before readiness was written elsewhere.
fn in_order(name: &str, sight: &Sight, source: &str) -> anyhow::Result<()> {
    let touched: BTreeSet<_> = sight.copies.keys().collect();
    ensure!(touched.len() == 2, "{name} was on {touched:?} instead of two members");
    let ready =
        target(sight, source).and_then(|copy| copy.ready).with_context(|| format!("{name} is nowhere"))?;
    let left = sight.copies.get(source).map(|copy| copy.gone).unwrap_or_default();
    for (kind, gone) in KINDS.iter().zip(left) {
        let gone = gone.with_context(|| format!("{kind} {name} is still on {source}"))?;
        ensure!(
            gone >= ready,
            "{kind} {name} was removed {:?} before its replacement was Ready",
            ready - gone
        );
    }
    Ok(())
}
