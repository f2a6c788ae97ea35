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

/// What trusted proxies say of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Forwarded {
    /// The client, or the first proxy on the way that is not trusted. The port is 0 where the proxy does not tell it.
    pub(super) address: SocketAddr,
    /// How that reached the first trusted proxy, if it is told.
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
        if let IpNet::V6(mapped) = network
            && mapped.prefix_len() >= 96
            && let Some(address) = mapped.addr().to_ipv4_mapped()
        {
            let prefix = mapped.prefix_len() - 96;
            return Err(refused(format!("is of IPv4: use \"{address}/{prefix}\"")));
        }
        if network.trunc() != network {
            return Err(refused(format!("has bits behind its prefix: use \"{}\"", network.trunc())));
        }
        self.networks = self.networks.iter().copied().chain([network]).collect();
        Ok(self)
    }

    /// What is to be believed of a request that came from `peer`; `None` if that is no trusted proxy.
    ///
    /// The list of addresses is read from its end, where the trusted proxies wrote, up to the first address that is not
    /// one of theirs. Whatever is to the left of it, the client may have made up. A list of schemes of the same length has
    /// that of each hop; of any other, the last one counts, which the nearest proxy wrote.
    pub(super) fn forwarded(&self, peer: SocketAddr, headers: &HeaderMap) -> Option<Forwarded> {
        if !self.contains(peer.ip()) {
            return None;
        }
        let (mut address, mut hop) = (peer, None);
        let addresses: Vec<&str> = values(headers, &FORWARDED_FOR).collect();
        for (index, text) in addresses.iter().enumerate().rev() {
            let Some(named) = parse(text) else { break };
            (address, hop) = (named, Some(index));
            if !self.contains(named.ip()) {
                break;
            }
        }
        let schemes: Vec<&str> = values(headers, &FORWARDED_PROTO).collect();
        let of_hop = hop.filter(|_| schemes.len() == addresses.len()).and_then(|hop| schemes.get(hop));
        let scheme = of_hop.or_else(|| schemes.last()).and_then(|scheme| {
            let is = |known: [&str; 2]| known.iter().any(|known| scheme.eq_ignore_ascii_case(known));
            let http = is(["http", "ws"]).then_some(Scheme::HTTP);
            is(["https", "wss"]).then_some(Scheme::HTTPS).or(http)
        });
        Some(Forwarded { address, scheme })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }
}

/// The values of a list that may stand on several lines. Empty ones do not count (RFC 9110 §5.6.1).
fn values<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> impl DoubleEndedIterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter().map(|line| line.to_str().unwrap_or(""));
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|value| !value.is_empty())
}

/// An address as proxies write it: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`.
fn parse(text: &str) -> Option<SocketAddr> {
    let alone = |text: &str| text.parse().ok().map(|address: IpAddr| SocketAddr::new(address, 0));
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address: SocketAddr = text.parse().ok().or_else(|| alone(bare))?;
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
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
        proxies.forwarded(peer, &headers).map(|told| (told.address.to_string(), told.scheme))
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
            ("10.0.0.1", "192.0.2.7, ,", "192.0.2.7:0"),
            ("10.0.0.1", "::ffff:192.0.2.7", "192.0.2.7:0"),
        ] {
            let (address, scheme) = told(peer, &[("x-forwarded-for", list)]).expect("it is trusted");
            assert_eq!((address.as_str(), scheme), (client, None), "{list:?} from {peer}");
        }
        let lines = [("x-forwarded-for", "8.8.8.8"), ("x-forwarded-for", "192.0.2.7")];
        assert_eq!(told("10.0.0.1", &lines).expect("it is trusted").0, "192.0.2.7:0");
        assert_eq!(told("192.0.2.9", &lines), None, "a stranger is not believed");
    }

    #[test]
    fn the_scheme_is_that_of_the_hop_or_the_last_one() {
        for (addresses, schemes, scheme) in [
            ("192.0.2.7, 10.1.2.3", "https, http", Scheme::HTTPS),
            ("8.8.8.8, 192.0.2.7, 10.1.2.3", "http, https, http", Scheme::HTTPS),
            ("192.0.2.7, 10.1.2.3", "https", Scheme::HTTPS),
            ("192.0.2.7", "https, http", Scheme::HTTP),
        ] {
            let lines = [("x-forwarded-for", addresses), ("x-forwarded-proto", schemes)];
            assert_eq!(told("10.0.0.1", &lines).expect("it is trusted").1, Some(scheme), "{schemes:?}");
        }
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
            ("::ffff:10.0.0.0/104", "use \"10.0.0.0/8\""),
            ("10.0.0.0/33", "neither a network"),
            ("proxy.example.com", "neither a network"),
            ("", "neither a network"),
        ] {
            let error = TrustedProxies::default().trust(network).expect_err(network).to_string();
            assert!(error.starts_with("trusted_proxies: ") && error.contains(remedy), "{error}");
        }
    }
}
