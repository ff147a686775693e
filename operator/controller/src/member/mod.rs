//! Members: how they are reached, what is seen of them, and what is done there.
//!
//! Everything that is done for a tenant goes through [`Member::as_tenant`], the one choke point: the member's API
//! server sees the tenant, not the hub. The hub's own credential makes namespaces and what guards them, nothing else.

pub(crate) mod act;
mod agent;
mod claims;
pub(crate) mod error;
mod halt;
pub(crate) mod inspect;
mod kubeconfig;
mod limit;
pub(crate) mod namespace;
mod probe;
mod reach;
mod refusal;
pub(crate) mod remove;
pub(crate) mod verify;
mod watch;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use domicile_core::{
    manifests::{Kind, ObjectRef},
    observed::ObjectView,
};
use domicile_crds::{
    ClusterName, NamespaceName, TenantName, WorkloadKey,
    keys::{TENANTS_GROUP, tenant_user},
};
use http::HeaderValue;
use kube::{Client, client::Body};
use tokio::sync::{Mutex, Semaphore};

pub(crate) use agent::{Agent, chain};
pub(crate) use probe::Probe;

/// How many calls to one member are under way at the same time. A member's API server gives one client about this
/// many seats (API Priority and Fairness), and one that hangs holds no more of our tasks than this.
pub(crate) const CALLS_MAX: usize = 16;

/// How long a call to a member may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(15);

/// Tells one connection to a member from the next, which may lead to another cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connection(u64);

/// A member that is connected.
pub(crate) struct Member {
    /// Its name.
    pub(crate) name: ClusterName,
    /// Which of all connections this is.
    pub(crate) connection: Connection,
    client: Client,
    calls: Semaphore,
    /// Namespaces that have been set up, with the digest of how.
    namespaces: Mutex<HashMap<NamespaceName, u64>>,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Member({})", self.name)
    }
}

impl Member {
    pub(crate) fn new(name: ClusterName, client: Client) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (calls, namespaces) = (Semaphore::new(CALLS_MAX), Mutex::default());
        let connection = Connection(NEXT.fetch_add(1, Ordering::Relaxed));
        Self { name, connection, client, calls, namespaces }
    }

    /// A client that acts as the tenant: every request says so, over the same connections.
    pub(crate) fn as_tenant(&self, tenant: &TenantName) -> Client {
        let base = self.client.clone();
        let user = HeaderValue::try_from(tenant_user(tenant)).ok();
        let service = tower::service_fn(move |mut request: http::Request<Body>| {
            let (base, user) = (base.clone(), user.clone());
            async move {
                // A name that can't be a header must not fall back to our own identity.
                request
                    .headers_mut()
                    .insert("impersonate-user", user.ok_or("the tenant's name can't be sent")?);
                request.headers_mut().insert("impersonate-group", HeaderValue::from_static(TENANTS_GROUP));
                Ok::<_, tower::BoxError>(base.send(request).await?)
            }
        });
        Client::new(service, "default")
    }
}

/// Why a member can't be used.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// It says so itself, or its Secret does; else it may only be slow.
    pub(crate) certain: bool,
    /// One word for its condition.
    pub(crate) reason: &'static str,
    /// What was found, and what to do.
    pub(crate) message: String,
}

/// Something was observed of a member.
#[derive(Debug)]
pub(crate) enum MemberEvent {
    /// There is a connection, perhaps to another cluster than before.
    Connected(Arc<Member>),
    /// It couldn't be connected.
    NotConnected(Fault),
    /// It was asked how it is.
    Probed(Result<Box<Probe>, Fault>),
    /// An object is there (`Some`) or gone.
    Object(SeenObject),
    /// The watch of a kind broke: what it showed last may have changed since.
    Broken(Kind),
    /// All objects of one of the watched kinds have been listed: these.
    Listed(Kind, HashSet<(WorkloadKey, i32, ObjectRef)>),
}

/// An object that a watch showed.
#[derive(Clone, Debug)]
pub(crate) struct SeenObject {
    /// Whose it is.
    pub(crate) key: WorkloadKey,
    /// Which copy.
    pub(crate) ordinal: i32,
    /// Which object.
    pub(crate) object: ObjectRef,
    /// How it is; `None` if it is gone.
    pub(crate) view: Option<ObjectView>,
    /// Its generation, which grows with each change of its spec.
    pub(crate) generation: i64,
}
