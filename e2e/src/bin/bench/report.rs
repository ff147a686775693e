//! What came out: tables for people, JSON for programs.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::{
    machine::Machine,
    measure::{CpuSpent, Requests},
};

/// Everything of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Where it was measured.
    pub(crate) machine: Machine,
    /// What was measured.
    pub(crate) sections: Vec<Section>,
}

/// What one scenario gave.
#[derive(Debug, Serialize)]
pub(crate) struct Section {
    /// What was done.
    pub(crate) title: String,
    /// How many workloads took part.
    pub(crate) workloads: usize,
    /// The machine's load average of one minute when it began.
    pub(crate) load_before: f64,
    /// What is to be compared.
    pub(crate) figures: Vec<Figure>,
    /// What CPU time was spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu: Option<CpuSpent>,
    /// What was written.
    pub(crate) writes: Vec<Requests>,
    /// What was read, where that was counted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) reads: Vec<Requests>,
    /// What the operator complained of.
    pub(crate) complaints: Vec<String>,
}

/// Which direction is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Better {
    Less,
    More,
}

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    /// What it says.
    pub(crate) name: &'static str,
    /// Ours.
    pub(crate) value: f64,
    /// In which unit.
    pub(crate) unit: &'static str,
    /// Which direction is better.
    pub(crate) better: Better,
    /// What we want to reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) goal: Option<f64>,
    /// The peer's, at its best.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peer: Option<f64>,
}

impl Figure {
    pub(crate) fn less(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self { name, value, unit, better: Better::Less, goal: None, peer: None }
    }

    pub(crate) fn more(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self { better: Better::More, ..Self::less(name, value, unit) }
    }

    pub(crate) fn goal(self, goal: f64) -> Self {
        Self { goal: Some(goal), ..self }
    }

    pub(crate) fn peer(self, peer: f64) -> Self {
        Self { peer: Some(peer), ..self }
    }

    /// How many times better than the peer. `None` without one, or if ours is nothing at all.
    fn factor(&self) -> Option<f64> {
        let peer = self.peer?;
        let (above, below) =
            if self.better == Better::Less { (peer, self.value) } else { (self.value, peer) };
        (below > 0.0).then(|| above / below)
    }

    fn missed(&self) -> bool {
        self.goal.is_some_and(|goal| match self.better {
            Better::Less => self.value > goal,
            Better::More => self.value < goal,
        })
    }
}

/// Prints on what is measured.
pub(crate) fn print_machine(machine: &Machine) -> io::Result<()> {
    let Machine { cores, model, memory_gib, kernel, kubernetes, operator, debug_build, load_before } =
        machine;
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{cores} cores ({model}), {memory_gib:.0} GiB, Linux {kernel}; load average {load_before:.1}"
    )?;
    writeln!(out, "Kubernetes {kubernetes}; operator: {}", operator.display())?;
    if *debug_build {
        writeln!(
            out,
            "WARNING: the operator is a debug build. Counts are right, times and CPU say nothing."
        )?;
    }
    out.flush()
}

/// Prints a section.
pub(crate) fn print(section: &Section) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "\n{} ({} workloads, load average before {:.1})",
        section.title, section.workloads, section.load_before
    )?;
    writeln!(out, "  {:<52} {:>10} {:>8} {:>8} {:>8}", "", "Domicile", "goal", "peer", "factor")?;
    for figure in &section.figures {
        let missed = if figure.missed() { "  missed" } else { "" };
        writeln!(
            out,
            "  {:<52} {:>10} {:>8} {:>8} {:>8}{missed}",
            format!("{}, {}", figure.name, figure.unit),
            number(figure.value),
            figure.goal.map(number).unwrap_or_default(),
            figure.peer.map(number).unwrap_or_default(),
            figure.factor().map(|factor| format!("{}x", number(factor))).unwrap_or_default(),
        )?;
    }
    if let Some(cpu) = &section.cpu {
        writeln!(
            out,
            "  CPU ms a workload (others kept {:.1} cores busy for these {:.1} s)",
            cpu.others_cores, cpu.seconds
        )?;
        let bench = (String::from("this program, not counted"), cpu.bench);
        for (name, spent) in cpu.by_process.clone().into_iter().chain([bench]) {
            writeln!(out, "    {name:<50} {:>10}", number(per(spent * 1000.0, section.workloads)))?;
        }
    }
    for (what, requests) in [("writes", &section.writes), ("reads ", &section.reads)] {
        if requests.is_empty() {
            continue;
        }
        writeln!(out, "  {what} {:<45} {:>10} {:>10}", "", "in all", "each")?;
        for some in requests {
            #[expect(clippy::cast_precision_loss, reason = "there are some thousands")]
            let each = per(some.count as f64, section.workloads);
            let name = format!("{}: {}", some.cluster, some.request);
            writeln!(out, "    {name:<50} {:>10} {:>10}", some.count, number(each))?;
        }
    }
    if !section.complaints.is_empty() {
        writeln!(out, "  the operator complained {} times; the first:", section.complaints.len())?;
        for line in section.complaints.iter().take(3) {
            writeln!(out, "    {}", line.chars().take(200).collect::<String>())?;
        }
    }
    out.flush()
}

/// Prints a line to stderr: what is going on.
pub(crate) fn progress(text: &str) {
    // Nobody is helped by a failure to say so.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints a line to stdout.
pub(crate) fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

/// So much for each.
pub(crate) fn per(sum: f64, count: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "there are some thousands")]
    let count = count.max(1) as f64;
    sum / count
}

/// With as many digits as one reads.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => String::from("0"),
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_says_how_many_times_better() {
        assert_eq!(Figure::less("", 2.0, "").peer(45.0).factor(), Some(22.5));
        assert_eq!(Figure::more("", 104.0, "").peer(5.2).factor(), Some(20.0));
        assert_eq!(Figure::less("", 0.0, "").peer(5200.0).factor(), None);
        assert_eq!(Figure::less("", 1.0, "").factor(), None);
    }

    #[test]
    fn a_goal_is_missed_on_the_wrong_side() {
        assert!(Figure::less("", 2.1, "").goal(2.0).missed());
        assert!(!Figure::less("", 2.0, "").goal(2.0).missed());
        assert!(Figure::more("", 64.0, "").goal(65.0).missed());
    }
}
