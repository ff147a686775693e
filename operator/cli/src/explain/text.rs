//! An explanation for people. Clusters that are barred alike are told of once, so that it can be read with ten thousand.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Answer, Candidate, Explanation};
use crate::output::{Paint, State};
use crate::plan::{Step, happens};

/// How many clusters of a group are named.
const NAMED: usize = 8;

/// As text.
pub(super) fn text(explanation: &Explanation, wide: bool, paint: Paint) -> String {
    let Explanation { workload, tenant, at, blocked, copies, candidates } = explanation;
    let whose = tenant.as_ref().map(|tenant| format!(", tenant {tenant}")).unwrap_or_default();
    let mut out = paint.state(&format!("{workload}{whose}, at {at}\n"), State::Title);
    if let Some(blocked) = blocked {
        let _ = writeln!(out, "\nNothing can be done for it anywhere: {blocked}");
    } else {
        standing(&mut out, copies, paint);
        let left: Vec<_> = candidates.iter().filter(|it| it.is_left && !it.has_copy).collect();
        if !left.is_empty() {
            let _ = writeln!(out, "  a copy isn't gone yet from {}", names(&left, wide));
        }
    }
    let (eligible, barred): (Vec<_>, Vec<_>) = candidates.iter().partition(|it| it.eligible);
    let mut tiers: BTreeMap<u16, Vec<&Candidate>> = BTreeMap::new();
    for candidate in eligible {
        tiers.entry(candidate.preference).or_default().push(candidate);
    }
    for (tier, group) in tiers {
        let _ = writeln!(
            out,
            "\n{} (preference {tier}): {}",
            paint.state("lawful", State::Good),
            names(&group, wide)
        );
        passing(&mut out, &group, wide);
    }
    let mut groups: BTreeMap<(Vec<_>, Option<String>), Vec<&Candidate>> = BTreeMap::new();
    for candidate in barred {
        let rules = failing(candidate).map(|answer| (answer.rule, answer.result)).collect();
        let provider = candidate.place.provider.as_ref().map(ToString::to_string);
        groups.entry((rules, provider)).or_default().push(candidate);
    }
    for group in groups.into_values() {
        let _ = writeln!(out, "\n{}: {}", paint.state("barred", State::Bad), names(&group, wide));
        let alike = if group.len() > 1 { "for example, " } else { "" };
        for answer in group.first().into_iter().flat_map(|first| failing(first)) {
            let result = if answer.result == "unknown" { " can't be told" } else { "" };
            for why in &answer.because {
                let rule = paint.state(answer.rule, State::Unknown);
                let _ = writeln!(out, "  {rule}{result}: {alike}{}", strip(answer.rule, why));
            }
            let anchor = answer.rule.to_lowercase();
            let _ = writeln!(out, "    to change: {}", answer.remedy.unwrap_or_default());
            if let Some(command) = &answer.command {
                let _ = writeln!(out, "      {command}");
            }
            let _ = writeln!(out, "    see docs/rules.md#{anchor}");
        }
        passing(&mut out, &group, wide);
    }
    if candidates.is_empty() && blocked.is_none() {
        out.push_str("\nThere is no member cluster.\n");
    }
    out
}

/// What holds for each copy or comes next, and why.
fn standing(out: &mut String, copies: &[Step], paint: Paint) {
    for step in copies {
        let which = if copies.len() > 1 { format!("copy {}: ", step.copy) } else { String::new() };
        let when = if step.is_to_come() { "next" } else { "now" };
        let _ = writeln!(out, "{which}{when}: {}", happens(step, paint));
        if !step.why.is_empty() {
            let reason = step.obstacle.map(|obstacle| format!("{obstacle}: ")).unwrap_or_default();
            let _ = writeln!(out, "  {reason}{}", step.why);
        }
    }
}

/// The rules that bar a candidate.
fn failing(candidate: &Candidate) -> impl Iterator<Item = &Answer> {
    candidate.rules.iter().filter(|answer| answer.result != "passes")
}

/// What a sentence says beyond the rule's name.
fn strip<'a>(rule: &str, why: &'a str) -> &'a str {
    why.strip_prefix(rule).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(why)
}

fn names(group: &[&Candidate], all: bool) -> String {
    let name = |candidate: &&Candidate| {
        let place = &candidate.place;
        let country = place.country.map(|country| country.to_string());
        let of: Vec<String> =
            country.into_iter().chain(place.provider.as_ref().map(ToString::to_string)).collect();
        let of = if of.is_empty() { String::new() } else { format!(" ({})", of.join(", ")) };
        let copy = match (candidate.has_copy, candidate.is_left) {
            (true, _) => ", which has a copy",
            (false, true) => ", which a copy is leaving",
            (false, false) => "",
        };
        format!("{}{of}{copy}", place.cluster)
    };
    let shown = if all { group.len() } else { NAMED };
    let mut text: Vec<String> = group.iter().take(shown).map(name).collect();
    if group.len() > shown {
        text.push(format!("and {} more", group.len() - shown));
    }
    text.join("; ")
}

/// The rules that the first of a group passes; the others pass the same.
fn passing(out: &mut String, group: &[&Candidate], wide: bool) {
    let passes = |answer: &&Answer| answer.result == "passes";
    let rules =
        group.first().map(|candidate| candidate.rules.iter().filter(passes).map(|answer| answer.rule));
    let rules: Vec<_> = rules.into_iter().flatten().collect();
    if wide && !rules.is_empty() {
        let _ = writeln!(out, "  passes: {}", rules.join(", "));
    }
}
