//! Times and windows of a client's session.

use std::time::{Duration, Instant};

use crate::metadata::MAX_SAFE_INTEGER;
use crate::{OptionsError, check_number, options};

options! {
    /// Times and windows of a client's session.
    ClientOptions, ClientOptionsBuilder {
        /// When the call ends with code 4, whatever the gateway does. Default: never.
        value deadline: Option<Instant> = None;
        /// The bytes of response messages that the gateway may send ahead of the application, from 1 to 2^53 − 1: what
        /// the handshake offered as `grpcws-credit`. One message may overdraw it. Default: none offered, no limit.
        value credit: Option<u64> = None;
        /// The time between two `ping` messages of the client. Off (`None` or zero): no pings. Default: off.
        time ping_period = None;
        /// How long the gateway may be silent before the call ends with code 14. It counts where the client or the
        /// gateway sends pings, and is never shorter than three ping periods of the gateway where only that does.
        /// Time in which the socket is not read does not count. Off (`None` or zero): for ever. Default: off.
        time pong_timeout = None;
        /// How long a cancelled call waits for the gateway's terminal message, and an ended one for its close. Cannot
        /// be turned off: the status would be lost. Default: 2 s.
        duration linger = Duration::from_secs(2);
    }
}

impl ClientOptions {
    fn check(&self) -> Result<(), OptionsError> {
        match self.credit {
            Some(credit) => check_number("credit", credit, &(1..=MAX_SAFE_INTEGER)),
            None => Ok(()),
        }
    }
}
