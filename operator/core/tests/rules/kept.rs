//! Objects as the operator writes them, kept in files beside the health check that is tried on them (e2e/tests/chart/health.rs).
#![allow(clippy::disallowed_methods, reason = "others read these files: no decision rests on them")]

use std::{fs, path::Path};

use domicile_crds::yaml;
use serde_json::Value;

const FOLDER: &str = "../../charts/domicile/argo-cd/domicile.dev/_/testdata";

/// Holds an object against the file `name`, or writes it there if `UPDATE` is set.
pub(crate) fn keep(name: &str, object: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER).join(format!("{name}.yaml"));
    let text = yaml::document(object);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, text, "{} isn't what is written: run this test with UPDATE=1", path.display());
}
