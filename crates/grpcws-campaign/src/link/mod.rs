//! `grpcws-campaign link`: streams over slow links, none of which may lose anything.
//!
//! [`emulator`] is the link, [`matrix`] draws what is combined, [`stream`] is one client, [`run`](run::run) puts them
//! together: client → link → nginx, HAProxy or nothing → gateway → test service.

mod emulator;
mod matrix;
mod run;
mod stream;

pub(crate) use run::{LinkArguments, run};
