//! The engine, the images and kind itself: all from the scripts of `e2e/node-image`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};

use super::command::{docker, output};

/// Lets root install and start an engine although CI isn't `true`.
const INSTALL: &str = "DOMICILE_E2E_INSTALL";

/// There is no Docker engine and none may be started: what `engine up` says about it.
#[derive(Debug)]
pub struct NoEngine(pub String);

impl std::fmt::Display for NoEngine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.0.trim())
    }
}

impl std::error::Error for NoEngine {}

/// A Docker engine that answers. One that was started for us ends when this is dropped.
#[derive(Debug)]
pub struct Engine {
    started: bool,
}

/// Whether a Docker engine answers. Starts none.
pub async fn engine_answers() -> bool {
    let asked = output("docker", &["version", "--format", "{{.Server.Version}}"]).await;
    asked.is_ok_and(|asked| asked.status.success())
}

/// What `e2e/node-image/image` brings.
#[derive(Debug)]
pub(super) struct Images {
    pub(super) node: String,
    pub(super) config: String,
    pub(super) kind: PathBuf,
    /// The application of tests: its name, and where it is.
    pub(super) app: String,
    pub(super) app_archive: PathBuf,
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("node-image").join(name)
}

fn options() -> &'static [&'static str] {
    let wanted = std::env::var_os(INSTALL).is_some_and(|value| value == "1");
    if wanted { &["--install"] } else { &[] }
}

impl Engine {
    /// The engine that answers, or one that is started, where that is allowed.
    ///
    /// # Errors
    ///
    /// [`NoEngine`].
    pub async fn up() -> anyhow::Result<Self> {
        let engine = script("engine");
        let started = !output(&engine, &["status"]).await?.status.success();
        let up = output(&engine, &[&["up"], options()].concat()).await?;
        let words = String::from_utf8_lossy(&up.stderr).into_owned();
        ensure!(up.status.success(), NoEngine(words));
        Ok(Self { started })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if !self.started {
            return;
        }
        // Somebody else may have come to use it meanwhile.
        let others = Command::new("docker").args(["ps", "--quiet"]).output();
        if others.is_ok_and(|others| others.stdout.is_empty()) {
            let down = Command::new(script("engine")).arg("down").output();
            if let Ok(down) = down.as_ref().inspect_err(|error| tracing::warn!(%error, "the engine stays"))
                && !down.status.success()
            {
                tracing::warn!(words = %String::from_utf8_lossy(&down.stderr), "the engine stays");
            }
        } else {
            tracing::warn!(
                "the engine stays, since it has containers that aren't ours: see e2e/node-image/engine"
            );
        }
    }
}

impl Images {
    /// Builds what isn't there yet, which takes some 20 minutes the first time, with progress on stderr.
    pub(super) async fn ensure() -> anyhow::Result<Self> {
        // Progress is for whoever waits.
        let image = tokio::process::Command::new(script("image"))
            .args(options())
            .stderr(std::process::Stdio::inherit())
            .output();
        let image = image.await.context("cannot run e2e/node-image/image")?;
        ensure!(image.status.success(), "e2e/node-image/image failed: {}", image.status);
        Self::parse(&String::from_utf8(image.stdout)?)
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let names: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
        let name = |key: &str| {
            let value = names.get(key).copied().map(str::to_owned);
            value.with_context(|| format!("e2e/node-image/image doesn't name {key}: {text}"))
        };
        Ok(Self {
            node: name("NODE_IMAGE")?,
            config: name("KIND_CONFIG")?,
            kind: name("KIND")?.into(),
            app: name("APP_IMAGE")?,
            app_archive: name("APP_ARCHIVE")?.into(),
        })
    }
}

/// Memory and CPU of containers, one a line.
pub(super) async fn usage(containers: &[&str]) -> anyhow::Result<String> {
    let stats = ["stats", "--no-stream", "--format", "{{.Name}}  {{.MemUsage}}  {{.CPUPerc}}"];
    docker(&[&stats[..], containers].concat()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_script_prints_is_understood() {
        let text = "NODE_IMAGE=a:1\nKIND_CONFIG=/k.yaml\nKIND=/kind\nAPP_IMAGE=localhost/app:1\nAPP_ARCHIVE=/app.tar\n";
        let images = Images::parse(text).unwrap();
        assert_eq!((images.node.as_str(), images.app.as_str()), ("a:1", "localhost/app:1"));
        assert!(Images::parse("NODE_IMAGE=a").unwrap_err().to_string().contains("doesn't name KIND_CONFIG"));
    }
}
