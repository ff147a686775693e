//! Certificates of one cluster.
//!
//! Each cluster has its own authority, as clusters of different owners do: a client of one is a
//! stranger to the next, and a test that mixes them up fails. Client certificates rather than a
//! token file, since they let a test be any user in any groups at any time.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::iter;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, PublicKeyData, SigningKey,
};
use yasna::models::ObjectIdentifier;
use yasna::tags::TAG_UTCTIME;
use yasna::{DERWriter, Tag};

/// X.509 counts its versions from zero.
const VERSION_3: u8 = 2;

/// A certificate and its key, as PEM.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// The authority of a cluster.
#[derive(Debug)]
pub(crate) struct Pki {
    folder: PathBuf,
    cluster: String,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Pki {
    /// Makes an authority, the API server's certificate and the key that signs service account
    /// tokens, and writes them into `folder`.
    pub(crate) fn create(folder: &Path, cluster: &str) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(&authority_name(cluster));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pki = Self {
            folder: folder.to_owned(),
            cluster: cluster.to_owned(),
            authority: CertifiedIssuer::self_signed(params, KeyPair::generate()?)?,
        };
        let serving = pki.serving()?;
        pki.write("ca.crt", &pki.authority.pem())?;
        pki.write("apiserver.crt", &serving.certificate)?;
        pki.write("apiserver.key", &serving.key)?;
        let accounts = KeyPair::generate()?;
        pki.write("service-accounts.key", &accounts.serialize_pem())?;
        pki.write("service-accounts.pub", &accounts.public_key_pem())?;
        Ok(pki)
    }

    /// The path of one of the files, as an argument.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The authority's certificate, as PEM.
    pub(crate) fn authority(&self) -> String {
        self.authority.pem()
    }

    /// A certificate by which its holder is `user`, a member of `groups`.
    ///
    /// Kubernetes reads the user from the common name and each group from an organisation. rcgen
    /// keeps only one value of an attribute, so this certificate is written out here.
    pub(crate) fn client(&self, user: &str, groups: &[&str]) -> anyhow::Result<Identity> {
        let key = KeyPair::generate()?;
        let body = yasna::construct_der(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_tagged(Tag::context(0), |writer| writer.write_u8(VERSION_3));
                writer.next().write_u64(RandomState::new().hash_one(user) >> 1);
                write_algorithm(writer.next());
                write_name(writer.next(), &authority_name(&self.cluster), &[]);
                write_validity(writer.next());
                write_name(writer.next(), user, groups);
                writer.next().write_der(&key.subject_public_key_info());
            });
        });
        let signature = self.authority.key().sign(&body)?;
        let certificate = yasna::construct_der(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_der(&body);
                write_algorithm(writer.next());
                writer.next().write_bitvec_bytes(&signature, signature.len() * 8);
            });
        });
        let certificate = pem::encode(&pem::Pem::new("CERTIFICATE", certificate));
        Ok(Identity { certificate, key: key.serialize_pem() })
    }

    fn serving(&self) -> anyhow::Result<Identity> {
        let names = ["127.0.0.1", "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
        let mut params = CertificateParams::new(names.map(String::from))?;
        params.distinguished_name = common_name("kube-apiserver");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.authority)?.pem();
        Ok(Identity { certificate, key: key.serialize_pem() })
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

fn authority_name(cluster: &str) -> String {
    format!("{cluster} authority")
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// What [`KeyPair::generate`] signs with: ECDSA with SHA-256.
fn write_algorithm(writer: DERWriter<'_>) {
    let ecdsa_with_sha256 = ObjectIdentifier::from_slice(&[1, 2, 840, 10045, 4, 3, 2]);
    writer.write_sequence(|writer| writer.next().write_oid(&ecdsa_with_sha256));
}

fn write_name(writer: DERWriter<'_>, common: &str, organisations: &[&str]) {
    const COMMON_NAME: &[u64] = &[2, 5, 4, 3];
    const ORGANISATION: &[u64] = &[2, 5, 4, 10];
    let parts =
        iter::once((COMMON_NAME, common)).chain(organisations.iter().map(|name| (ORGANISATION, *name)));
    writer.write_sequence(|writer| {
        for (kind, value) in parts {
            writer.next().write_set(|writer| {
                writer.next().write_sequence(|writer| {
                    writer.next().write_oid(&ObjectIdentifier::from_slice(kind));
                    writer.next().write_utf8_string(value);
                });
            });
        }
    });
}

/// Valid for as long as the short form of a date reaches: a fleet with another clock is no test of ours.
fn write_validity(writer: DERWriter<'_>) {
    writer.write_sequence(|writer| {
        for date in [b"500101000000Z", b"491231235959Z"] {
            writer.next().write_tagged_implicit(TAG_UTCTIME, |writer| writer.write_bytes(date));
        }
    });
}
