//! Who may know whom (ARCHITECTURE.md), read from cargo: what is decided must not depend on what is
//! observed, and the second opinion must not depend on the first.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail like tests")]

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use serde_json::Value;

/// What would let a pure crate see a cluster, a clock that ticks, a socket or chance.
const IMPURE: [&str; 17] = [
    "axum",
    "fastrand",
    "getrandom",
    "hyper",
    "hyper-util",
    "kube",
    "kube-client",
    "kube-runtime",
    "mio",
    "rand",
    "reqwest",
    "ring",
    "rustls",
    "socket2",
    "tokio",
    "tower",
    "tracing-subscriber",
];

/// All that a pure crate may name in its own Cargo.toml: the API, serde and time types.
const PURE: [&str; 6] = ["domicile-crds", "jiff", "k8s-openapi", "serde", "serde_json", "thiserror"];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn cargo(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(args).arg("--locked").current_dir(root()).output().unwrap();
    assert!(output.status.success(), "cargo {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Names of what `package` depends on, itself left out.
fn tree(package: &str, args: &[&str]) -> BTreeSet<String> {
    let text = cargo(&[&["tree", "-p", package, "--prefix", "none"], args].concat());
    let mut names: BTreeSet<_> =
        text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    assert!(names.remove(package), "cargo tree doesn't show {package} itself: {text}");
    names
}

fn everything(package: &str) -> BTreeSet<String> {
    tree(package, &["-e", "normal"])
}

fn packages() -> Vec<String> {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().map(|package| package["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_decided_sees_no_cluster() {
    for package in ["domicile-crds", "domicile-core", "domicile-check"] {
        let seen = everything(package);
        let impure: Vec<_> = IMPURE.iter().filter(|name| seen.contains(**name)).collect();
        assert!(impure.is_empty(), "{package} must stay pure, and depends on {impure:?}");
    }
    assert!(
        everything("domicile-operator").contains("tokio"),
        "the test would not see tokio if it were there"
    );
}

#[test]
fn core_and_check_name_only_types() {
    for package in ["domicile-core", "domicile-check"] {
        for name in tree(package, &["-e", "normal", "--depth", "1"]) {
            assert!(PURE.contains(&name.as_str()), "{package} may depend on {PURE:?}, not on {name}");
        }
    }
}

#[test]
fn the_second_opinion_never_sees_the_first() {
    assert!(!everything("domicile-check").contains("domicile-core"));
    assert!(!everything("domicile-core").contains("domicile-check"));
}

#[test]
fn nothing_depends_on_the_operator_but_the_tests() {
    for package in packages() {
        if package != "domicile-operator" && package != "domicile-e2e" {
            let direct = tree(&package, &["-e", "normal,build,dev", "--depth", "1"]);
            assert!(!direct.contains("domicile-operator"), "{package} depends on the operator");
        }
    }
}

#[test]
fn the_api_types_use_the_parts_of_kube_and_not_the_facade() {
    let direct = tree("domicile-crds", &["-e", "normal", "--depth", "1"]);
    assert!(direct.contains("kube-core") && direct.contains("kube-derive"));
    assert!(!direct.contains("kube"));
}

/// Clippy reads the first clippy.toml from a package upwards and doesn't merge it with those above, so
/// the pure crates' own must repeat what the workspace's says.
#[test]
fn the_pure_crates_lints_are_the_workspaces_and_more() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap_or_default();
    let settings = |text: &str| -> Vec<String> {
        let lines = text.lines().take_while(|line| !line.starts_with("disallowed-methods"));
        lines.filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned).collect()
    };
    let workspace = settings(&read("clippy.toml"));
    assert!(!workspace.is_empty());
    let core = read("operator/core/clippy.toml");
    assert_eq!(settings(&core), workspace, "operator/core/clippy.toml");
    assert_eq!(core, read("operator/check/clippy.toml"), "both pure crates are held to the same");
}
