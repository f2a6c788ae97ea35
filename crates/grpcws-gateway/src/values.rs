//! Values of options, as people write them: addresses and sizes.

use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::num::NonZeroUsize;

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer};

/// The address to listen on: `127.0.0.1:8080`, `[::1]:8080`, a name as in `localhost:8080`, or `:8080` for every address of
/// the machine.
pub(crate) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let form =
        "write it as 127.0.0.1:8080, localhost:8080, [::1]:8080, or :8080 for every address of the machine";
    let Some((host, port)) = text.rsplit_once(':').filter(|(host, _)| !host.contains(['/', ':'])) else {
        return Err(form.to_owned());
    };
    let port: u16 = port.parse().map_err(|_| format!("{port:?} is not a port: {form}"))?;
    if host.is_empty() {
        return Ok(every_address(port));
    }
    let found =
        (host, port).to_socket_addrs().map_err(|error| format!("cannot look up {host}: {error}: {form}"))?;
    // Clients that look up the same name try each of its addresses; most that know only one know that of IPv4.
    let mut found: Vec<SocketAddr> = found.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.first().copied().ok_or_else(|| format!("{host} has no address: {form}"))
}

/// Both of IPv6 and IPv4, or of IPv4 alone where the machine has no other.
fn every_address(port: u16) -> SocketAddr {
    let dual = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    match std::net::TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)) {
        Ok(_) => dual,
        Err(_) => SocketAddr::from(([0; 4], port)),
    }
}

/// A number of bytes: `4194304`, `4MiB` or `64KiB`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    text.parse::<ByteSize>()
        .map(|size| size.as_u64())
        .map_err(|_| "a size is written as 4194304, 64KiB or 4MiB".to_owned())
}

/// How many threads.
pub(crate) fn workers(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().ok().and_then(NonZeroUsize::new).ok_or_else(|| "use a number from 1".to_owned())
}

/// An address in a configuration file.
pub(crate) fn deserialize_address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    listen_address(&text).map(Some).map_err(serde::de::Error::custom)
}

/// A size in a configuration file: a number of bytes, or a text with a unit.
pub(crate) fn deserialize_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a size: 4194304, \"64KiB\" or \"4MiB\"")]
    enum Size {
        Bytes(u64),
        Text(String),
    }
    match Size::deserialize(deserializer)? {
        Size::Bytes(bytes) => Ok(Some(bytes)),
        Size::Text(text) => size(&text).map(Some).map_err(serde::de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_each_form() {
        for (text, expected) in
            [("127.0.0.1:80", "127.0.0.1:80"), ("[::1]:80", "[::1]:80"), ("localhost:80", "127.0.0.1:80")]
        {
            assert_eq!(listen_address(text), Ok(expected.parse().expect("an address")), "{text}");
        }
        let every = listen_address(":80").expect("every address");
        assert!(every.ip().is_unspecified() && every.port() == 80);
        for text in
            ["8080", "localhost", "::1", "http://localhost:80", "localhost:http", "127.0.0.1:65536", ""]
        {
            assert!(listen_address(text).is_err_and(|text| text.contains("localhost:8080")), "{text}");
        }
    }

    #[test]
    fn sizes_have_units_of_two_kinds_or_none() {
        for (text, expected) in
            [("0", 0), ("4194304", 4 << 20), ("4MiB", 4 << 20), ("64 KiB", 64 << 10), ("4MB", 4_000_000)]
        {
            assert_eq!(size(text), Ok(expected), "{text}");
        }
        for text in ["", "MiB", "4 parsecs", "-1"] {
            assert!(size(text).is_err_and(|text| text.contains("4MiB")), "{text}");
        }
    }
}
