//! Nothing is left behind, however the process that started a fleet ends.
//!
//! Looked for from outside, by the fleet's folder in the arguments of every process on this
//! machine, so that the proof does not rest on what the fleet believes to have started.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use domicile_e2e::fleet::process::Signal;
use domicile_e2e::fleet::wait::eventually;
use domicile_e2e::fleet::{Binaries, ClusterOptions, Fleet};
use rustix::process::{Pid, kill_process};

const DEADLINE: Duration = Duration::from_mins(2);

/// The processes with `dir` in their arguments, by name. Zombies have none and don't count.
fn processes_in(dir: &Path) -> anyhow::Result<Vec<String>> {
    let wanted = dir.to_str().context("not UTF-8")?;
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        // A process that ends meanwhile has no such file any more.
        let Ok(cmdline) = fs::read_to_string(entry.path().join("cmdline")) else { continue };
        let program = cmdline.split('\0').next().unwrap_or_default();
        let name = program.rsplit('/').next().unwrap_or_default();
        if cmdline.contains(wanted) && name != "domicile-fleet" {
            found.push(name.to_owned());
        }
    }
    found.sort_unstable();
    Ok(found)
}

async fn all_gone(dir: &Path) -> anyhow::Result<()> {
    eventually(DEADLINE, "all processes to be gone", || async {
        let left = processes_in(dir)?;
        if left.is_empty() { Ok(Some(())) } else { bail!("still there: {}", left.join(", ")) }
    })
    .await
}

/// A process of its own that starts a fleet in `dir`.
fn starter(dir: &Path) -> anyhow::Result<Child> {
    // So that no build is going on in the process that is killed.
    Binaries::locate()?;
    let child = Command::new(env!("CARGO_BIN_EXE_domicile-fleet"))
        .args(["up", "--members", "nl-ams-1", "--dir"])
        .arg(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(child)
}

fn signal(child: &Child, signal: Signal) -> anyhow::Result<()> {
    let pid = Pid::from_raw(i32::try_from(child.id())?).context("no process id")?;
    Ok(kill_process(pid, signal)?)
}

/// Starts a fleet in another process, sends it `how` once all is ready, and looks.
async fn after_ready(how: Signal) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut starter = starter(dir.path())?;
    let lines = BufReader::new(starter.stdout.take().context("no stdout")?).lines();
    let ready: Vec<_> =
        tokio::task::spawn_blocking(move || lines.take(2).collect::<Result<_, _>>()).await??;
    ensure!(ready.len() == 2, "the fleet did not start: {ready:?}");
    let running = processes_in(dir.path())?;
    let expected = [
        "etcd",
        "etcd",
        "kube-apiserver",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-controller-manager",
        "kube-scheduler",
        "kwok",
    ];
    assert_eq!(running, expected);
    signal(&starter, how)?;
    let status = tokio::task::spawn_blocking(move || starter.wait()).await??;
    assert_eq!(status.success(), how != Signal::KILL, "{status}");
    all_gone(dir.path()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn after_sigkill() -> anyhow::Result<()> {
    after_ready(Signal::KILL).await
}

#[tokio::test(flavor = "multi_thread")]
async fn after_ctrl_c() -> anyhow::Result<()> {
    after_ready(Signal::INT).await
}

#[tokio::test(flavor = "multi_thread")]
async fn after_sigterm() -> anyhow::Result<()> {
    after_ready(Signal::TERM).await
}

/// The moments at which a process has been forked and does not yet have its parent-death signal
/// are short, so this dies at many different ones.
#[tokio::test(flavor = "multi_thread")]
async fn after_sigkill_while_starting() -> anyhow::Result<()> {
    for delay in (0..20).map(|step| Duration::from_millis(5 * step)) {
        let dir = tempfile::tempdir()?;
        let mut starter = starter(dir.path())?;
        eventually(DEADLINE, "the first process", || async {
            Ok((!processes_in(dir.path())?.is_empty()).then_some(()))
        })
        .await?;
        // Not a wait for something, but the variable of this test: when the starter dies.
        tokio::time::sleep(delay).await;
        signal(&starter, Signal::KILL)?;
        starter.wait()?;
        all_gone(dir.path()).await.with_context(|| format!("killed {delay:?} after the first process"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_test_that_panics() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().to_owned();
    let failed = tokio::spawn(async move {
        let fleet = Fleet::builder().member("nl-ams-1", ClusterOptions::member()).dir(&path).start().await;
        assert!(!processes_in(&path).unwrap().is_empty());
        // A stopped process must go as well as a running one.
        fleet.unwrap().member("nl-ams-1").unwrap().pause().await.unwrap();
        panic!("as a failed assertion does");
    })
    .await;
    assert!(failed.is_err_and(|error| error.is_panic()));
    // At once: dropping the fleet waits for the processes.
    assert_eq!(processes_in(dir.path())?, [""; 0]);
    Ok(())
}
