//! What the tests of membership stand on, and the objects that they try.

use std::iter;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use domicile_e2e::fleet::{Cluster, ClusterOptions};
use domicile_e2e::plugin::{self, Ran};
use domicile_e2e::stage::{OPERATOR_NAMESPACE, Stage};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;

pub(crate) const MEMBER: &str = "nl-ams-1";
pub(crate) const FACTS: &str = r"
apiVersion: domicile.dev/v1alpha1
kind: Site
metadata: {name: nl-ams}
spec: {operatedBy: polder, ownedBy: polder, country: NL, state: Online}
---
apiVersion: domicile.dev/v1alpha1
kind: Tenant
metadata: {name: acme}
spec: {namespaces: [acme], residency: {allowed: [{country: NL}]}}
";

/// A hub and a member that nobody has joined yet.
pub(crate) struct Ground {
    pub(crate) stage: Stage,
}

impl Ground {
    pub(crate) async fn prepare(member: ClusterOptions) -> anyhow::Result<Self> {
        let stage = Stage::set_with(ClusterOptions::hub(), &[(MEMBER, member.nodes(0))]).await?;
        stage.apply(FACTS).await?;
        // kubectl asks first what an API server serves, and the hub may not ask that as a tenant: it needn't.
        stage.fleet.member(MEMBER)?.kubectl(["api-resources"]).text().await?;
        Ok(Self { stage })
    }

    pub(crate) fn member(&self) -> anyhow::Result<&Cluster> {
        self.stage.fleet.member(MEMBER)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.stage.fleet.dir().join(name)
    }

    /// `kubectl domicile`, on the hub as its administrator.
    pub(crate) fn cli(&self, args: &[&str]) -> anyhow::Result<Ran> {
        plugin::domicile(Some(&self.stage.fleet.hub()?.kubeconfig_path()), args, "")
    }

    /// The same with the member's administrator's kubeconfig; it must succeed.
    pub(crate) fn owner(&self, args: &[&str]) -> anyhow::Result<String> {
        let kubeconfig = self.member()?.kubeconfig_path().display().to_string();
        self.cli(&[args, &["--member-kubeconfig", &kubeconfig]].concat())?.done()
    }

    /// Writes down the credential that the hub was given.
    pub(crate) async fn credential(&self) -> anyhow::Result<PathBuf> {
        let secrets: Api<Secret> = Api::namespaced(self.stage.fleet.hub()?.client(), OPERATOR_NAMESPACE);
        let data = secrets.get(&format!("member-{MEMBER}")).await?.data.unwrap_or_default();
        let path = self.path("hub-credential.yaml");
        std::fs::write(&path, &data.get("kubeconfig").context("the Secret has no kubeconfig")?.0)?;
        Ok(path)
    }

    /// kubectl on the member with the hub's credential; with `tenant`, acting as it, as the operator does.
    pub(crate) async fn as_hub(&self, tenant: Option<&str>, args: &str, stdin: &str) -> anyhow::Result<Ran> {
        self.acting(tenant, &["--as-group=domicile:tenants"], args, stdin).await
    }

    /// The same with other groups, or none: whoever has the credential chooses them.
    pub(crate) async fn acting(
        &self,
        tenant: Option<&str>,
        groups: &[&str],
        args: &str,
        stdin: &str,
    ) -> anyhow::Result<Ran> {
        let user = tenant.map(|tenant| format!("--as=domicile:tenant:{tenant}"));
        let acting = user.iter().flat_map(|user| iter::once(user.as_str()).chain(groups.iter().copied()));
        let args = args.split_whitespace().chain(acting);
        let kubectl = self.member()?.kubectl(args).kubeconfig(self.credential().await?).stdin(stdin);
        Ok(kubectl.output().await?.into())
    }

    pub(crate) async fn applies(&self, tenant: Option<&str>, object: &str) -> anyhow::Result<()> {
        let done = self.as_hub(tenant, APPLY, object).await?;
        ensure!(done.code == Some(0), "refused: {object}: {done:?}");
        Ok(())
    }

    pub(crate) async fn refuses(&self, tenant: Option<&str>, object: &str, why: &str) -> anyhow::Result<()> {
        self.must_fail(tenant, APPLY, object, why).await
    }

    pub(crate) async fn refused(&self, tenant: Option<&str>, args: &str, why: &str) -> anyhow::Result<()> {
        self.must_fail(tenant, args, "", why).await
    }

    /// With the group that the operator names, and without: neither may do more than the other.
    pub(crate) async fn must_fail(
        &self,
        tenant: Option<&str>,
        args: &str,
        stdin: &str,
        why: &str,
    ) -> anyhow::Result<()> {
        let tries: &[&[&str]] =
            if tenant.is_some() { &[&["--as-group=domicile:tenants"], &[]] } else { &[&[]] };
        for groups in tries {
            let done = self.acting(tenant, groups, args, stdin).await?;
            ensure!(
                done.code != Some(0) && done.err.contains(why),
                "wanted `{why}` for {args} {stdin} with {groups:?}: {done:?}"
            );
        }
        Ok(())
    }
}

pub(crate) const APPLY: &str =
    "apply --server-side --force-conflicts --validate=false --field-manager=domicile -f -";
pub(crate) const HUB_GUARD: &str = "domicile-hub-guard: ";
pub(crate) const TENANT_GUARD: &str = "domicile-tenant-guard: ";
pub(crate) const LABELS: &str = "domicile.dev/tenant: acme, pod-security.kubernetes.io/enforce: baseline";

pub(crate) fn namespace(name: &str, labels: &str) -> String {
    format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, labels: {{{labels}}}}}}}")
}

pub(crate) fn object(kind: &str, name: &str, namespace: &str, rest: &str) -> String {
    format!("{{{kind}, metadata: {{name: {name}, namespace: {namespace}}}, {rest}}}")
}

pub(crate) fn binding(name: &str, namespace: &str, role: &str, user: &str) -> String {
    let rest = format!(
        "roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}, \
         subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: 'domicile:tenant:{user}'}}]"
    );
    object("apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding", name, namespace, &rest)
}

pub(crate) fn config_map(name: &str, namespace: &str) -> String {
    object("apiVersion: v1, kind: ConfigMap", name, namespace, "data: {a: b}")
}

pub(crate) fn policy(name: &str, namespace: &str, spec: &str) -> String {
    let spec = format!("spec: {{podSelector: {{}}, {spec}}}");
    object("apiVersion: networking.k8s.io/v1, kind: NetworkPolicy", name, namespace, &spec)
}

pub(crate) fn service(name: &str, spec: &str) -> String {
    object("apiVersion: v1, kind: Service", name, "acme", &format!("spec: {{ports: [{{port: 80}}], {spec}}}"))
}
