//! What a case expects, and what it says where that does not come.

use std::fmt::Debug;

use tonic::{Code, Status};

/// A case that did not go as described.
pub(crate) struct Failed(pub(crate) String);

pub(crate) type Outcome = Result<(), Failed>;

impl From<Status> for Failed {
    fn from(status: Status) -> Self {
        Self(format!("it ended with {:?}: {:?}", status.code(), status.message()))
    }
}

pub(crate) fn equal<T: PartialEq + Debug>(what: &str, found: T, expected: T) -> Outcome {
    if found == expected {
        return Ok(());
    }
    Err(Failed(format!("{what}: found {found:?}, expected {expected:?}")))
}

/// The call is to have ended with this code.
pub(crate) fn code<T>(ended: Result<T, Status>, expected: Code) -> Result<Status, Failed> {
    match ended {
        Err(status) if status.code() == expected => Ok(status),
        Err(status) => Err(status.into()),
        Ok(_) => Err(Failed(format!("it succeeded, expected {expected:?}"))),
    }
}
