//! From the target to its addresses.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::endpoint::Target;

/// Something that one connection goes to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// The one address of a target that needs no look-up.
pub(crate) fn literal(target: &Target) -> Option<Address> {
    match target {
        Target::Host { host, port } => {
            let address: IpAddr = host.parse().ok()?;
            Some(Address::Tcp(SocketAddr::new(address, *port)))
        }
        Target::Unix(path) => Some(Address::Unix(path.clone())),
    }
}

/// Looks the addresses of a target up, each once.
pub(crate) async fn lookup(target: &Target) -> io::Result<Vec<Address>> {
    let (host, port) = match target {
        Target::Host { host, port } => (host.as_str(), *port),
        Target::Unix(path) => return Ok(vec![Address::Unix(path.clone())]),
    };
    let mut addresses = Vec::new();
    for address in tokio::net::lookup_host((host, port)).await? {
        let address = Address::Tcp(address);
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}
