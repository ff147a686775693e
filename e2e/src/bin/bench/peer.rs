//! The peer's figures: Karmada v1.18.2, measured by this very method on a machine of this size, at its best, which is
//! with its limiters lifted. `docs/benchmarks.md` says how.

/// Workloads a second, best of M = 100 and 1,000.
pub(crate) const RATE_100: f64 = 5.2;
/// Workloads a second at M = 1,000.
pub(crate) const RATE_1000: f64 = 3.7;
/// CPU milliseconds of all processes for each workload until it is placed.
pub(crate) const CPU_MS: f64 = 465.0;
/// Writes on the hub for each workload, beyond the user's own.
pub(crate) const HUB_WRITES: f64 = 45.0;
/// Writes on the member for each workload of three objects.
pub(crate) const MEMBER_WRITES: f64 = 3.7;
/// Seconds until the last of 1,101 was Ready elsewhere.
pub(crate) const EVACUATED_READY: f64 = 365.0;
/// Seconds until the last of 1,101 was gone from the source.
pub(crate) const EVACUATED_GONE: f64 = 477.0;
/// Writes on the hub for each of them.
pub(crate) const EVACUATED_HUB_WRITES: f64 = 62.0;
/// Writes after a restart with 1,000 placed, though nothing had changed.
pub(crate) const RESTART_WRITES: f64 = 5200.0;
/// Seconds until quiet after that restart.
pub(crate) const RESTART_QUIET: f64 = 69.0;
/// Seconds until the first new workload was placed after that restart.
pub(crate) const RESTART_FIRST: f64 = 54.0;
/// Resident memory in MB of its processes, with nothing placed and with 1,000: 275 and 600 MiB.
pub(crate) const MEMORY_0: f64 = 288.0;
pub(crate) const MEMORY_1000: f64 = 629.0;
