//! How a member is: its version, who is admitted, how much room there is.

use std::collections::BTreeSet;

use domicile_core::quantity::{Resources, millis, whole};
use domicile_crds::{ALLOWED_KINDS, Amounts, TenantName};
use k8s_openapi::api::{
    authorization::v1::{SelfSubjectRulesReview, SelfSubjectRulesReviewSpec},
    core::v1::{Namespace, Node},
};
use kube::{
    Api, Client,
    api::{ListParams, PostParams},
    core::PartialObjectMeta,
};

/// What a member says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Probe {
    /// Version of its API server.
    pub(crate) version: String,
    /// uid of kube-system.
    pub(crate) cluster_id: String,
    /// Tenants whose identity the hub may take on.
    pub(crate) tenants: Vec<TenantName>,
    /// What is asked less often; `None` if it wasn't this time.
    pub(crate) inventory: Option<Inventory>,
}

/// What changes rarely.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Inventory {
    /// Sum of what ready nodes can give.
    pub(crate) allocatable: Option<Amounts>,
    /// Regions on the nodes' labels.
    pub(crate) regions: Vec<String>,
    /// Addresses of some of the nodes that are ready.
    pub(crate) node_addresses: Vec<String>,
    /// Kinds of tenants that it doesn't serve.
    pub(crate) kinds_not_served: Vec<String>,
}

/// Asks a member how it is; `thorough` asks for its nodes and kinds too.
pub(crate) async fn probe(client: &Client, thorough: bool) -> Result<Probe, kube::Error> {
    let version = client.apiserver_version().await?.git_version;
    let system: PartialObjectMeta<Namespace> =
        Api::<Namespace>::all(client.clone()).get_metadata("kube-system").await?;
    let inventory = if thorough { Some(inventory(client).await?) } else { None };
    let cluster_id = system.metadata.uid.unwrap_or_default();
    Ok(Probe { version, cluster_id, tenants: admitted(client).await?, inventory })
}

/// The tenants that the owner of the member has admitted, as our own rules there tell.
async fn admitted(client: &Client) -> Result<Vec<TenantName>, kube::Error> {
    let review = SelfSubjectRulesReview {
        spec: SelfSubjectRulesReviewSpec { namespace: Some("default".to_owned()) },
        ..SelfSubjectRulesReview::default()
    };
    let api: Api<SelfSubjectRulesReview> = Api::all(client.clone());
    let answer = api.create(&PostParams::default(), &review).await?;
    let rules = answer.status.map(|status| status.resource_rules).unwrap_or_default();
    let mut tenants = BTreeSet::new();
    for rule in rules {
        let acts = rule.verbs.iter().any(|verb| verb == "impersonate" || verb == "impersonate:user-info");
        let users = rule.resources.unwrap_or_default().iter().any(|resource| resource == "users");
        if acts && users {
            let names = rule.resource_names.unwrap_or_default();
            let tenant = |name: &String| TenantName::new(name.strip_prefix("domicile:tenant:")?).ok();
            tenants.extend(names.iter().filter_map(tenant));
        }
    }
    Ok(tenants.into_iter().collect())
}

async fn inventory(client: &Client) -> Result<Inventory, kube::Error> {
    let mut total = Resources::default();
    let mut regions = BTreeSet::new();
    let mut any = false;
    let mut node_addresses = Vec::new();
    let mut page = ListParams::default().limit(100);
    loop {
        let nodes = Api::<Node>::all(client.clone()).list(&page).await?;
        if node_addresses.is_empty() {
            node_addresses = super::reach::node_addresses(&nodes.items);
        }
        for node in &nodes.items {
            any = true;
            total += allocatable(node);
            let label = node.metadata.labels.as_ref().and_then(|l| l.get("topology.kubernetes.io/region"));
            regions.extend(label.cloned());
        }
        match nodes.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => break,
        }
    }
    // A member without nodes says nothing of its room: it may be one that a benchmark or a virtual kubelet made.
    let allocatable = any.then(|| Amounts {
        cpu: Some(format!("{}m", total.cpu)),
        memory: Some(total.memory.to_string()),
        pods: Some(total.pods),
    });
    let kinds_not_served = kinds_not_served(client).await?;
    Ok(Inventory { allocatable, regions: regions.into_iter().collect(), node_addresses, kinds_not_served })
}

/// What a node can give; nothing if it isn't ready or takes no pods.
fn allocatable(node: &Node) -> Resources {
    let status = node.status.as_ref();
    let conditions = status.and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    let ready = conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True");
    let cordoned = node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true);
    if !ready || cordoned {
        return Resources::default();
    }
    let amount = |name: &str| status.and_then(|s| s.allocatable.as_ref()?.get(name)).map(|q| q.0.as_str());
    Resources {
        cpu: amount("cpu").and_then(millis).unwrap_or(0),
        memory: amount("memory").and_then(whole).unwrap_or(0),
        pods: amount("pods").and_then(whole).unwrap_or(0),
    }
}

async fn kinds_not_served(client: &Client) -> Result<Vec<String>, kube::Error> {
    let groups: BTreeSet<&str> = ALLOWED_KINDS.iter().map(|(api_version, _, _)| *api_version).collect();
    let mut served = BTreeSet::new();
    for group in groups {
        let listed = if group == "v1" {
            client.list_core_api_resources("v1").await
        } else {
            client.list_api_group_resources(group).await
        };
        match listed {
            Ok(list) => served.extend(list.resources.into_iter().map(|r| (group, r.kind))),
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error),
        }
    }
    let missing = ALLOWED_KINDS.iter().filter(|(api, kind, _)| !served.contains(&(*api, (*kind).to_owned())));
    Ok(missing.map(|(_, kind, _)| (*kind).to_owned()).collect())
}
