//! Rust client of the grpcws protocol: gRPC calls over WebSocket, for generated tonic clients and for JSON.
