//! Processes that cannot outlive the one that started them.
//!
//! `Drop` runs when a test fails by a panic, but not on Ctrl-C, and never when the runner loses
//! patience and sends SIGKILL. Whatever is left then holds ports and memory until someone looks.
//! So the kernel does it: every process gets SIGKILL as its parent-death signal. Three things are
//! easy to get wrong, and are handled here:
//!
//! - The signal comes when the *thread* that started the process ends, and test threads end early.
//!   All processes are therefore started by one thread that lives as long as we do.
//! - We may die between `fork` and the moment when the child asks for the signal, which then never
//!   comes. The child asks first and then looks whether its parent is still us.
//! - Ctrl-C goes to the whole process group of a terminal, which would stop an API server before
//!   whoever uses it. So each process is the leader of a group of its own.

use std::fs::{self, File, OpenOptions};
use std::future::ready;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use rustix::process::{Pid, kill_process};

pub use rustix::process::Signal;

use super::wait::eventually;

/// Checks that the parent is still the process named first, then becomes the program named next.
const STILL_OURS: &str = r#"test "$PPID" -eq "$0" && exec "$@""#;

/// Lines of a log that go into an error: enough for a Go program's last words.
const LOG_TAIL: usize = 15;

/// What to start, and under which name it appears in errors.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Short name, such as `etcd`.
    pub name: String,
    /// The program's file.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables added to the environment.
    pub env: Vec<(String, String)>,
    /// File that receives stdout and stderr; appended to, so that a restart keeps the story.
    pub log: PathBuf,
}

/// A running process, killed when dropped.
#[derive(Debug)]
pub struct Process {
    spec: Spec,
    child: Child,
}

/// What one process has used up.
#[derive(Clone, Debug, PartialEq)]
pub struct Usage {
    /// CPU time in user and kernel mode since its start, in seconds.
    pub cpu_seconds: f64,
    /// Resident memory in bytes.
    pub rss_bytes: u64,
    /// The most resident memory that it had so far, in bytes.
    pub peak_rss_bytes: u64,
}

impl Process {
    /// Starts `spec`.
    ///
    /// # Errors
    ///
    /// When the program, `setpriv` or the log file can't be used.
    pub fn start(spec: &Spec) -> anyhow::Result<Self> {
        let Spec { name, program, args, env, log } = spec;
        if !program.is_file() {
            bail!("cannot start {name}: there is no program {}", program.display());
        }
        let out = open_log(log)?;
        let err = out.try_clone().context("cannot share a log file")?;
        let mut command = guarded(program);
        command
            .args(args)
            .envs(env.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err);
        let child = spawn(command).with_context(|| format!("cannot start {name}"))?;
        tracing::debug!(name, pid = child.id(), "process started");
        Ok(Self { spec: spec.clone(), child })
    }

    /// Its name, from the [`Spec`].
    #[must_use]
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, if it has ended.
    ///
    /// # Errors
    ///
    /// When the kernel can't tell, which for a child of ours should not happen.
    pub fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Sends `signal`.
    ///
    /// # Errors
    ///
    /// When the process has ended: its id may belong to someone else by now.
    pub fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        if let Some(status) = self.exited()? {
            return Err(self.exit_error(status));
        }
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).context("not a process id")?;
        kill_process(pid, signal).with_context(|| format!("cannot signal {} (pid {pid:?})", self.spec.name))
    }

    /// Sends SIGKILL and waits until it is gone. Does nothing if it already is.
    pub fn kill(&mut self) {
        // Both only fail when the process is already gone and waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end by SIGTERM and returns its status; kills it after `grace`.
    ///
    /// # Errors
    ///
    /// When it did not end within `grace`.
    pub async fn stop(mut self, grace: Duration) -> anyhow::Result<ExitStatus> {
        if self.exited()?.is_none() {
            self.signal(Signal::TERM)?;
        }
        let what = format!("{} to end after SIGTERM", self.spec.name);
        eventually(grace, &what, || ready(self.child.try_wait().map_err(Into::into))).await
    }

    /// The end of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        tail(&self.spec.log)
    }

    /// An error that says how it ended, what it said last, and how to start it by hand.
    pub(crate) fn exit_error(&self, status: ExitStatus) -> anyhow::Error {
        let Spec { name, program, args, log, .. } = &self.spec;
        let (log, program, args) = (log.display(), program.display(), args.join(" "));
        anyhow!(
            "{name} ended with {status}; the end of its log {log}:\n{}\nit was started as {program} {args}",
            self.log_tail()
        )
    }

    /// CPU time and memory so far.
    ///
    /// # Errors
    ///
    /// When it has ended or `/proc` can't be read.
    pub fn usage(&self) -> anyhow::Result<Usage> {
        usage_of(self.pid()).with_context(|| format!("cannot read what {} uses", self.spec.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a command that can't outlive us to its end, and returns what it printed.
pub(crate) async fn output(mut command: Command) -> anyhow::Result<Output> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = spawn(command)?;
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await??;
    Ok(output)
}

/// A command that runs `program` with the parent-death signal set. Add the program's arguments to it.
pub(crate) fn guarded(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--", "/bin/sh", "-c", STILL_OURS])
        .arg(std::process::id().to_string())
        .arg(program)
        .process_group(0);
    command
}

/// Starts `command` from the thread that lives as long as this process.
pub(crate) fn spawn(command: Command) -> anyhow::Result<Child> {
    type Job = (Command, Sender<io::Result<Child>>);
    static STARTER: LazyLock<Sender<Job>> = LazyLock::new(|| {
        let (jobs, inbox) = mpsc::channel::<Job>();
        thread::spawn(move || {
            for (mut command, answer) in inbox {
                // Nobody listens any more if the caller has gone; the child is then dropped below.
                if let Err(mpsc::SendError(Ok(mut orphan))) = answer.send(command.spawn()) {
                    let _ = orphan.kill();
                    let _ = orphan.wait();
                }
            }
        });
        jobs
    });
    let (answer, result) = mpsc::channel();
    STARTER.send((command, answer)).ok().context("the thread that starts processes has ended")?;
    let child = result.recv().context("the thread that starts processes has ended")?;
    child.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow!("setpriv not found: install util-linux"),
        _ => error.into(),
    })
}

/// The last lines of a log file, or why there are none.
pub(crate) fn tail(log: &Path) -> String {
    match fs::read(log) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<_> = text.lines().collect();
            lines.get(lines.len().saturating_sub(LOG_TAIL)..).unwrap_or_default().join("\n")
        }
        Err(error) => format!("(no log: {error})"),
    }
}

fn open_log(log: &Path) -> anyhow::Result<File> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("cannot open the log {}", log.display()))
}

fn usage_of(pid: u32) -> anyhow::Result<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the program's name in brackets and may hold spaces, so count from its end.
    let (_, fields) = stat.rsplit_once(") ").context("/proc/PID/stat has no program name")?;
    let mut times = fields.split(' ').skip(11).map(str::parse::<u32>);
    let (Some(Ok(user)), Some(Ok(kernel))) = (times.next(), times.next()) else {
        bail!("/proc/PID/stat has no CPU times");
    };
    let per_second = u32::try_from(rustix::param::clock_ticks_per_second())?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(Usage {
        cpu_seconds: (f64::from(user) + f64::from(kernel)) / f64::from(per_second),
        rss_bytes: kibibytes(&status, "VmRSS:")?,
        peak_rss_bytes: kibibytes(&status, "VmHWM:")?,
    })
}

fn kibibytes(status: &str, field: &str) -> anyhow::Result<u64> {
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .with_context(|| format!("no {field} in /proc/PID/status: the process has ended"))?;
    Ok(value.parse::<u64>()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_not_started_for_a_parent_that_has_died() {
        let folder = tempfile::tempdir().unwrap();
        let trace = folder.path().join("it-ran");
        let run = |parent: u32| {
            let script = ["-c", STILL_OURS, &parent.to_string(), "touch"].map(String::from);
            Command::new("/bin/sh").args(script).arg(&trace).status().unwrap();
            trace.exists()
        };
        // A process whose parent has died is given another one.
        assert!(!run(1));
        assert!(run(std::process::id()));
    }

    #[tokio::test]
    async fn a_process_is_asked_to_end_before_it_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let spec = Spec {
            name: String::from("sleeper"),
            program: PathBuf::from("/bin/sh"),
            args: ["-c", "trap 'echo asked; exit 3' TERM; while :; do sleep 0.1; done"]
                .map(String::from)
                .into(),
            env: Vec::new(),
            log: folder.path().join("logs/sleeper.log"),
        };
        let process = Process::start(&spec).unwrap();
        // The shell needs a moment to set its trap, and says nothing about it.
        eventually(Duration::from_secs(10), "the loop to run", || {
            let children = format!("/proc/{0}/task/{0}/children", process.pid());
            ready(Ok(fs::read_to_string(children).is_ok_and(|pids| !pids.is_empty()).then_some(())))
        })
        .await
        .unwrap();
        assert!(process.usage().unwrap().rss_bytes > 0);
        assert_eq!(process.stop(Duration::from_secs(10)).await.unwrap().code(), Some(3));
        assert_eq!(tail(&spec.log), "asked");
    }
}
