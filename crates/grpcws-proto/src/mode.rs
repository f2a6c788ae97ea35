//! What is spoken on a socket, and for which kind of method.

/// The form of the messages on one WebSocket, selected by its sub-protocol (PROTOCOL §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// No sub-protocol: the messages of the Go package `grpcws`.
    Seed,
    /// `grpcws.v1.json`: the full protocol with protojson payloads.
    V1Json,
    /// `grpcws.v1.proto`: the full protocol; a binary frame is one protobuf message.
    V1Proto,
}

impl Mode {
    /// The name of the sub-protocol, or `None` for seed mode.
    #[must_use]
    pub const fn subprotocol(self) -> Option<&'static str> {
        match self {
            Self::Seed => None,
            Self::V1Json => Some("grpcws.v1.json"),
            Self::V1Proto => Some("grpcws.v1.proto"),
        }
    }

    /// Whether the mode is one of the `grpcws.v1` sub-protocols.
    #[must_use]
    pub const fn is_v1(self) -> bool {
        !matches!(self, Self::Seed)
    }

    /// Whether `data` messages carry protojson.
    #[must_use]
    pub const fn is_json(self) -> bool {
        !matches!(self, Self::V1Proto)
    }
}

/// The four kinds of gRPC method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MethodKind {
    /// One request, one response.
    Unary,
    /// One request, any number of responses.
    ServerStreaming,
    /// Any number of requests, one response.
    ClientStreaming,
    /// Any number of requests and responses.
    Bidi,
}

impl MethodKind {
    /// The kind of a method by what its descriptor says of it.
    #[must_use]
    pub const fn from_streaming(client: bool, server: bool) -> Self {
        match (client, server) {
            (false, false) => Self::Unary,
            (false, true) => Self::ServerStreaming,
            (true, false) => Self::ClientStreaming,
            (true, true) => Self::Bidi,
        }
    }

    /// Whether the client sends any number of messages, and half-closes by itself.
    #[must_use]
    pub const fn is_client_streaming(self) -> bool {
        matches!(self, Self::ClientStreaming | Self::Bidi)
    }
}
