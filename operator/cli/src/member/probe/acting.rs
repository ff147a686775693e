//! Whether the hub can act as a tenant, and reaches nothing beyond the tenant's namespaces by that.

use std::time::Duration;

use domicile_crds::{ALLOWED_KINDS, TenantName, keys};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Api;
use kube::client::Body;
use tokio::time::{Instant, sleep};

use super::ProbeError;
use crate::cluster::{Cluster, ClusterError};

/// API servers learn of new roles by a watch.
const ROLES_WITHIN: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What happened when the hub acted as somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Acting {
    /// It was taken for that user.
    Works,
    /// The API server knows only the legacy kind, and that isn't granted.
    NotKnown,
    /// It wasn't allowed to.
    Refused(String),
}

fn acting(hub: &Cluster, user: &str) -> Result<Cluster, ClusterError> {
    let mut config = hub.config.clone();
    config.auth_info.impersonate = Some(user.to_owned());
    config.auth_info.impersonate_groups = Some(vec![keys::TENANTS_GROUP.to_owned()]);
    Cluster::with(&hub.label, config)
}

/// Acts as `user` for one request, which that user isn't allowed: whom the refusal names is what matters.
pub(crate) async fn acts_as(hub: &Cluster, user: &str) -> Result<Acting, ClusterError> {
    let acting = acting(hub, user)?;
    let api = Api::<ConfigMap>::namespaced(acting.client.clone(), "kube-system");
    match api.get("domicile-join-probe").await {
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(judge_refusal(&status.message)),
        Ok(_) => Ok(Acting::Works),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Acting::Works),
        Err(error) => Err(acting.failed(format!("act as {user}"))(error)),
    }
}

fn judge_refusal(said: &str) -> Acting {
    if said.contains("User \"domicile:tenant:") {
        Acting::Works
    } else if said.contains("cannot impersonate resource") {
        Acting::NotKnown
    } else {
        Acting::Refused(said.to_owned())
    }
}

/// Acts as each tenant that is admitted.
///
/// # Errors
///
/// If that doesn't work, or leads to kube-system: all that is wrong at once.
pub async fn check_acting(hub: &Cluster, tenants: &[TenantName]) -> Result<(), ProbeError> {
    let mut wrong = Vec::new();
    for tenant in tenants {
        match in_time(hub, tenant).await? {
            Acting::Works => wrong.extend(reaches(hub, tenant).await?),
            Acting::Refused(said) => wrong.push(format!("it can't act as the admitted tenant {tenant}: {said}")),
            Acting::NotKnown => wrong.push(format!(
                "it can't act as the admitted tenant {tenant}: this API server doesn't know constrained impersonation (Kubernetes 1.36 and later): apply the files with --impersonation legacy"
            )),
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(ProbeError::Wrong(wrong)) }
}

async fn in_time(hub: &Cluster, tenant: &TenantName) -> Result<Acting, ClusterError> {
    let end = Instant::now() + ROLES_WITHIN;
    loop {
        let found = acts_as(hub, &keys::tenant_user(tenant)).await?;
        if matches!(found, Acting::Works | Acting::NotKnown) || Instant::now() >= end {
            return Ok(found);
        }
        sleep(LOOK_EVERY).await;
    }
}

/// What a tenant may do in kube-system, where it may do nothing: somebody gave it more than its namespaces.
async fn reaches(hub: &Cluster, tenant: &TenantName) -> Result<Vec<String>, ClusterError> {
    let acting = acting(hub, &keys::tenant_user(tenant))?;
    let mut wrong = Vec::new();
    for (api_version, _, plural) in ALLOWED_KINDS.into_iter().chain([("v1", "Secret", "secrets")]) {
        let root = if api_version == "v1" { "api" } else { "apis" };
        let path = format!("/{root}/{api_version}/namespaces/kube-system/{plural}");
        // Rights are asked before the body is read: nothing is made of an empty one, not even as a dry run.
        let get = http::Request::get(format!("{path}/domicile-join-probe"));
        let create = http::Request::post(format!("{path}?dryRun=All"));
        for (verb, request) in [("get", get), ("create", create)] {
            let doing = format!("{verb} {plural} as tenant {tenant}");
            let answer = match request.body(Body::empty()) {
                Ok(request) => acting.client.send(request).await,
                Err(error) => Err(kube::Error::HttpError(error)),
            };
            let status = answer.map_err(acting.failed(&*doing))?.status();
            if status != http::StatusCode::FORBIDDEN {
                wrong.push(format!(
                    "as tenant {tenant} it can {verb} {plural} in kube-system (answer {status})"
                ));
            }
        }
    }
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_whether_the_hub_was_taken_for_the_tenant() {
        let tenant = "configmaps \"x\" is forbidden: User \"domicile:tenant:-probe\" cannot get resource \"configmaps\"";
        assert_eq!(judge_refusal(tenant), Acting::Works);
        let old = "users \"domicile:tenant:a\" is forbidden: User \"system:serviceaccount:domicile-system:hub\" cannot impersonate resource \"users\" in API group \"\" at the cluster scope";
        assert_eq!(judge_refusal(old), Acting::NotKnown);
        let new = "users.authentication.k8s.io \"domicile:tenant:a\" is forbidden: User \"system:serviceaccount:domicile-system:hub\" cannot impersonate:user-info resource \"users\"";
        assert_eq!(judge_refusal(new), Acting::Refused(new.to_owned()));
    }
}
