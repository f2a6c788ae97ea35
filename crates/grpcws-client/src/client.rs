//! The client.

use std::sync::Arc;

use grpcws_proto::Mode;
use http::HeaderMap;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::call::queue::{Item, Responses, queue};
use crate::call::{Call, JsonCall, channel};
use crate::connect::{Connector, OpenRequest};
use crate::driver::{Requests, run};
use crate::{CallOptions, ClientError, ClientOptions, Code, Status};

/// Calls gRPC methods over WebSocket. It is cheap to clone; clones share connections and what they know of them.
///
/// It is a tower service, so a generated tonic client takes it in place of a channel; [`Client::json_call`] and
/// [`Client::call`] need no generated code.
#[derive(Debug, Clone)]
pub struct Client(Arc<Connector>);

impl Client {
    /// A client for the gateway at `ws://HOST[:PORT][/PREFIX]`, or `wss://…` for TLS. Without a path the prefix is `/ws`,
    /// and with a slash alone there is none. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// What is wrong with the URL or the certificates.
    ///
    /// # Examples
    ///
    /// ```
    /// use grpcws_client::{Client, ClientOptions};
    ///
    /// let client = Client::new("ws://127.0.0.1:8080", ClientOptions::default())?;
    /// # Ok::<(), grpcws_client::ClientError>(())
    /// ```
    pub fn new(url: &str, options: ClientOptions) -> Result<Self, ClientError> {
        Ok(Self(Arc::new(Connector::new(url, options)?)))
    }

    /// Starts a call with protobuf messages, as bytes. `method` is `package.Service/Method`, or the path of a bound
    /// route below the prefix with its query.
    ///
    /// What goes wrong is the call's end. It has to be called on a tokio runtime, or it ends at once.
    #[must_use = "dropping a call cancels it"]
    pub fn call(&self, method: &str, options: CallOptions) -> Call {
        let (sender, receiver) = channel();
        Call::new(sender, self.start_call(Mode::V1Proto, method, options, receiver))
    }

    /// Starts a call with JSON messages. `method` is `package.Service/Method`, or the path of a bound route below the
    /// prefix with its query.
    ///
    /// What goes wrong is the call's end. It has to be called on a tokio runtime, or it ends at once.
    #[must_use = "dropping a call cancels it"]
    pub fn json_call(&self, method: &str, options: CallOptions) -> JsonCall {
        let (sender, receiver) = channel();
        JsonCall::new(sender, self.start_call(Mode::V1Json, method, options, receiver))
    }

    fn start_call<R: Requests>(
        &self,
        mode: Mode,
        method: &str,
        options: CallOptions,
        requests: R,
    ) -> Responses {
        let CallOptions { metadata, timeout, wait_for_ready } = options;
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        self.start(mode, method, metadata, deadline, wait_for_ready, requests)
    }

    /// Starts a call in a task of its own.
    pub(crate) fn start<R: Requests>(
        &self,
        mode: Mode,
        method: &str,
        metadata: HeaderMap,
        deadline: Option<Instant>,
        wait_for_ready: Option<bool>,
        requests: R,
    ) -> Responses {
        let (deliveries, responses) = queue();
        let path = match self.0.endpoint().path(method) {
            Ok(path) => path,
            Err(status) => {
                deliveries.push(Item::End(status));
                return responses;
            }
        };
        let Ok(runtime) = Handle::try_current() else {
            let text = "a call was started outside of a tokio runtime";
            deliveries.push(Item::End(Status::new(Code::Internal, text)));
            return responses;
        };
        let wait_for_ready = wait_for_ready.unwrap_or(self.0.options().wait_for_ready);
        let request = OpenRequest { path, mode, metadata, deadline, wait_for_ready };
        runtime.spawn(run(Arc::clone(&self.0), request, requests, deliveries));
        responses
    }
}
