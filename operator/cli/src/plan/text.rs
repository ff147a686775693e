//! A plan for people: what happens alike is told of once, so that it can be read with ten thousand workloads.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::bytes::shown;
use super::{Plan, Step, What};
use crate::output::{Paint, State};

/// How many workloads of a group are named.
const NAMED: usize = 3;
/// How many reasons for which something has no place are told.
const REASONS: usize = 5;

/// As text.
pub(super) fn text(plan: &Plan, wide: bool, paint: Paint) -> String {
    let when = if plan.begins { ", when it begins" } else { "" };
    let title = match plan.asked.as_slice() {
        [] => format!("At {}, what is yet to do:\n", plan.at),
        asked => format!("At {}{when}, if\n- {}\n", plan.at, asked.join("\n- ")),
    };
    let mut out = paint.state(&title, State::Title) + "\n";
    if plan.paused {
        out.push_str(
            "Moves are paused by Installation/default: none of them begins until that is lifted.\n\n",
        );
    }
    for later in &plan.later {
        let _ = writeln!(out, "{later}");
    }
    if !plan.later.is_empty() {
        out.push('\n');
    }
    if plan.steps.is_empty() {
        let _ = writeln!(
            out,
            "Nothing would happen; {}.",
            copies(plan.unchanged, "stays as it is", "stay as they are")
        );
        missing(plan, &mut out);
        return out;
    }
    let mut groups: BTreeMap<(What, _, _, &str, _), Vec<&Step>> = BTreeMap::new();
    for step in &plan.steps {
        let why = if step.what == What::Blocked { "" } else { step.why.as_str() };
        groups.entry((step.what, &step.from, &step.to, why, &step.nearest)).or_default().push(step);
    }
    let mut reasons = 0;
    let mut more = 0;
    for ((what, _, _, why, nearest), group) in &groups {
        if *what == What::Wait {
            reasons += 1;
            if reasons > REASONS && !wide {
                more += group.len();
                continue;
            }
        }
        let happens = group.first().map(|step| happens(step, paint)).unwrap_or_default();
        let _ = writeln!(out, "{happens}: {}", group.len());
        let _ = writeln!(out, "  {}", names(group, wide));
        let why = if why.is_empty() { group.first().map_or("", |step| step.why.as_str()) } else { why };
        if !why.is_empty() {
            let _ = writeln!(out, "  {why}");
        }
        let bytes = group.iter().filter_map(|step| step.bytes).fold(0, i64::saturating_add);
        if bytes > 0 {
            let _ = writeln!(out, "  their claims ask for {}", shown(bytes));
        }
        if let Some(nearest) = nearest {
            let _ = writeln!(out, "  nearest: {nearest}");
        }
    }
    if more > 0 {
        let (word, state) = word(What::Wait);
        let _ = writeln!(out, "{}: {more} for other reasons, which -o wide tells", paint.state(word, state));
    }
    out.push('\n');
    out.push_str(&summary(plan));
    missing(plan, &mut out);
    out
}

/// What isn't there and is named, so that nobody can tell what it means.
fn missing(plan: &Plan, out: &mut String) {
    for object in &plan.missing {
        let lacks = if object.starts_with("CountrySet/") {
            "nobody knows which countries it holds"
        } else {
            "what is decided about it concerns nobody until somebody makes one of that name"
        };
        let _ = writeln!(out, "{object} isn't there: {lacks}.");
    }
}

fn names(group: &[&Step], all: bool) -> String {
    let shown = if all { group.len() } else { NAMED };
    let names: Vec<&str> = group.iter().take(shown).map(|step| step.workload.as_str()).collect();
    match group.len().saturating_sub(shown) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// What becomes of a copy, and where.
pub(crate) fn happens(step: &Step, paint: Paint) -> String {
    let (word, state) = word(step.what);
    let places = match (&step.from, &step.to) {
        (Some(from), Some(to)) => format!(" from {from} to {to}"),
        (Some(at), None) => format!(" at {at}"),
        (None, Some(to)) => format!(" on {to}"),
        (None, None) => String::new(),
    };
    paint.state(word, state) + &places
}

fn word(what: What) -> (&'static str, State) {
    match what {
        What::Wait => ("no place", State::Bad),
        What::Stuck => ("stuck", State::Bad),
        What::Suspend => ("suspended", State::Bad),
        What::Freeze => ("frozen", State::Bad),
        What::Hold => ("held", State::Unknown),
        What::MustMove => ("must move", State::Unknown),
        What::Move => ("moves", State::Plain),
        What::Ask => ("asks", State::Plain),
        What::Denied => ("denied", State::Plain),
        What::Place => ("placed", State::Good),
        What::Adopt => ("adopted", State::Good),
        What::Leave => ("removed", State::Plain),
        What::Blocked => ("blocked", State::Bad),
        What::Stay => ("stays", State::Good),
    }
}

fn summary(plan: &Plan) -> String {
    let count = |all: &[What]| plan.steps.iter().filter(|step| all.contains(&step.what)).count();
    let mut parts = Vec::new();
    let mut tell = |count: usize, one: &str, many: &str| {
        if count > 0 {
            parts.push(copies(count, one, many));
        }
    };
    tell(count(&[What::MustMove, What::Move]), "moves", "move");
    tell(count(&[What::Ask]), "moves if its tenant approves", "move if their tenants approve");
    let denied =
        ["stays, since its tenant has denied the move", "stay, since their tenants have denied the move"];
    tell(count(&[What::Denied]), denied[0], denied[1]);
    tell(count(&[What::Place]), "is placed", "are placed");
    tell(count(&[What::Adopt]), "is adopted where it runs", "are adopted where they run");
    tell(count(&[What::Freeze]), "is frozen", "are frozen");
    tell(count(&[What::Suspend]), "is suspended", "are suspended");
    tell(count(&[What::Hold]), "is held as it is", "are held as they are");
    tell(count(&[What::Leave]), "is removed", "are removed");
    tell(count(&[What::Blocked]), "can't be run", "can't be run");
    tell(count(&[What::Stay]), "goes on where it is", "go on where they are");
    let kept = plan.steps.iter().filter(|step| step.keeps_volumes()).count();
    tell(count(&[What::Stuck, What::Wait]) - kept, "has no lawful place", "have no lawful place");
    let why = "must leave and can't, since volumes aren't moved yet";
    tell(kept, why, why);
    tell(plan.unchanged, "stays as it is", "stay as they are");
    let mut out = parts.join("; ") + ".\n";
    for (tenant, waves) in plan.waves.iter().filter(|(_, waves)| **waves > 1) {
        let _ = writeln!(out, "Tenant {tenant} moves in {waves} waves, by its spec.migration.maxConcurrent.");
    }
    if count(&[What::Stuck]) > 0 {
        out.push_str("What can't leave stays where it is, and says so; nothing is deleted.\n");
    }
    out
}

fn copies(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 copy {one}") } else { format!("{count} copies {many}") }
}
