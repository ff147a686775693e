//! What the story is acted out on: real clusters where a Docker engine answers, else API servers alone.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::{
    fleet::{self, Access, ClusterOptions},
    kind,
    stage::Stage,
    world::World,
};

/// What to act it out on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum On {
    /// Kind if a Docker engine answers, else local.
    Auto,
    /// API servers on this machine; nodes and pods are played.
    Local,
    /// Real clusters, by kind.
    Kind,
}

/// The clusters of a story.
#[derive(Debug)]
pub enum Ground {
    /// API servers alone.
    Local(fleet::Fleet),
    /// Real nodes and pods.
    Kind(kind::Fleet),
}

impl On {
    /// The same once it is known whether an engine answers.
    pub(super) async fn decided(self) -> Self {
        match self {
            Self::Auto if kind::engine_answers().await => Self::Kind,
            Self::Auto => Self::Local,
            other => other,
        }
    }

    /// What is said before it begins.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Kind => {
                "A hub and four member clusters start by kind, since a Docker engine answers, with real nodes and pods; this takes\n  some \
                 minutes. FLEET=local acts it out on API servers alone, in less."
            }
            Self::Local | Self::Auto => {
                "A hub and four member clusters start on this machine, as API servers whose nodes are played; this takes some 20 s. Where\n  a Docker \
                 engine answers, real ones do."
            }
        }
    }
}

impl Ground {
    /// Starts the clusters and sets Domicile up on the hub.
    pub(super) async fn set(on: On, members: &[&str]) -> anyhow::Result<Stage<Self>> {
        if on != On::Kind {
            let members: Vec<_> = members.iter().map(|name| (*name, Stage::member_options(name))).collect();
            let (fleet, world) = Stage::started(ClusterOptions::hub(), &members).await?;
            return Stage::on(Self::Local(fleet), world).await;
        }
        let fleet = kind::Fleet::create(members).await?;
        fleet.load_app().await?;
        let log = fleet.dir().join("operator.log");
        let members: Vec<Access> = fleet.members().map(|it| Access::clone(it).from_here()).collect();
        let world = World::new(Access::clone(fleet.hub()?).from_here(), members, log);
        Stage::on(Self::Kind(fleet), world).await
    }

    /// The kubeconfig of somebody on the hub.
    pub(super) async fn kubeconfig_for(&self, user: &str) -> anyhow::Result<PathBuf> {
        match self {
            Self::Local(fleet) => fleet.hub()?.kubeconfig_for(user, &[]),
            Self::Kind(fleet) => fleet.hub()?.kubeconfig_for(user, &[]).await,
        }
    }

    /// A file of the story as this ground can carry it: with an image that is on real nodes, so that nothing has to be pulled, and
    /// with small requests, since five of them share this machine.
    pub(super) fn fitted(&self, text: &str) -> String {
        let Self::Kind(fleet) = self else { return text.to_owned() };
        let image = format!("image: {}", fleet.app());
        let changes = [
            ("image: nginx:1.29", image.as_str()),
            ("image: busybox:1.37", image.as_str()),
            ("cpu: 100m", "cpu: 10m"),
            ("cpu: 50m", "cpu: 10m"),
        ];
        changes.into_iter().fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
    }

    /// What is said at the end.
    pub(super) fn what_was_real(&self) -> &'static str {
        match self {
            Self::Local(_) => {
                "The API servers, their\n  controllers and the operator are real; nodes and pods are played by kwok, so that nothing was\n  \
                 computed and no data moved."
            }
            Self::Kind(_) => "The clusters,\n  their pods and the operator are real.",
        }
    }
}
