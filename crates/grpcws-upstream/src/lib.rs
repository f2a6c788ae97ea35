//! gRPC over pooled HTTP/2 connections, as a tower service: stream limits, back-off, GOAWAY, TLS, unix sockets.
