//! The two pieces of text around the protojson of a `data` message.
//!
//! ```
//! use grpcws_proto::message::data;
//!
//! let mut frame = data::PREFIX.to_vec();
//! frame.extend_from_slice(br#"{"gameId":"g1"}"#);
//! frame.extend_from_slice(data::SUFFIX);
//! assert_eq!(frame, br#"{"type":"data","data":{"gameId":"g1"}}"#);
//! ```

/// What precedes the payload.
pub const PREFIX: &[u8] = br#"{"type":"data","data":"#;

/// What follows the payload.
pub const SUFFIX: &[u8] = b"}";
