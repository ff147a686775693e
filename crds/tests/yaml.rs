//! The YAML under `crds/yaml` is what the types say. `UPDATE=1 cargo test -p domicile-crds` writes it.

use std::{fs, path::Path};

use domicile_crds::{definitions, yaml};

#[test]
fn yaml_is_generated_from_the_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("yaml");
    let mut wanted = Vec::new();
    for definition in definitions() {
        let file = format!("{}.yaml", definition.spec.names.plural);
        let text = yaml::to_string(&definition).unwrap();
        if std::env::var_os("UPDATE").is_some() {
            fs::write(folder.join(&file), &text).unwrap();
        }
        let found = fs::read_to_string(folder.join(&file)).unwrap_or_default();
        assert_eq!(found, text, "crds/yaml/{file} is out of date: run `make generate`");
        wanted.push(file);
    }
    let mut found: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted, "crds/yaml has a file that no type generates");
}
