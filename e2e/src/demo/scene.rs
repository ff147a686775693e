//! What the steps are acted out on: the fleet, the picture of it, and the screen.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{anyhow, bail};
use domicile_crds::{TenantName, yaml};
use futures::future::try_join_all;
use kubectl_domicile::member::{Impersonation, admission};
use serde_json::json;
use tokio::time::timeout;

use super::{
    check::runs_once,
    ground::{Ground, On},
    picture::Picture,
    screen::{Line, Screen, Tone},
    steps::{self, TENANTS},
    table::{CLUSTERS, table},
    watches::Watches,
};
use crate::stage::Stage;

/// How often a live picture is drawn although nothing has changed: it has a clock in it.
const REDRAW: Duration = Duration::from_millis(500);

/// What was seen on a fleet that may still run.
#[derive(Debug)]
pub struct Ending {
    /// Whether each step came true.
    pub outcome: anyhow::Result<()>,
    /// Everything stops when this is dropped.
    pub stage: Stage<Ground>,
}

/// Acts out the story. With `keep`, says at the end how to look around.
///
/// # Errors
///
/// If the fleet doesn't start. What didn't come true is in the [`Ending`].
pub async fn run(screen: Screen, on: On, keep: bool) -> anyhow::Result<Ending> {
    let mut scene = Scene::set(screen, on).await?;
    let outcome = match steps::all(&mut scene).await {
        Ok(()) => scene.close(),
        Err(error) => {
            Err(anyhow!("{} did not come true: {error:#}\n\n{}", scene.step, scene.stage.log_tail()))
        }
    };
    if keep {
        scene.say_how_to_look_around()?;
    }
    Ok(Ending { outcome, stage: scene.stage })
}

/// Who applies a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Whoever runs the platform.
    Engineer,
    /// Whoever answers for compliance: a user of its own, who may write Decisions and nothing else.
    Compliance,
}

/// The story's stage with everything around it.
pub(super) struct Scene {
    pub stage: Stage<Ground>,
    watches: Watches,
    screen: Screen,
    compliance: PathBuf,
    /// The step that is acted out.
    step: String,
    /// How much of the news was told.
    told: usize,
    /// How many of the doubts were resolved.
    asked: usize,
    /// A member whose settling is counted down under the picture.
    settling: Option<&'static str>,
    /// What was seen, for the end.
    pub seen: Vec<String>,
    begin: Instant,
}

impl Scene {
    /// Starts the fleet, sets Domicile up on it, applies the facts, and joins the members.
    async fn set(mut screen: Screen, on: On) -> anyhow::Result<Self> {
        let begin = Instant::now();
        screen.say(Tone::Strong, "Setting the stage")?;
        let on = on.decided().await;
        screen.say(Tone::Plain, &format!("  {}", on.words()))?;
        let stage = Ground::set(on, &CLUSTERS).await?;
        screen.event(
            Instant::now(),
            Tone::Good,
            "five API servers are up; Domicile's definitions are on the hub",
        )?;
        let compliance = stage.fleet.kubeconfig_for("compliance").await?;
        stage.apply(&compliance_decides().to_string()).await?;
        let watches = Watches::begin(&stage);
        let step = "Setting the stage".to_owned();
        let seen = Vec::new();
        let mut scene =
            Self { stage, watches, screen, compliance, step, told: 0, asked: 0, settling: None, seen, begin };
        scene.apply(Who::Engineer, "00-installation.yaml", "where the hub stands").await?;
        scene
            .apply(Who::Engineer, "01-providers.yaml", "who owns and operates machines; none is approved")
            .await?;
        scene.apply(Who::Engineer, "02-sites.yaml", "where the machines stand").await?;
        try_join_all(CLUSTERS.map(|name| join(&scene.stage, name))).await?;
        scene
            .apply(Who::Engineer, "03-clusters.yaml", "the clusters there, each admits all five tenants")
            .await?;
        scene.stage.start_operator()?;
        scene
            .until(60, "all four members Ready", |picture| {
                let missing = CLUSTERS.iter().find(|name| picture.ready_since(name).is_none());
                missing.map_or(Ok(()), |name| Err(format!("{name} isn't Ready")))
            })
            .await?;
        scene.event(Tone::Good, "the operator runs, and all four members are Ready")?;
        Ok(scene)
    }

    /// Begins a step.
    pub(super) fn open(&mut self, step: &str) -> anyhow::Result<()> {
        step.clone_into(&mut self.step);
        self.screen.print(&[Vec::new(), vec![(Tone::Strong, step.to_owned())]])?;
        Ok(())
    }

    /// Says something about the step.
    pub(super) fn say(&mut self, text: &str) -> anyhow::Result<()> {
        Ok(self.screen.say(Tone::Plain, &format!("  {text}"))?)
    }

    /// Says that something has come true.
    pub(super) fn event(&mut self, tone: Tone, text: &str) -> anyhow::Result<()> {
        Ok(self.screen.event(Instant::now(), tone, text)?)
    }

    /// Ends a step with the picture as it is now.
    pub(super) fn leave(&mut self) -> anyhow::Result<()> {
        self.refresh()?;
        let lines = table(&self.watches.now());
        Ok(self.screen.print(&lines)?)
    }

    /// Shows what a file would bring about, before anybody applies it. Answers the plan.
    pub(super) async fn plan(&mut self, file: &str) -> anyhow::Result<String> {
        let path = crate::stage::root().join("examples/benelux").join(file).display().to_string();
        self.say(&format!("kubectl domicile plan -f {file}"))?;
        // Where the file is kept says nothing about the plan.
        let plan = self.domicile(&["plan", "-f", &path]).await?.replace(&path, file);
        for line in plan.lines().skip(1).filter(|line| !line.is_empty()) {
            self.screen.say(Tone::Faint, &format!("    {line}"))?;
        }
        Ok(plan)
    }

    /// Asks the plugin something about the hub. Answers what it prints.
    pub(super) async fn domicile(&self, args: &[&str]) -> anyhow::Result<String> {
        let mut command = tokio::process::Command::new(crate::stage::binary("kubectl-domicile")?);
        command.args(args).arg("--kubeconfig").arg(self.stage.hub().kubeconfig_path());
        let output = command.env("NO_COLOR", "1").output().await?;
        // A plan's 2 is that something would happen.
        if ![Some(0), Some(2)].contains(&output.status.code()) {
            bail!(
                "`kubectl domicile {}` failed: {}",
                args.join(" "),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Applies a file of the story. Answers when that was.
    pub(super) async fn apply(&mut self, who: Who, file: &str, why: &str) -> anyhow::Result<Instant> {
        let as_whom = if who == Who::Compliance { " (as compliance)" } else { "" };
        self.screen.print(&[vec![
            (Tone::Plain, "  apply ".to_owned()),
            (Tone::Strong, file.to_owned()),
            (Tone::Plain, format!("{as_whom}: {why}")),
        ]])?;
        let begin = Instant::now();
        let text = std::fs::read_to_string(crate::stage::root().join("examples/benelux").join(file))?;
        let text = self.stage.fleet.fitted(&text);
        let command = self.stage.hub().kubectl(["apply", "-f", "-"]).stdin(text);
        let command = match who {
            Who::Engineer => command.args(["--server-side"]),
            // A server-side apply is a patch, which Decisions are not: they are made, and stay.
            Who::Compliance => command.kubeconfig(&self.compliance),
        };
        command.text().await?;
        Ok(begin)
    }

    /// Runs kubectl on the hub, and shows it.
    pub(super) async fn kubectl(&mut self, args: &[&str]) -> anyhow::Result<Instant> {
        self.screen.say(Tone::Plain, &format!("  kubectl {}", args.join(" ")))?;
        let begin = Instant::now();
        self.stage.hub().kubectl(args.iter().copied()).text().await?;
        Ok(begin)
    }

    /// Counts down under the picture until what only prefers a member may move there. Says so once where nothing
    /// is drawn.
    pub(super) fn count_down(&mut self, cluster: &'static str) -> anyhow::Result<()> {
        self.settling = Some(cluster);
        let words = settling(&self.watches.now(), cluster);
        match words.filter(|_| !self.screen.is_live()) {
            Some(words) => self.event(Tone::Waiting, &words),
            None => Ok(()),
        }
    }

    /// The picture as it is now.
    pub(super) fn picture(&self) -> tokio::sync::watch::Ref<'_, Picture> {
        self.watches.now()
    }

    /// Waits until `looks_right` finds nothing missing any more.
    pub(super) async fn until(
        &mut self,
        seconds: u64,
        wanted: &str,
        looks_right: impl Fn(&Picture) -> Result<(), String>,
    ) -> anyhow::Result<()> {
        let begin = Instant::now();
        loop {
            self.look().await?;
            let Err(found) = looks_right(&self.watches.now()) else { return Ok(()) };
            tracing::debug!(%found, "waits");
            if begin.elapsed() > Duration::from_secs(seconds) {
                bail!("wanted: {wanted}; found after {seconds} s: {found}");
            }
            if let Ok(ended) = timeout(REDRAW, self.watches.changed()).await {
                ended?;
            }
        }
    }

    /// Makes sure that for some seconds nothing is found wrong.
    pub(super) async fn stays(
        &mut self,
        seconds: u64,
        wanted: &str,
        looks_right: impl Fn(&Picture) -> Result<(), String>,
    ) -> anyhow::Result<()> {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(seconds) {
            self.look().await?;
            if let Err(found) = looks_right(&self.watches.now()) {
                bail!("wanted for {seconds} s: {wanted}; found: {found}");
            }
            if let Ok(ended) = timeout(REDRAW, self.watches.changed()).await {
                ended?;
            }
        }
        Ok(())
    }

    /// Shows what is new, and asks the members where the picture leaves a doubt.
    async fn look(&mut self) -> anyhow::Result<()> {
        self.refresh()?;
        let doubts: Vec<_> = self.watches.now().doubts.iter().skip(self.asked).cloned().collect();
        for key in &doubts {
            runs_once(&self.stage, key).await?;
        }
        self.asked += doubts.len();
        Ok(())
    }

    /// Tells the news, draws the picture, and fails if a promise was broken.
    fn refresh(&mut self) -> anyhow::Result<()> {
        let picture = self.watches.now();
        for news in picture.news.iter().skip(self.told) {
            self.screen.event(news.at, news.tone, &news.text)?;
        }
        self.told = picture.news.len();
        if self.screen.is_live() && !picture.workloads.is_empty() {
            let mut lines = table(&picture);
            if let Some(words) = self.settling.and_then(|name| settling(&picture, name)) {
                lines.extend([Line::new(), vec![(Tone::Waiting, format!("  {words}"))]]);
            }
            self.screen.draw(&lines)?;
        }
        match picture.broken.first() {
            Some(broken) => bail!("at no instant was this to be seen: {broken}"),
            None => Ok(()),
        }
    }

    /// Sums up.
    fn close(&mut self) -> anyhow::Result<()> {
        self.screen.print(&[Vec::new(), vec![(Tone::Strong, "What you just saw".to_owned())]])?;
        for line in std::mem::take(&mut self.seen) {
            self.screen.say(Tone::Plain, &format!("  - {line}"))?;
        }
        let seconds = self.begin.elapsed().as_secs_f32();
        self.screen.say(
            Tone::Plain,
            &format!(
                "  Every step came true, {seconds:.0} s after the first API server was started. {}\n  \
                 Workloads with volumes are placed, and not moved yet.",
                self.stage.fleet.what_was_real()
            ),
        )?;
        Ok(())
    }

    fn say_how_to_look_around(&mut self) -> anyhow::Result<()> {
        let hub = self.stage.hub();
        let mut lines = vec![
            String::new(),
            "The fleet keeps running until Ctrl-C. To look around, in another terminal:".to_owned(),
            String::new(),
            format!("  alias k={}", hub.kubectl_path().display()),
            format!("  export KUBECONFIG={}", hub.kubeconfig_path().display()),
            "  k get tenantworkloads.domicile.dev -A       # where everything runs".to_owned(),
            "  k -n claims describe tw intake              # why it is stuck".to_owned(),
            "  k get decisions.domicile.dev                # what was decided, and still is on record"
                .to_owned(),
            "  k get relocations.domicile.dev; k get migrations.domicile.dev -A".to_owned(),
            String::new(),
            "The members, as their owners see them:".to_owned(),
            String::new(),
        ];
        for member in self.stage.members() {
            let path = member.kubeconfig_path();
            lines.push(format!("  k --kubeconfig {} get deployments,cronjobs -A", path.display()));
        }
        lines.push(String::new());
        lines.push(format!("The operator's log: {}", self.stage.operator_log().display()));
        for line in lines {
            self.screen.say(Tone::Plain, &line)?;
        }
        Ok(())
    }
}

/// Gives the user `compliance` its role.
fn compliance_decides() -> serde_json::Value {
    let rbac = "rbac.authorization.k8s.io";
    json!({
        "apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "compliance"},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "domicile:compliance-officer"},
        "subjects": [{"apiGroup": rbac, "kind": "User", "name": "compliance"}],
    })
}

/// Does to a member what `kubectl domicile join` and `admit` do. All tenants are admitted everywhere, so that
/// only policies and decisions keep them apart.
async fn join(stage: &Stage<Ground>, name: &str) -> anyhow::Result<()> {
    stage.prepare(name, &[]).await?;
    let mut text = String::new();
    for tenant in TENANTS {
        for object in admission(&TenantName::new(tenant)?, Impersonation::Constrained) {
            text.push_str("---\n");
            text.push_str(&yaml::to_string(&object)?);
        }
    }
    stage.member(name)?.kubectl(["apply", "--server-side", "-f", "-"]).stdin(text).text().await?;
    Ok(())
}

/// How long a member must still be Ready before anything moves there by preference.
fn settling(picture: &Picture, cluster: &str) -> Option<String> {
    let since = picture.ready_since(cluster)?;
    let seconds = jiff::Timestamp::now().duration_since(since).as_secs();
    (seconds < 60).then(|| {
        format!("{cluster} has been Ready for {seconds} s; what only prefers it moves there after 60 s")
    })
}
