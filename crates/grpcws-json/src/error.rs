//! What can go wrong, and where.

use std::fmt;

use crate::path::{Path, Segment};

/// A descriptor set that no table can be compiled from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The bytes are not a serialized `google.protobuf.FileDescriptorSet`.
    #[error("not a file descriptor set: {reason} at byte {offset}")]
    Malformed {
        /// Where in the bytes.
        offset: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// A field names a type that is in none of the files. Descriptor sets must contain what they import:
    /// `protoc --include_imports`.
    #[error("field {field} has type {type_name}, which is in none of the files")]
    UnresolvedType {
        /// The field's full name.
        field: String,
        /// The type that it names.
        type_name: String,
    },
    /// Two types have the same full name.
    #[error("{name} is defined twice")]
    DuplicateName {
        /// The full name.
        name: String,
    },
    /// A field's number, type, label or oneof is not valid.
    #[error("field {field} is not valid: {reason}")]
    InvalidField {
        /// The field's full name.
        field: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file is of an edition that this version does not know (it knows proto2, proto3, 2023 and 2024).
    #[error("file {file} has edition {edition}, which is not known")]
    UnknownEdition {
        /// The file's name.
        file: String,
        /// The number of the edition in `google.protobuf.Edition`, or the name of the syntax.
        edition: String,
    },
}

/// Wire bytes that have no JSON form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToJsonError(Box<ToJsonFailure>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToJsonFailure {
    kind: ToJsonErrorKind,
    offset: usize,
    path: Path,
}

/// Why wire bytes have no JSON form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ToJsonErrorKind {
    /// The bytes are not a protobuf message.
    #[error("{0}")]
    Malformed(&'static str),
    /// A string is not UTF-8; JSON text cannot carry it, whatever the field's `utf8_validation` feature says.
    #[error("the string is not UTF-8")]
    InvalidUtf8,
    /// An `Any` holds a message type that the table does not have. Add its file to the descriptor set.
    #[error("the type {0:?} of an Any is not among the descriptors: add the file that declares it")]
    UnresolvableAny(String),
    /// The value of a well-known type is one that its JSON form cannot express.
    #[error("{0}")]
    WellKnownType(&'static str),
    /// A path of a `FieldMask` would not read back as the same path: it is not in `snake_case`, say.
    #[error(
        "the path {0:?} of a google.protobuf.FieldMask has no JSON form: only names in snake_case have one"
    )]
    FieldMaskPath(String),
    /// Messages nest more deeply than the option `recursion_limit` allows.
    #[error("messages nest too deeply")]
    RecursionLimit,
    /// The JSON has more bytes than the option `max_size` allows.
    #[error("the JSON is larger than {0} bytes")]
    TooLarge(u64),
}

impl ToJsonError {
    #[cold]
    pub(crate) fn new(kind: ToJsonErrorKind, offset: usize) -> Self {
        Self(Box::new(ToJsonFailure { kind, offset, path: Path::default() }))
    }

    #[cold]
    pub(crate) fn within(mut self, segment: Segment) -> Self {
        self.0.path.push_outer(segment);
        self
    }

    /// What is wrong.
    pub fn kind(&self) -> &ToJsonErrorKind {
        &self.0.kind
    }

    /// The offset in the wire bytes at which it was noticed.
    pub fn offset(&self) -> usize {
        self.0.offset
    }

    /// The field at fault, by the names of the `.proto` file: `commands[3].target`. Empty where it is the outermost message itself.
    pub fn path(&self) -> String {
        self.0.path.render()
    }
}

impl fmt::Display for ToJsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path();
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        write!(f, "{} (at byte {})", self.kind(), self.offset())
    }
}

impl std::error::Error for ToJsonError {}

/// JSON that is not the given message.
///
/// ```
/// # let table = grpcws_json::Table::from_file_descriptor_set(&[])?;
/// # let message = table.message("google.protobuf.Timestamp").expect("well-known types are always there");
/// let error = message.from_json(b"\n  7", &Default::default(), &mut Vec::new()).unwrap_err();
/// assert_eq!((error.line(), error.column(), error.offset()), (2, 3, 3));
/// assert_eq!(error.to_string(), "line 2 column 3: expected a string for google.protobuf.Timestamp, found 7");
/// # Ok::<(), grpcws_json::TableError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromJsonError(Box<FromJsonFailure>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FromJsonFailure {
    kind: FromJsonErrorKind,
    offset: usize,
    line: usize,
    column: usize,
    path: Path,
}

/// Why JSON is not the given message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FromJsonErrorKind {
    /// The text is not JSON.
    #[error("{0}")]
    Syntax(&'static str),
    /// The text, or a string in it, is not UTF-8.
    #[error("the text is not UTF-8")]
    InvalidUtf8,
    /// The message has no such field. The option `discard_unknown` skips it.
    #[error("unknown field {name:?} in {message}")]
    UnknownField {
        /// The member's name.
        name: String,
        /// The full name of the message.
        message: String,
    },
    /// A field is there twice, perhaps by two of its names.
    #[error("duplicate field {name:?}")]
    DuplicateField {
        /// The member's name.
        name: String,
    },
    /// Two fields of one oneof are set.
    #[error("field {name:?} sets oneof {oneof:?}, which is already set")]
    OneofConflict {
        /// The member's name.
        name: String,
        /// The name of the oneof.
        oneof: String,
    },
    /// The value is of another JSON type, out of range, or not in the form that the field's type asks for.
    #[error("expected {expected}, found {found}")]
    InvalidValue {
        /// What would be valid.
        expected: String,
        /// The beginning of what is there.
        found: String,
    },
    /// The enum has no such value. The option `discard_unknown` skips names; numbers are unknown only to closed enums.
    #[error("unknown value {value} of enum {enumeration}")]
    UnknownEnumValue {
        /// The name in quotes, or the number.
        value: String,
        /// The full name of the enum.
        enumeration: String,
    },
    /// Required fields are missing. The option `allow_partial` accepts that.
    #[error("missing required field {field:?} in {message}")]
    MissingRequired {
        /// The first one that is missing.
        field: String,
        /// The full name of the message.
        message: String,
    },
    /// An `Any` names a message type that the table does not have. Add its file to the descriptor set.
    #[error("the type {0:?} of an Any is not among the descriptors: add the file that declares it")]
    UnresolvableAny(String),
    /// An `Any` has members but no `@type`, or one that is empty.
    #[error("an Any without \"@type\"")]
    MissingAnyType,
    /// Messages nest more deeply than the option `recursion_limit` allows.
    #[error("messages nest too deeply")]
    RecursionLimit,
}

impl FromJsonError {
    #[cold]
    pub(crate) fn new(kind: FromJsonErrorKind, offset: usize) -> Self {
        Self(Box::new(FromJsonFailure { kind, offset, line: 0, column: 0, path: Path::default() }))
    }

    #[cold]
    pub(crate) fn within(mut self, segment: Segment) -> Self {
        self.0.path.push_outer(segment);
        self
    }

    /// Finds line and column of the offset in the text that was parsed.
    #[cold]
    pub(crate) fn located_in(mut self, document: &[u8]) -> Self {
        let before = document.get(..self.0.offset).unwrap_or(document);
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        self.0.line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let line = before.get(line_start..).unwrap_or_default();
        // Bytes 10xxxxxx continue a character.
        self.0.column = line.iter().filter(|&&byte| byte & 0xc0 != 0x80).count() + 1;
        self
    }

    /// What is wrong.
    pub fn kind(&self) -> &FromJsonErrorKind {
        &self.0.kind
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.0.line
    }

    /// The column, from 1, in characters (Unicode scalar values).
    pub fn column(&self) -> usize {
        self.0.column
    }

    /// The offset in the text, in bytes from 0.
    pub fn offset(&self) -> usize {
        self.0.offset
    }

    /// The field at fault, by its JSON names: `commands[3].target`, `players["bob"]`. Empty where it is the outermost message itself.
    pub fn path(&self) -> String {
        self.0.path.render()
    }

    /// The same error in a text in which the parsed one starts `lines` line breaks, and then `columns` characters, after
    /// the beginning. [`Message::from_json_in`](crate::Message::from_json_in) needs no such shift.
    #[must_use]
    pub fn shifted(mut self, lines: usize, columns: usize) -> Self {
        if self.0.line == 1 {
            self.0.column = self.0.column.saturating_add(columns);
        }
        self.0.line = self.0.line.saturating_add(lines);
        self
    }
}

impl fmt::Display for FromJsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} column {}: ", self.line(), self.column())?;
        let path = self.path();
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        write!(f, "{}", self.kind())
    }
}

impl std::error::Error for FromJsonError {}
