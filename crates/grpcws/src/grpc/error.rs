//! What an error of a tower service means as a status.

use std::error::Error;

use grpcws_proto::{Code, ErrorChain, Status, causes};

type BoxError = Box<dyn Error + Send + Sync>;

/// The status that an error of a service or of its body stands for: the one that it carries, or the one for
/// the HTTP/2 error code in it. Anything else is a connection that could not be made or was lost.
///
/// Texts of the transport name addresses, so they go to the log and not to the client.
pub(super) fn status(error: BoxError) -> Status {
    for error in causes(&*error) {
        if let Some(status) = error.downcast_ref::<Status>() {
            return status.clone().into_error();
        }
        #[cfg(feature = "tonic")]
        if let Some(status) = error.downcast_ref::<tonic::Status>() {
            return Status::from(status.clone()).into_error();
        }
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            return http2(error);
        }
    }
    tracing::debug!(error = %ErrorChain(&*error), "the upstream failed");
    Status::new(Code::Unavailable, "the upstream cannot be reached, or was lost")
}

fn http2(error: &h2::Error) -> Status {
    tracing::debug!(%error, "the upstream ended an HTTP/2 stream or connection");
    match error.reason() {
        Some(reason) if error.is_reset() => {
            let code = Code::from_http2_error(reason.into());
            Status::new(code, format!("the upstream reset the stream with HTTP/2 error {reason:?}"))
        }
        Some(reason) => {
            let text = format!("the connection to the upstream ended with HTTP/2 error {reason:?}");
            Status::new(Code::Unavailable, text)
        }
        None => Status::new(Code::Unavailable, "the connection to the upstream was lost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_found_wherever_it_is_in_the_chain() {
        let error = std::io::Error::other(std::io::Error::other(Status::new(Code::DataLoss, "gone")));
        assert_eq!(status(error.into()).code(), Code::DataLoss);
        let reset = h2::Error::from(h2::Reason::REFUSED_STREAM);
        assert_eq!(status(reset.into()).code(), Code::Unavailable);
        let no_error = status(Status::ok().into());
        assert_eq!(no_error.code(), Code::Internal, "an error is never a success");
        let lost = status("connect to 10.0.0.1:443 failed".into());
        assert_eq!(lost.code(), Code::Unavailable);
        assert!(!lost.message().contains("10.0.0.1"), "{lost}");
    }
}
