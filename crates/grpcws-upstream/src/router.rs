//! Several upstreams, by the name of the service.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use grpcws_proto::Status;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::call::no_upstream;
use crate::response::UpstreamBody;
use crate::status::BoxError;
use crate::upstream::{ResponseFuture, Upstream};

/// Several upstreams as one service: a call goes to the one with the longest prefix of its service's name.
///
/// A prefix ends where a part of the name ends: `game.v1` stands for `game.v1.Lobby` and `game.v1`, and not for
/// `game.v10.Lobby`. A service that no prefix fits goes to the default upstream; without one it is UNIMPLEMENTED.
/// A clone is cheap.
#[derive(Debug, Clone, Default)]
pub struct Router {
    /// Longer prefixes first.
    routes: Arc<Vec<(String, Upstream)>>,
    fallback: Option<Upstream>,
}

impl Router {
    /// A router without upstreams.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends services whose name begins with this prefix to this upstream. A dot at the end of the prefix makes no
    /// difference; a prefix that is there already gets the new upstream.
    #[must_use]
    pub fn route(mut self, prefix: &str, upstream: Upstream) -> Self {
        let prefix = prefix.trim_matches('.');
        let routes = Arc::make_mut(&mut self.routes);
        routes.retain(|(known, _)| known != prefix);
        routes.push((prefix.to_owned(), upstream));
        routes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        self
    }

    /// Sends all other services to this upstream.
    #[must_use]
    pub fn default_upstream(mut self, upstream: Upstream) -> Self {
        self.fallback = Some(upstream);
        self
    }

    /// The upstream of a service, by its full name.
    #[must_use]
    pub fn upstream(&self, service: &str) -> Option<&Upstream> {
        let found = self.routes.iter().find(|(prefix, _)| {
            service
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| prefix.is_empty() || rest.is_empty() || rest.starts_with('.'))
        });
        found.map(|(_, upstream)| upstream).or(self.fallback.as_ref())
    }

    /// All upstreams with their prefixes; that of the default one is empty.
    pub fn upstreams(&self) -> impl Iterator<Item = (&str, &Upstream)> {
        let routes = self.routes.iter().map(|(prefix, upstream)| (prefix.as_str(), upstream));
        routes.chain(self.fallback.iter().map(|upstream| ("", upstream)))
    }
}

impl From<Upstream> for Router {
    fn from(upstream: Upstream) -> Self {
        Self::new().default_upstream(upstream)
    }
}

impl<B> Service<Request<B>> for Router
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<UpstreamBody>;
    type Error = Status;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let path = request.uri().path();
        let service = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        match self.upstream(service) {
            Some(upstream) => upstream.clone().call(request),
            None => {
                let status = no_upstream(service);
                Box::pin(async move { Err(status) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::UpstreamOptions;

    #[test]
    fn the_longest_prefix_on_a_boundary_wins() {
        let at = |port: u16| {
            Upstream::new(&format!("http://127.0.0.1:{port}"), UpstreamOptions::default()).unwrap()
        };
        let name = |upstream: Option<&Upstream>| upstream.map(|upstream| format!("{upstream:?}"));
        let router =
            Router::new().route("game", at(1)).route("game.v1.", at(2)).route("game.v1.Lobby", at(3));
        let is =
            |service, port| assert_eq!(name(router.upstream(service)), name(Some(&at(port))), "{service}");
        is("game.v1.Lobby", 3);
        is("game.v1.LobbyAdmin", 2);
        is("game.v10.Lobby", 1);
        is("game", 1);
        assert!(router.upstream("gamer.v1.Lobby").is_none());
        let router = router.default_upstream(at(4));
        assert_eq!(name(router.upstream("gamer.v1.Lobby")), name(Some(&at(4))));
    }
}
