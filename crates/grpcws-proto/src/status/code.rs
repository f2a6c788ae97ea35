//! The status codes of gRPC, with the names that each ecosystem gives them.

/// A gRPC status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are gRPC's own; a gloss on each would only repeat them")]
pub enum Code {
    #[default]
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

/// Every code with its canonical name and grpc-go's name for it.
const TABLE: [(Code, &str, &str); 17] = [
    (Code::Ok, "OK", "OK"),
    (Code::Cancelled, "CANCELLED", "Canceled"),
    (Code::Unknown, "UNKNOWN", "Unknown"),
    (Code::InvalidArgument, "INVALID_ARGUMENT", "InvalidArgument"),
    (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "DeadlineExceeded"),
    (Code::NotFound, "NOT_FOUND", "NotFound"),
    (Code::AlreadyExists, "ALREADY_EXISTS", "AlreadyExists"),
    (Code::PermissionDenied, "PERMISSION_DENIED", "PermissionDenied"),
    (Code::ResourceExhausted, "RESOURCE_EXHAUSTED", "ResourceExhausted"),
    (Code::FailedPrecondition, "FAILED_PRECONDITION", "FailedPrecondition"),
    (Code::Aborted, "ABORTED", "Aborted"),
    (Code::OutOfRange, "OUT_OF_RANGE", "OutOfRange"),
    (Code::Unimplemented, "UNIMPLEMENTED", "Unimplemented"),
    (Code::Internal, "INTERNAL", "Internal"),
    (Code::Unavailable, "UNAVAILABLE", "Unavailable"),
    (Code::DataLoss, "DATA_LOSS", "DataLoss"),
    (Code::Unauthenticated, "UNAUTHENTICATED", "Unauthenticated"),
];

impl Code {
    /// The code with this number; a number outside 0–16 is [`Code::Unknown`].
    #[must_use]
    pub fn from_number(number: i64) -> Self {
        usize::try_from(number).ok().and_then(|index| TABLE.get(index)).map_or(Self::Unknown, |row| row.0)
    }

    /// The code with this canonical name (`NOT_FOUND`).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// The code with this name in grpc-go's error texts (`NotFound`).
    #[must_use]
    pub fn from_go_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.2 == name).map(|row| row.0)
    }

    /// gRPC's number for the code.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The canonical name: `NOT_FOUND`.
    #[must_use]
    pub fn name(self) -> &'static str {
        TABLE.get(usize::from(self.number())).map_or("UNKNOWN", |row| row.1)
    }

    /// The name in grpc-go's error texts: `NotFound`.
    #[must_use]
    pub fn go_name(self) -> &'static str {
        TABLE.get(usize::from(self.number())).map_or("Unknown", |row| row.2)
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_of_the_numbers() {
        for (number, row) in TABLE.iter().enumerate() {
            assert_eq!(usize::from(row.0.number()), number);
            assert_eq!(Code::from_name(row.1), Some(row.0));
            assert_eq!(Code::from_go_name(row.2), Some(row.0));
        }
        assert_eq!(Code::from_number(17), Code::Unknown);
        assert_eq!(Code::from_number(-1), Code::Unknown);
    }
}
