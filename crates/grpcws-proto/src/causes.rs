//! What caused an error.

use std::error::Error;
use std::{fmt, io};

use crate::Status;

/// An error and what caused it, the outermost first.
///
/// It differs from following [`Error::source`] in one case: the source of an I/O error that wraps another one is only
/// that one's source, and this has the wrapped one too.
pub fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| cause(*error))
}

fn cause<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

impl Status {
    /// The status that is among the [`causes`] of an error.
    #[must_use]
    pub fn find<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        causes(error).find_map(|error| error.downcast_ref())
    }
}

/// Shows an error with what caused it, on one line: for logs, and for people in front of a terminal.
#[derive(Debug, Clone, Copy)]
pub struct ErrorChain<'e>(pub &'e (dyn Error + 'static));

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        // Not `causes`: an I/O error shows the text of the one that it wraps as its own.
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    #[test]
    fn a_status_is_found_wherever_it_is_in_the_chain() {
        let status = Status::new(Code::DataLoss, "gone");
        let wrapped = io::Error::other(io::Error::other(status.clone()));
        assert_eq!(Status::find(&wrapped).map(Status::code), Some(Code::DataLoss));
        assert_eq!(Status::find(&status).map(Status::code), Some(Code::DataLoss));
        assert!(Status::find(&io::Error::other("no status")).is_none());
    }
}
