//! Scenarios in which workloads are created.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use tokio::time::Instant;

use crate::{
    eyes::{Eyes, KINDS, Sight},
    ground::Ground,
    load::{self, Pace},
    machine,
    measure::{Cpu, quantile, total, writes},
    peer,
    report::{Figure, Section, per, progress},
};

/// What the peer would need, and then some.
pub(crate) fn patience(count: usize) -> Duration {
    Duration::from_mins(1) + Duration::from_secs(1) * u32::try_from(count).unwrap_or(u32::MAX)
}

/// Creates workloads and waits until all of them are applied and reported.
pub(crate) async fn place(
    ground: &Ground,
    eyes: &Arc<Eyes>,
    prefix: &str,
    count: usize,
    pace: Pace,
) -> anyhow::Result<Vec<String>> {
    let names = load::create(&ground.hub()?.client(), eyes, prefix, count, pace).await?;
    eyes.wait(&names, patience(count), |sight| sight.reported.is_some() && applied(sight).is_some()).await?;
    Ok(names)
}

/// When the third object appeared on a member.
fn applied(sight: &Sight) -> Option<Instant> {
    sight.copies.values().filter_map(crate::eyes::Copy::applied).min()
}

/// Each workload must be in one place only, and whole.
pub(crate) fn verify_placed(names: &[String], sights: &[Sight]) -> anyhow::Result<()> {
    for (name, sight) in names.iter().zip(sights) {
        let places: Vec<_> = sight.copies.values().filter(|copy| copy.present() > 0).collect();
        ensure!(
            matches!(places.as_slice(), [copy] if copy.present() == KINDS.len()),
            "{name} isn't whole in exactly one place: {:?}",
            sight.copies
        );
    }
    Ok(())
}

/// (a) and (b): how fast, at what price.
pub(crate) async fn measure(
    ground: &Ground,
    eyes: &Arc<Eyes>,
    prefix: &str,
    count: usize,
    pace: Pace,
) -> anyhow::Result<Section> {
    let title = match pace {
        Pace::InFlight(most) => format!("create, {most} in flight"),
        Pace::PerSecond(rate) => format!("create, {rate} a second"),
    };
    progress(&format!("{title}: {count} workloads"));
    let load_before = machine::load();
    let complaints = ground.complaints().len();
    let (_, before) = ground.quiet().await?;
    let cpu_before = Cpu::now(ground)?;
    let names = place(ground, eyes, prefix, count, pace).await?;
    let cpu = cpu_before.until(&Cpu::now(ground)?);
    let (_, after) = ground.quiet().await?;
    let sights = eyes.sights(&names);
    verify_placed(&names, &sights)?;
    let writes = writes(&before, &after);
    let first = sights.iter().filter_map(|sight| sight.created).min();
    let last = sights.iter().filter_map(applied).max();
    let took = first.zip(last).map(|(first, last)| last - first).unwrap_or_default();
    let mut latencies: Vec<Duration> =
        sights.iter().filter_map(|sight| Some(applied(sight)? - sight.created?)).collect();
    latencies.sort_unstable();
    let ms = |q: f64| quantile(&latencies, q).as_secs_f64() * 1000.0;
    #[expect(clippy::cast_precision_loss, reason = "there are some thousands")]
    let (rate, hub, members, setup) = (
        count as f64 / took.as_secs_f64(),
        per(total(&writes, "hub") as f64, count),
        per(total(&writes, "members") as f64, count),
        total(&writes, "namespace") as f64,
    );
    let mut figures = Vec::new();
    if matches!(pace, Pace::InFlight(_)) {
        let peer = if count < 500 { peer::RATE_100 } else { peer::RATE_1000 };
        figures.push(Figure::more("sustained rate", rate, "workloads/s").goal(65.0).peer(peer));
    }
    let p99 = Figure::less("create to applied, p99", ms(0.99), "ms");
    figures.extend([
        Figure::less("create to applied, p50", ms(0.5), "ms"),
        if matches!(pace, Pace::PerSecond(_)) { p99.goal(1000.0) } else { p99 },
        Figure::less("create to applied, longest", ms(1.0), "ms"),
        Figure::less(
            "CPU of operator, API servers, etcds",
            per(cpu.counted() * 1000.0, count),
            "ms/workload",
        )
        .goal(23.0)
        .peer(peer::CPU_MS),
        Figure::less("hub writes beyond the user's own", hub, "per workload")
            .goal(2.0)
            .peer(peer::HUB_WRITES),
        Figure::less("member writes for its objects", members, "per workload")
            .goal(3.0)
            .peer(peer::MEMBER_WRITES),
        Figure::less("member writes for the namespace, once", setup, "in all"),
    ]);
    let complaints = ground.complaints().split_off(complaints);
    Ok(Section {
        title,
        workloads: count,
        load_before,
        figures,
        cpu: Some(cpu),
        writes,
        reads: Vec::new(),
        complaints,
    })
}
