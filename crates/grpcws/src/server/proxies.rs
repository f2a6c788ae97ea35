//! Proxies whose word about their clients is believed.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use grpcws_proto::OptionsError;
use http::HeaderMap;
use http::uri::Scheme;
use ipnet::IpNet;

use crate::forwarded::{FORWARDED_FOR, FORWARDED_PROTO};

/// The networks of the proxies whose `x-forwarded-for` and `x-forwarded-proto` are believed. The default has none: the
/// client is whoever opened the connection.
///
/// ```
/// use grpcws::server::TrustedProxies;
///
/// let proxies = TrustedProxies::default().trust("10.0.0.0/8")?.trust("2001:db8::1")?;
/// # let _ = proxies;
/// # Ok::<(), grpcws::OptionsError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies {
    networks: Arc<[IpNet]>,
}

/// What a trusted proxy says of its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// The client, or the first proxy on the way that is not trusted. The port is 0 where the proxy does not tell it.
    pub(super) address: SocketAddr,
    /// How that reached the proxy, if the proxy tells.
    pub(super) scheme: Option<Scheme>,
}

impl TrustedProxies {
    /// The same with one more network, `10.0.0.0/8`, or address, `2001:db8::1`.
    ///
    /// # Errors
    ///
    /// What is neither. A network has no bits behind its prefix.
    pub fn trust(mut self, network: impl AsRef<str>) -> Result<Self, OptionsError> {
        let text = network.as_ref();
        let refused = |reason: String| OptionsError::new("trusted_proxies", format!("{text:?} {reason}"));
        let network: IpNet =
            text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
                refused("is neither a network, \"10.0.0.0/8\", nor an address, \"10.0.0.1\"".to_owned())
            })?;
        if network.trunc() != network {
            return Err(refused(format!("has bits behind its prefix: use \"{}\"", network.trunc())));
        }
        self.networks = self.networks.iter().copied().chain([network]).collect();
        Ok(self)
    }

    /// What is to be believed of a request that came from `peer`; `None` if that is no trusted proxy.
    ///
    /// The list of addresses is read from its end, where the trusted proxies wrote, up to the first address that is not
    /// one of theirs. Whatever is to the left of it, the client may have made up.
    pub(super) fn told(&self, peer: SocketAddr, headers: &HeaderMap) -> Option<Told> {
        if !self.contains(peer.ip()) {
            return None;
        }
        let mut address = peer;
        for text in values(headers, &FORWARDED_FOR).rev() {
            let Some(named) = parse(text) else { break };
            address = named;
            if !self.contains(named.ip()) {
                break;
            }
        }
        let scheme = values(headers, &FORWARDED_PROTO).next_back().and_then(|scheme| match scheme {
            scheme if ["https", "wss"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
                Some(Scheme::HTTPS)
            }
            scheme if ["http", "ws"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
                Some(Scheme::HTTP)
            }
            _ => None,
        });
        Some(Told { address, scheme })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }
}

/// The values of a list that may stand on several lines.
fn values<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> impl DoubleEndedIterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter().map(|line| line.to_str().unwrap_or(""));
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// An address as proxies write it: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`.
fn parse(text: &str) -> Option<SocketAddr> {
    let alone = |text: &str| text.parse().ok().map(|address: IpAddr| SocketAddr::new(address, 0));
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    text.parse().ok().or_else(|| alone(bare))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn told(peer: &str, lines: &[(&'static str, &str)]) -> Option<(String, Option<Scheme>)> {
        let proxies = TrustedProxies::default().trust("10.0.0.0/8").expect("a network");
        let proxies = proxies.trust("2001:db8::1").expect("an address");
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).expect("a value"));
        }
        let peer = SocketAddr::new(peer.parse().expect("an address"), 4711);
        proxies.told(peer, &headers).map(|told| (told.address.to_string(), told.scheme))
    }

    #[test]
    fn the_client_is_the_last_address_that_no_trusted_proxy_has() {
        for (peer, list, client) in [
            ("10.0.0.1", "192.0.2.7", "192.0.2.7:0"),
            ("::ffff:10.0.0.1", "192.0.2.7", "192.0.2.7:0"),
            ("2001:db8::1", "2001:db8::7", "[2001:db8::7]:0"),
            ("10.0.0.1", "8.8.8.8, 192.0.2.7, 10.1.2.3", "192.0.2.7:0"),
            ("10.0.0.1", "192.0.2.7:80 ,10.1.2.3:81", "192.0.2.7:80"),
            ("10.0.0.1", "[2001:db8::7]:80", "[2001:db8::7]:80"),
            ("10.0.0.1", "[2001:db8::7]", "[2001:db8::7]:0"),
            // All of them are proxies: the first one is as near to the client as it gets.
            ("10.0.0.1", "10.9.9.9, 10.1.2.3", "10.9.9.9:0"),
            // What cannot be read hides all that is to the left of it.
            ("10.0.0.1", "192.0.2.7, unknown, 10.1.2.3", "10.1.2.3:0"),
            ("10.0.0.1", "", "10.0.0.1:4711"),
        ] {
            let (address, scheme) = told(peer, &[("x-forwarded-for", list)]).expect("it is trusted");
            assert_eq!((address.as_str(), scheme), (client, None), "{list:?} from {peer}");
        }
        let lines = [("x-forwarded-for", "8.8.8.8"), ("x-forwarded-for", "192.0.2.7")];
        assert_eq!(told("10.0.0.1", &lines).expect("it is trusted").0, "192.0.2.7:0");
        assert_eq!(told("192.0.2.9", &lines), None, "a stranger is not believed");
    }

    #[test]
    fn the_last_scheme_is_that_of_the_trusted_proxy() {
        for (list, scheme) in [
            ("https", Some(Scheme::HTTPS)),
            ("WSS", Some(Scheme::HTTPS)),
            ("https, http", Some(Scheme::HTTP)),
            ("ftp", None),
            ("", None),
        ] {
            let told = told("10.0.0.1", &[("x-forwarded-proto", list)]).expect("it is trusted");
            assert_eq!(told, ("10.0.0.1:4711".to_owned(), scheme), "{list:?}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused_with_the_remedy() {
        for (network, remedy) in [
            ("10.0.0.1/8", "use \"10.0.0.0/8\""),
            ("10.0.0.0/33", "neither a network"),
            ("proxy.example.com", "neither a network"),
            ("", "neither a network"),
        ] {
            let error = TrustedProxies::default().trust(network).expect_err(network).to_string();
            assert!(error.starts_with("trusted_proxies: ") && error.contains(remedy), "{error}");
        }
    }
}
