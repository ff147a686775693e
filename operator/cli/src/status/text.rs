//! The report as text.

use domicile_crds::Scheduling;

use super::{ClusterLine, Left, Operator, Report, Seen, TenantLine};
use crate::output::{Paint, State};
use crate::table::{Cell, Table};

/// What people call the kinds that say who may host whom.
pub(super) const FACTS: [&str; 6] =
    ["countrysets", "decisions", "hostingproviders", "installations", "relocations", "sites"];

/// The whole report.
#[must_use]
pub fn text(report: &Report, wide: bool, paint: Paint) -> String {
    let mut parts = vec![head(report, paint)];
    if let Some(lines) = report.clusters.as_ref().filter(|lines| !lines.is_empty()) {
        parts.push(clusters(lines, wide).render(paint));
    }
    if let Some(lines) = report.tenants.as_ref().filter(|lines| !lines.is_empty()) {
        parts.push(tenants("TENANT", lines).render(paint));
    }
    if let Some(line) = &report.namespace {
        parts.push(tenants("NAMESPACE", std::slice::from_ref(line)).render(paint));
    }
    if let Some(lines) = report.left.as_ref().filter(|lines| !lines.is_empty()) {
        parts.push(left(lines).render(paint));
    }
    let only = report.only.as_ref().map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
    match report.stuck.len() {
        0 => {}
        1 => parts.push(format!("1 thing needs a person: kubectl domicile status{only} --stuck\n")),
        n => parts.push(format!("{n} things need a person: kubectl domicile status{only} --stuck\n")),
    }
    parts.join("\n")
}

/// Only what a person must act on.
#[must_use]
pub fn stuck_text(report: &Report, paint: Paint) -> String {
    let mut parts = vec![operator(report.operator.as_ref(), paint) + &hidden(report, paint)];
    for stuck in &report.stuck {
        let since = stuck.since_seconds.map(|seconds| format!(", for {}", age(seconds))).unwrap_or_default();
        let reason = paint.state(&stuck.reason, State::Bad);
        let remedy =
            stuck.remedy.as_ref().map(|remedy| format!("  to change: {remedy}\n")).unwrap_or_default();
        parts.push(format!("{}: {reason}{since}\n  {}\n{remedy}", stuck.object, stuck.message));
    }
    if report.stuck.is_empty() && report.operator.is_some() && report.hidden.is_empty() {
        parts.push("nothing needs a person\n".to_owned());
    } else if report.stuck.is_empty() {
        parts.push("nothing that you may see needs a person\n".to_owned());
    }
    parts.join("\n")
}

fn head(report: &Report, paint: Paint) -> String {
    let paused = if report.paused == Some(true) {
        let paused = paint.state("paused", State::Unknown);
        format!("{}      {paused}; go on with: kubectl domicile resume\n", paint.state("MOVES", State::Title))
    } else {
        String::new()
    };
    operator(report.operator.as_ref(), paint) + &paused + &hidden(report, paint)
}

/// What is missing in the report, since it may not be seen.
fn hidden(report: &Report, paint: Paint) -> String {
    let may_not = |kind: &str| report.hidden.iter().any(|hidden| hidden == kind);
    let line = |heading: &str, which: &str| {
        let blanks = 11_usize.saturating_sub(heading.len());
        format!("{}{:blanks$}you may not see{which}\n", paint.state(heading, State::Title), "")
    };
    let mut lines: Vec<_> = [
        ("MEMBERS", "memberclusters"),
        ("TENANTS", "tenants"),
        ("MOVES", "migrations"),
        ("RECORDS", "assignments"),
    ]
    .into_iter()
    .filter(|(_, kind)| may_not(kind))
    .map(|(heading, _)| line(heading, ""))
    .collect();
    let facts: Vec<&str> = FACTS.into_iter().filter(|fact| may_not(fact)).collect();
    match facts.len() {
        0 => {}
        all if all == FACTS.len() => lines.push(line("FACTS", "")),
        _ => lines.push(line("FACTS", &format!(": {}", facts.join(", ")))),
    }
    lines.concat()
}

/// What deleted workloads have left.
fn left(lines: &[Left]) -> Table {
    let mut table = Table::new(&["DELETED", "LEFT-ON", "SINCE"]);
    for line in lines {
        table.row(vec![
            format!("{}/{}", line.namespace, line.name).into(),
            line.clusters.join(",").into(),
            line.since_seconds.map(age).unwrap_or_default().into(),
        ]);
    }
    table
}

fn operator(operator: Option<&Operator>, paint: Paint) -> String {
    let title = paint.state("OPERATOR", State::Title);
    let Some(operator) = operator else {
        return format!("{title}   you may not see; what it said last is shown as it stands\n");
    };
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
    format!("{title}   {said}\n")
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

/// Headings are short: with a name of ten letters it fits into 80 columns.
fn tenants(whose: &str, lines: &[TenantLine]) -> Table {
    let mut table =
        Table::new(&[whose, "ALL", "PLACED", "LAWFUL", "NOT", "UNKNOWN", "MOVES", "STALLED", "SUSPENDED"]);
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
                cells.push(bad(counts.suspended, State::Unknown));
            }
            None => cells.extend((0..7).map(|_| Cell::new("?", State::Unknown))),
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
