//! Conversions between the status of this crate and tonic's.

use bytes::Bytes;
use tonic::metadata::MetadataMap;

use super::{Code, Status};

impl From<tonic::Status> for Status {
    fn from(status: tonic::Status) -> Self {
        let details = Bytes::copy_from_slice(status.details());
        Self::new(Code::from_number(i64::from(i32::from(status.code()))), status.message())
            .with_details(details)
            .with_metadata(status.metadata().clone().into_headers())
    }
}

impl From<Status> for tonic::Status {
    fn from(status: Status) -> Self {
        Self::with_details_and_metadata(
            tonic::Code::from_i32(i32::from(status.code().number())),
            status.message(),
            status.details().clone(),
            MetadataMap::from_headers(status.metadata().clone()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_on_the_way() {
        let status = Status::new(Code::Aborted, "why").with_details(Bytes::from_static(b"\x08\x0a"));
        let back = Status::from(tonic::Status::from(status));
        assert_eq!(
            (back.code(), back.message(), &back.details()[..]),
            (Code::Aborted, "why", &b"\x08\x0a"[..])
        );
    }
}
