//! The report as text.

use domicile_crds::Scheduling;

use super::{ClusterLine, Operator, Report, Seen, TenantLine};
use crate::output::{Paint, State};
use crate::table::{Cell, Table};

/// The whole report.
#[must_use]
pub fn text(report: &Report, wide: bool, paint: Paint) -> String {
    let paused = if report.paused {
        let paused = paint.state("paused", State::Unknown);
        format!("{}      {paused}; go on with: kubectl domicile resume\n", paint.state("MOVES", State::Title))
    } else {
        String::new()
    };
    let mut parts = vec![operator(&report.operator, paint) + &paused];
    if !report.clusters.is_empty() {
        parts.push(clusters(&report.clusters, wide).render(paint));
    }
    if !report.tenants.is_empty() {
        parts.push(tenants(&report.tenants).render(paint));
    }
    match report.stuck.len() {
        0 => {}
        1 => parts.push("1 thing needs a person: kubectl domicile status --stuck\n".to_owned()),
        n => parts.push(format!("{n} things need a person: kubectl domicile status --stuck\n")),
    }
    parts.join("\n")
}

/// Only what a person must act on.
#[must_use]
pub fn stuck_text(report: &Report, paint: Paint) -> String {
    let mut parts = vec![operator(&report.operator, paint)];
    for stuck in &report.stuck {
        let since = stuck.since_seconds.map(|seconds| format!(", for {}", age(seconds))).unwrap_or_default();
        let reason = paint.state(&stuck.reason, State::Bad);
        parts.push(format!("{}: {reason}{since}\n  {}\n", stuck.object, stuck.message));
    }
    if report.stuck.is_empty() {
        parts.push("nothing needs a person\n".to_owned());
    }
    parts.join("\n")
}

fn operator(operator: &Operator, paint: Paint) -> String {
    let heard = operator.holder.as_deref().zip(operator.age_seconds.map(age));
    let said = match (operator.alive, heard) {
        (true, Some((holder, ago))) => format!("{holder}, heard of {ago} ago"),
        (_, Some((holder, _))) if operator.age_seconds.is_some_and(|age| age < 0) => {
            let unknown = paint.state("UNKNOWN", State::Unknown);
            let ahead = age(-operator.age_seconds.unwrap_or_default());
            format!(
                "{unknown}: {holder} was last heard of {ahead} in the future; what it saw may no longer hold"
            )
        }
        (_, Some((holder, ago))) => {
            let unknown = paint.state("UNKNOWN", State::Unknown);
            let lasts = operator.lease_seconds.map(|seconds| age(seconds.into())).unwrap_or_default();
            format!(
                "{unknown}: {holder} was last heard of {ago} ago, its lease lasts {lasts}; what it saw may no longer hold"
            )
        }
        (_, None) => {
            let unknown = paint.state("UNKNOWN", State::Unknown);
            format!("{unknown}: nobody holds its lease; what was seen may no longer hold")
        }
    };
    format!("{}   {said}\n", paint.state("OPERATOR", State::Title))
}

fn clusters(lines: &[ClusterLine], wide: bool) -> Table {
    let mut headings = vec!["CLUSTER", "SITE", "COUNTRY", "PROVIDER", "SCHEDULING", "READY", "SINCE"];
    if wide {
        headings.extend(["VERSION", "REASON"]);
    }
    let mut table = Table::new(&headings);
    for line in lines {
        let scheduling = match line.scheduling {
            Scheduling::Open => Cell::from("Open"),
            Scheduling::Cordoned => Cell::new("Cordoned", State::Unknown),
            Scheduling::Draining => Cell::new("Draining", State::Unknown),
        };
        let mut cells: Vec<Cell> = vec![
            line.name.clone().into(),
            line.site.clone().into(),
            line.country.clone().unwrap_or_default().into(),
            line.provider.clone().unwrap_or_default().into(),
            scheduling,
            seen(line.ready),
            line.since_seconds.map(age).unwrap_or_default().into(),
        ];
        if wide {
            cells.push(line.version.clone().unwrap_or_default().into());
            cells.push(line.reason.clone().unwrap_or_default().into());
        }
        table.row(cells);
    }
    table
}

fn tenants(lines: &[TenantLine]) -> Table {
    let mut table = Table::new(&[
        "TENANT",
        "WORKLOADS",
        "PLACED",
        "COMPLIANT",
        "NOT-COMPLIANT",
        "UNKNOWN",
        "PENDING",
        "STALLED",
    ]);
    for line in lines {
        let mut cells: Vec<Cell> =
            vec![line.name.clone().unwrap_or_else(|| "(nobody's)".to_owned()).into(), line.workloads.into()];
        match line.counts {
            Some(counts) => {
                let good = |number: usize| {
                    let state = if number == line.workloads { State::Good } else { State::Plain };
                    Cell::new(number.to_string(), state)
                };
                let bad = |number: usize, state| {
                    Cell::new(number.to_string(), if number == 0 { State::Plain } else { state })
                };
                cells.push(good(counts.placed));
                cells.push(good(counts.compliant));
                cells.push(bad(counts.not_compliant, State::Bad));
                cells.push(bad(counts.unknown, State::Unknown));
                cells.push(counts.pending.into());
                cells.push(bad(counts.stalled, State::Bad));
            }
            None => cells.extend((0..6).map(|_| Cell::new("UNKNOWN", State::Unknown))),
        }
        table.row(cells);
    }
    table
}

fn seen(seen: Seen) -> Cell {
    match seen {
        Seen::True => Cell::new("True", State::Good),
        Seen::False => Cell::new("False", State::Bad),
        Seen::Unknown => Cell::new("UNKNOWN", State::Unknown),
    }
}

/// A time span as kubectl writes it: the largest unit that says enough.
fn age(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds}s"),
        120..10_800 => format!("{}m", seconds / 60),
        10_800..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}
