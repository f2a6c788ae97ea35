//! The handshake: sub-protocol negotiation and the check of the origin (PROTOCOL §3 and §10).

mod offer;
mod origin;
mod request;

pub use offer::{Offer, Refusal};
pub use origin::{OriginError, OriginPolicy, Target};
pub use request::subprotocols;
