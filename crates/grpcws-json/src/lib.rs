//! Part of grpcws.
