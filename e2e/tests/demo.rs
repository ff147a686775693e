//! `make demo` as its user runs it: it shows the whole story, and leaves nothing behind.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use domicile_e2e::fleet::{Binaries, process::Signal, wait::eventually};
use rustix::process::{Pid, kill_process};

/// Generous: beside the demo, other fleets start on the same cores.
const DEADLINE: Duration = Duration::from_mins(10);

/// What is printed, in this order, among much else.
const STORY: [&str; 22] = [
    "Setting the stage",
    "  apply 03-clusters.yaml",
    "Step 1: a vendor runs its customers on machines of its own, in the United States",
    "  apply 10-vendor-approved.yaml (as compliance)",
    "all eight run on us-va-1",
    "Step 2: it starts a service for the Benelux, on machines of independent providers",
    "for 3 s nothing has moved",
    "Step 3: the customers leave; first the hospital, by its own policy",
    "nothing of the hospital is left on us-va-1",
    "Step 3, continued: the vendor's machines are barred for everybody",
    "claims/intake says Stalled=True: NoLawfulPlace",
    "Step 4: a ministry bars the vendor as a precaution, and reconsiders",
    "still serves Release 41",
    "Meanwhile: the operator is killed, and another one takes over",
    "Step 5: a Swiss data centre comes online",
    "archive/records stays on",
    "Step 6: the Dutch-Belgian provider is sold to a fund outside the EU",
    "frozen at nl-ams-1: 2",
    "the hospital is frozen there",
    "the hospital has left for Germany",
    "What you just saw",
    "  Every step came true",
];

fn demo(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command
        .env("DOMICILE_FLEET_DIR", dir)
        .env("FLEET", "local")
        .env_remove("KEEP")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    command
}

/// What still runs with `dir` in its arguments.
fn left_in(dir: &Path) -> anyhow::Result<Vec<String>> {
    let wanted = dir.to_str().context("not UTF-8")?;
    let processes = fs::read_dir("/proc")?.flatten();
    // A process that ends meanwhile has no such file any more.
    let lines = processes.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
    Ok(lines.filter(|line| line.contains(wanted)).map(|line| line.replace('\0', " ")).collect())
}

async fn nothing_left(dir: &Path) -> anyhow::Result<()> {
    eventually(Duration::from_secs(30), "all processes to be gone", || async {
        let left = left_in(dir)?;
        if left.is_empty() { Ok(Some(())) } else { bail!("still there: {left:?}") }
    })
    .await
}

async fn ended(demo: &mut Child) -> anyhow::Result<Option<i32>> {
    let ended = eventually(DEADLINE, "the demo to end", || {
        let status = demo.try_wait();
        async { Ok(status?) }
    });
    Ok(ended.await?.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_comes_true() -> anyhow::Result<()> {
    Binaries::locate()?;
    let dir = tempfile::tempdir()?;
    let (out, err) = (dir.path().join("stdout"), dir.path().join("stderr"));
    let fleet = dir.path().join("fleet");
    let mut demo = demo(&fleet).stdout(fs::File::create(&out)?).stderr(fs::File::create(&err)?).spawn()?;
    let code = ended(&mut demo).await;
    let (out, err) = (fs::read_to_string(out)?, fs::read_to_string(err)?);
    ensure!(code? == Some(0), "the demo failed:\n{out}\n{err}");
    let mut rest = out.as_str();
    for line in STORY {
        let at = rest
            .find(line)
            .with_context(|| format!("{line:?} is missing, or not in its place, in\n{out}"))?;
        rest = rest.get(at + line.len()..).unwrap_or_default();
    }
    ensure!(!out.contains('\x1b'), "a pipe gets neither colours nor pictures:\n{out}");
    nothing_left(&fleet).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_leaves_nothing_behind() -> anyhow::Result<()> {
    Binaries::locate()?;
    let dir = tempfile::tempdir()?;
    let mut demo = demo(dir.path()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let stdout = BufReader::new(demo.stdout.take().context("no stdout")?);
    let begun = tokio::task::spawn_blocking(move || {
        let mut lines = stdout.lines();
        let begun = lines.any(|line| line.is_ok_and(|line| line.contains("the operator runs")));
        // Kept open: a demo that can't speak any more fails instead of being interrupted.
        (begun, lines)
    });
    let (begun, _lines) = begun.await?;
    ensure!(begun, "the operator wasn't started: {:?}", demo.wait()?);
    ensure!(!left_in(dir.path())?.is_empty(), "looked for the fleet in a wrong place");
    let pid = Pid::from_raw(i32::try_from(demo.id())?).context("no process id")?;
    kill_process(pid, Signal::INT)?;
    ensure!(ended(&mut demo).await? == Some(130), "wanted: exit code 130 after Ctrl-C");
    nothing_left(dir.path()).await
}
