//! Scenarios in which nothing is wanted: idling, and a restart of the operator.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use tokio::time::Instant;

use crate::{
    eyes::Eyes,
    ground::Ground,
    load::Pace,
    machine,
    measure::{Cpu, Requests, total, writes},
    peer,
    placing::{place, verify_placed},
    report::{Figure, Section, progress},
};

/// (c): what is written while nothing changes.
pub(crate) async fn idle(ground: &Ground, count: usize, lasting: Duration) -> anyhow::Result<Section> {
    let title = format!("idle for {} s", lasting.as_secs());
    progress(&title);
    let load_before = machine::load();
    let complaints = ground.complaints().len();
    let (_, before) = ground.quiet().await?;
    let cpu = Cpu::now(ground)?;
    tokio::time::sleep(lasting).await;
    let cpu = cpu.until(&Cpu::now(ground)?);
    let writes = writes(&before, &ground.counts().await?);
    let operator = cpu.by_process.get("operator").copied().unwrap_or_default();
    let figures = vec![
        Figure::less("hub writes", float(total(&writes, "hub")), "in all").goal(0.0),
        Figure::less("member writes", float(total(&writes, "members")), "in all").goal(0.0),
        Figure::less("operator's CPU", operator / cpu.seconds * 100.0, "% of a core"),
    ];
    let complaints = ground.complaints().split_off(complaints);
    Ok(Section {
        title,
        workloads: count,
        load_before,
        figures,
        cpu: None,
        writes,
        reads: Vec::new(),
        complaints,
    })
}

/// (d): the operator is restarted although nothing has changed, twice: once left alone, once with a new workload.
pub(crate) async fn restart(
    ground: &mut Ground,
    eyes: &Arc<Eyes>,
    placed: &[String],
) -> anyhow::Result<Section> {
    let title = String::from("operator restarted");
    progress(&title);
    let load_before = machine::load();
    let complaints = ground.complaints().len();
    ground.stop_operator().await?;
    let (_, before) = ground.quiet().await?;
    let begin = Instant::now();
    ground.start_operator()?;
    ground.operator_ready().await?;
    let ready = begin.elapsed();
    // The last write may come before quiet() looks for the first time: then it was quiet as soon as it was ready.
    let (busy, after) = ground.quiet().await?;
    let quiet = if after == before { ready } else { ready + busy };
    let writes = writes(&before, &after);
    verify_placed(placed, &eyes.sights(placed))?;
    let deletes = deletes(&writes);
    ensure!(deletes == 0, "a restart has deleted {deletes} objects: {writes:?}");

    ground.stop_operator().await?;
    ground.quiet().await?;
    let begin = Instant::now();
    ground.start_operator()?;
    let names =
        place(ground, eyes, &format!("after-restart-of-{}", placed.len()), 1, Pace::InFlight(1)).await?;
    let applied = eyes
        .sights(&names)
        .iter()
        .flat_map(|sight| sight.copies.values().filter_map(super::eyes::Copy::applied))
        .max();
    let first = applied.map(|at| at - begin).unwrap_or_default();
    let written = float(total(&writes, "hub") + total(&writes, "members"));
    let figures = vec![
        Figure::less("writes", written, "in all").goal(0.0).peer(peer::RESTART_WRITES),
        Figure::less("deletes", float(deletes), "in all").goal(0.0),
        Figure::less("start to ready", ready.as_secs_f64(), "s"),
        Figure::less("start to quiet", quiet.as_secs_f64(), "s").peer(peer::RESTART_QUIET),
        Figure::less("start to the first new one applied", first.as_secs_f64(), "s")
            .goal(5.0)
            .peer(peer::RESTART_FIRST),
    ];
    let complaints = ground.complaints().split_off(complaints);
    Ok(Section {
        title,
        workloads: placed.len(),
        load_before,
        figures,
        cpu: None,
        writes,
        reads: Vec::new(),
        complaints,
    })
}

/// (f): the most memory that the operator has had.
pub(crate) fn memory(ground: &Ground, count: usize) -> anyhow::Result<Section> {
    let (goal, peer) = match count {
        0 => (Some(40.0), Some(peer::MEMORY_0)),
        1000 => (Some(60.0), Some(peer::MEMORY_1000)),
        _ => (None, None),
    };
    let usage = ground.operator_usage()?;
    #[expect(clippy::cast_precision_loss, reason = "megabytes")]
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let peak = Figure::less("peak resident memory", megabytes(usage.peak_rss_bytes), "MB");
    let figures = vec![
        Figure { goal, peer, ..peak },
        Figure::less("resident memory now", megabytes(usage.rss_bytes), "MB"),
    ];
    Ok(Section {
        title: String::from("memory of the operator"),
        workloads: count,
        load_before: machine::load(),
        figures,
        cpu: None,
        writes: Vec::new(),
        reads: Vec::new(),
        complaints: Vec::new(),
    })
}

fn deletes(writes: &[Requests]) -> u64 {
    writes.iter().filter(|write| write.request.starts_with("DELETE")).map(|write| write.count).sum()
}

#[expect(clippy::cast_precision_loss, reason = "there are some thousands")]
fn float(count: u64) -> f64 {
    count as f64
}
