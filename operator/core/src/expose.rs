//! What a workload exposes: the headless Service and the EndpointSlices on the hub by which clients find its copies.
//!
//! An EndpointSlice holds addresses and nothing else: its type `FQDN` is deprecated, has no semantics, and is passed over by
//! kube-proxy and by the cluster's DNS, so that clients would find nothing there. A load balancer that only has a name is
//! therefore looked up, and again and again, as multi-cluster service mirrors do.

mod fact;
mod hub;
mod published;

pub use fact::{ExposeFact, ExposeFault, ExposedPort};
pub use hub::{Family, HubService, HubSlice, SlicePort, is_owned};
pub use published::{Exposure, ExposureChange, Kept, Published};
