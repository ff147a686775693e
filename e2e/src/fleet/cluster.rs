//! One running cluster, and what can be done to it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use http::Request;
use kube::Client;
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;

use super::access::Access;
use super::binaries::{Binaries, Program};
use super::faulty::FaultyServer;
use super::kubeconfig;
use super::options::ClusterOptions;
use super::pki::Pki;
use super::ports::Port;
use super::process::{Process, Signal, Spec, Usage};
use super::wait::eventually;
use super::{start, state};

/// A control plane on this machine, stopped when dropped.
pub struct Cluster {
    pub(crate) access: Access,
    pub(crate) binaries: Arc<Binaries>,
    pub(crate) pki: Pki,
    pub(crate) endpoint: String,
    pub(crate) etcd: Spec,
    pub(crate) apiserver: Spec,
    /// What runs once the API server is ready.
    pub(crate) others: Vec<(Program, Spec)>,
    pub(crate) processes: Mutex<BTreeMap<Program, Process>>,
    pub(crate) _ports: Vec<Port>,
}

impl Cluster {
    /// Starts a cluster and waits until it can be used: the API server is ready, the namespace
    /// `default` has its service account, and nodes are Ready. Its files go into `dir`.
    ///
    /// [`super::Fleet`] does this for several at once and finds the binaries and the folder.
    ///
    /// # Errors
    ///
    /// When a process ends (the message has the end of its log) or the cluster isn't ready in time.
    pub async fn start(
        name: &str,
        options: &ClusterOptions,
        dir: &Path,
        binaries: &Arc<Binaries>,
    ) -> anyhow::Result<Self> {
        start::start(name, options, dir, binaries)
            .await
            .with_context(|| format!("cannot start cluster {name}"))
    }

    /// The URL of its API server.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The programs that it runs.
    #[must_use]
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The kubeconfig of any user in any groups, by a client certificate. It grants nothing: RBAC does.
    ///
    /// # Errors
    ///
    /// When the file can't be written.
    pub fn kubeconfig_for(&self, user: &str, groups: &[&str]) -> anyhow::Result<PathBuf> {
        let text = self.kubeconfig_text(user, groups)?;
        // Users may hold slashes and colons, and the same user may be asked for with other groups.
        let digest = Sha256::digest(format!("{user}\n{}", groups.join("\n")));
        let suffix = state::short_hex(&digest);
        let readable: String =
            user.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
        let path = self.dir().join("kubeconfigs").join(format!("{readable}-{suffix}.yaml"));
        kubeconfig::write(&path, &text)?;
        Ok(path)
    }

    /// A client as any user in any groups.
    ///
    /// # Errors
    ///
    /// When no certificate can be made.
    pub async fn client_for(&self, user: &str, groups: &[&str]) -> anyhow::Result<Client> {
        kubeconfig::client(&self.kubeconfig_text(user, groups)?).await
    }

    fn kubeconfig_text(&self, user: &str, groups: &[&str]) -> anyhow::Result<String> {
        Ok(kubeconfig::text(self.name(), &self.endpoint, &self.pki, &self.pki.client(user, groups)?))
    }

    /// CPU time and memory of each of its running processes. A restarted one counts from zero.
    ///
    /// # Errors
    ///
    /// When a process has ended by itself.
    pub fn usage(&self) -> anyhow::Result<BTreeMap<Program, Usage>> {
        self.running().iter().map(|(program, process)| Ok((*program, process.usage()?))).collect()
    }

    /// The ids of its running processes.
    #[must_use]
    pub fn pids(&self) -> BTreeMap<Program, u32> {
        self.running().iter().map(|(program, process)| (*program, process.pid())).collect()
    }

    /// The process id of its API server; `None` while it is killed.
    #[must_use]
    pub fn apiserver_pid(&self) -> Option<u32> {
        self.pids().remove(&Program::Apiserver)
    }

    /// Makes the API server hang: connections are accepted by the kernel, and nobody answers.
    ///
    /// # Errors
    ///
    /// When it isn't running.
    pub async fn pause(&self) -> anyhow::Result<()> {
        self.signal(Program::Apiserver, Signal::STOP)?;
        let pid = self.apiserver_pid().context("it isn't running")?;
        // Each thread stops when it is next looked at, and may answer before.
        eventually(start::DEADLINE, "all threads to stop", || async { Ok(all_stopped(pid)?.then_some(())) })
            .await
    }

    /// Ends [`Cluster::pause`].
    ///
    /// # Errors
    ///
    /// When it isn't running.
    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal(Program::Apiserver, Signal::CONT)
    }

    /// Kills the API server: connections are refused. The data stay, and so does the port.
    pub fn kill_apiserver(&self) {
        // Dropping a process kills it.
        let apiserver = self.running().remove(&Program::Apiserver);
        drop(apiserver);
    }

    /// Puts a server in the place of the killed API server that answers 500 to everything, until it is dropped.
    ///
    /// # Errors
    ///
    /// When the API server still runs.
    pub fn answer_with_errors(&self) -> anyhow::Result<FaultyServer> {
        let address = self.endpoint.trim_start_matches("https://").parse()?;
        FaultyServer::start(address, &self.dir().join("pki"))
    }

    /// Starts the API server again, on the same port with the same data, and waits until it is
    /// ready. Kills it first if it runs. Then its controller manager is started anew: in a real cluster it has ended by then, since it
    /// couldn't renew its lease, and one that has waited for its API server for a minute asks for it only once a minute.
    ///
    /// # Errors
    ///
    /// When it doesn't start.
    pub async fn restart_apiserver(&self) -> anyhow::Result<()> {
        self.kill_apiserver();
        self.launch(Program::Apiserver, &self.apiserver)?;
        self.wait_ready(start::DEADLINE).await?;
        let is_manager = |(program, _): &&(Program, Spec)| *program == Program::ControllerManager;
        self.others.iter().filter(is_manager).try_for_each(|(program, spec)| {
            let before = self.running().remove(program);
            drop(before);
            self.launch(*program, spec)
        })
    }

    /// Keeps a copy of all its data for [`Cluster::restore`]. Its API server is away meanwhile.
    ///
    /// # Errors
    ///
    /// When the data can't be copied, or it doesn't start again.
    pub async fn back_up(&self) -> anyhow::Result<()> {
        self.stop();
        self.copy_data("etcd", "backup")?;
        self.start_again().await
    }

    /// Has it as it was when it was [backed up](Cluster::back_up), with the uids and resource versions of then.
    ///
    /// # Errors
    ///
    /// When there is no backup, or it doesn't start again.
    pub async fn restore(&self) -> anyhow::Result<()> {
        self.stop();
        self.copy_data("backup", "etcd")?;
        self.start_again().await
    }

    fn copy_data(&self, from: &str, to: &str) -> anyhow::Result<()> {
        let (from, to) = (self.dir().join(from), self.dir().join(to));
        if to.exists() {
            fs::remove_dir_all(&to).with_context(|| format!("cannot remove {}", to.display()))?;
        }
        copy_folder(&from, &to).with_context(|| format!("cannot copy {}", from.display()))
    }

    async fn start_again(&self) -> anyhow::Result<()> {
        self.launch(Program::Etcd, &self.etcd)?;
        self.launch(Program::Apiserver, &self.apiserver)?;
        self.wait_ready(start::DEADLINE).await?;
        self.others.iter().try_for_each(|(program, spec)| self.launch(*program, spec))
    }

    /// Waits until the API server says that it is ready.
    ///
    /// # Errors
    ///
    /// After `deadline`, or as soon as a process has ended.
    pub async fn wait_ready(&self, deadline: Duration) -> anyhow::Result<()> {
        let what = format!("the API server of {} to be ready", self.name());
        let address = self.endpoint.trim_start_matches("https://");
        let ready = eventually(deadline, &what, || async {
            // First without the client, which logs a refused connection as an error.
            drop(TcpStream::connect(address).await?);
            let request = Request::get("/readyz").body(Vec::new())?;
            Ok(Some(self.client().request_text(request).await?))
        });
        self.while_running(ready).await?;
        Ok(())
    }

    /// Stops all processes. They are killed, since nobody needs a clean end of throwaway data.
    pub fn stop(&self) {
        let mut running = std::mem::take(&mut *self.running());
        for process in running.values_mut() {
            // All at once, before each is waited for on drop. Fails only for those that ended already.
            let _ = process.signal(Signal::KILL);
        }
    }

    /// What `work` returns, or an error as soon as one of the processes ends.
    pub(crate) async fn while_running<T>(
        &self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let watch = async {
            let mut look = tokio::time::interval(Duration::from_millis(50));
            loop {
                look.tick().await;
                for process in self.running().values_mut() {
                    if let Some(status) = process.exited()? {
                        return Err(process.exit_error(status));
                    }
                }
            }
        };
        tokio::select! {
            result = work => result,
            ended = watch => ended,
        }
    }

    pub(crate) fn launch(&self, program: Program, spec: &Spec) -> anyhow::Result<()> {
        let process = Process::start(spec)?;
        self.running().insert(program, process);
        Ok(())
    }

    fn signal(&self, program: Program, signal: Signal) -> anyhow::Result<()> {
        match self.running().get_mut(&program) {
            Some(process) => process.signal(signal),
            None => bail!("{} of {} is not running", program.file_name(), self.name()),
        }
    }

    /// A panic in another thread leaves the table as it was: no entry is ever half made.
    fn running(&self) -> MutexGuard<'_, BTreeMap<Program, Process>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether every thread of a process is stopped (proc_pid_stat(5): the state follows the name, which is in parentheses).
fn all_stopped(pid: u32) -> anyhow::Result<bool> {
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let stat = fs::read_to_string(task?.path().join("stat"))?;
        if !stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), &to)?;
        }
    }
    Ok(())
}

impl Deref for Cluster {
    type Target = Access;

    fn deref(&self) -> &Access {
        &self.access
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Cluster")
            .field("name", &self.name())
            .field("endpoint", &self.endpoint)
            .field("pids", &self.pids())
            .finish_non_exhaustive()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}
