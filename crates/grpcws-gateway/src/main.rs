//! The `grpcws` gateway.
fn main() {}
