//! Ports that two fleets never both believe to be theirs.
//!
//! Asking the kernel for a free port and closing it again is a race: between that moment and the
//! one when the API server listens, another fleet may be given the same port. And an API server
//! that is killed must find its port free when it comes back. So a port is reserved by a lock on a
//! file named after it, which the kernel releases when we die, for as long as the [`Port`] lives.
//!
//! Programs that don't know of these locks can still take a port. For them the ports are outside
//! the kernel's own ephemeral range, are tried before they are handed out, and [`super::Fleet`]
//! starts a cluster anew with other ports if one was taken nevertheless.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, bail};

use super::state;

/// Below the ephemeral range of Linux (from 32768) and the NodePorts of Kubernetes (from 30000),
/// above what services usually listen on.
const FIRST: u16 = 20_000;

/// How many ports there are to choose from: some thousands of clusters.
const COUNT: u16 = 10_000;

/// A TCP port on 127.0.0.1, reserved until this is dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Reserves a port that nobody listens on.
    ///
    /// # Errors
    ///
    /// When the folder with the locks can't be used, or every port is taken.
    pub fn reserve() -> anyhow::Result<Self> {
        let folder = state::cache_dir()?.join("ports");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        // Starts at a random place, so that fleets started together don't race for the same ports.
        let start = RandomState::new().hash_one(()) % u64::from(COUNT);
        let start = u16::try_from(start).unwrap_or_default();
        for step in 0..COUNT {
            let number = FIRST + (start + step) % COUNT;
            let path = folder.join(number.to_string());
            let lock = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .with_context(|| format!("cannot open {}", path.display()))?;
            if lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self { number, _lock: lock });
            }
        }
        bail!("no free port between {FIRST} and {}", FIRST + COUNT - 1)
    }

    /// The port's number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_is_not_given_twice() {
        let ports: Vec<_> = (0..200).map(|_| Port::reserve().unwrap()).collect();
        let mut numbers: Vec<_> = ports.iter().map(Port::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), ports.len());
    }
}
