//! Whole files in, whole outputs compared.

mod bods;
mod gleif;
mod removal;
mod schema;

use std::path::PathBuf;

use domicile_crds::{HostingProvider, yaml};

use super::*;

fn data(file: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/import")).join(file)
}

/// What comes out, as objects; each is one that the API takes.
fn providers(text: &str) -> Vec<HostingProvider> {
    let documents = yaml::documents(text).unwrap();
    for document in &documents {
        assert_eq!(schema::problems(document), Vec::<String>::new(), "{text}");
    }
    documents.into_iter().map(|document| serde_json::from_value(document).unwrap()).collect()
}

fn provider<'a>(providers: &'a [HostingProvider], name: &str) -> &'a HostingProvider {
    providers.iter().find(|provider| provider.metadata.name.as_deref() == Some(name)).unwrap()
}
