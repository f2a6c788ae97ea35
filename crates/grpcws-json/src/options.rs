//! What a caller chooses, per direction; the names are those of Go's `protojson`.

/// The default bound on how deeply messages may nest, in both directions; C++, Java and prost have the same.
pub const DEFAULT_RECURSION_LIMIT: u32 = 100;

/// The largest bound on nesting that takes effect: transcoding recurses, and this depth fits in the stack of any
/// ordinary thread.
pub const MAX_RECURSION_LIMIT: u32 = 500;

/// How wire bytes become JSON.
///
/// ```
/// use grpcws_json::MarshalOptions;
/// let options = MarshalOptions::default().use_proto_names(true);
/// assert!(options.use_proto_names);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MarshalOptions {
    /// Prints every field, populated or not: `0`, `""`, `false`, `[]`, `{}` and an enum's first name for fields
    /// without presence, `null` for unset fields that have presence. Members of a oneof and extensions are left
    /// out where they are not set. Default: `false`. Takes precedence over `emit_default_values`.
    pub emit_unpopulated: bool,
    /// As `emit_unpopulated`, but leaves out unset fields that have presence instead of printing `null`.
    /// Default: `false`.
    pub emit_default_values: bool,
    /// Prints the field names of the `.proto` file in place of the JSON names. Default: `false`.
    pub use_proto_names: bool,
    /// Prints enum values as numbers. Default: `false`.
    pub use_enum_numbers: bool,
    /// Prints an `Any` of a type that the table does not have as `{"@type":"…","@value":"…","@error":"…"}`, with its
    /// bytes in base64, instead of refusing the message. Default: `false`, as in Go.
    pub opaque_any: bool,
    /// How deeply messages may nest, the outermost included. Default: [`DEFAULT_RECURSION_LIMIT`]; values above
    /// [`MAX_RECURSION_LIMIT`] count as that.
    pub recursion_limit: u32,
    /// The most bytes of JSON that one message may become. Two bytes can be the number of an enum with a long name, or
    /// a message of which `emit_unpopulated` prints all fields, so the text can be many times as large as the message.
    /// Entries of a map that a later one supersedes count too.
    /// Default: `u64::MAX`, no limit.
    pub max_size: u64,
}

impl Default for MarshalOptions {
    fn default() -> Self {
        Self {
            emit_unpopulated: false,
            emit_default_values: false,
            use_proto_names: false,
            use_enum_numbers: false,
            opaque_any: false,
            recursion_limit: DEFAULT_RECURSION_LIMIT,
            max_size: u64::MAX,
        }
    }
}

impl MarshalOptions {
    /// Sets [`emit_unpopulated`](Self::emit_unpopulated).
    #[must_use]
    pub fn emit_unpopulated(mut self, value: bool) -> Self {
        self.emit_unpopulated = value;
        self
    }

    /// Sets [`emit_default_values`](Self::emit_default_values).
    #[must_use]
    pub fn emit_default_values(mut self, value: bool) -> Self {
        self.emit_default_values = value;
        self
    }

    /// Sets [`use_proto_names`](Self::use_proto_names).
    #[must_use]
    pub fn use_proto_names(mut self, value: bool) -> Self {
        self.use_proto_names = value;
        self
    }

    /// Sets [`use_enum_numbers`](Self::use_enum_numbers).
    #[must_use]
    pub fn use_enum_numbers(mut self, value: bool) -> Self {
        self.use_enum_numbers = value;
        self
    }

    /// Sets [`opaque_any`](Self::opaque_any).
    #[must_use]
    pub fn opaque_any(mut self, value: bool) -> Self {
        self.opaque_any = value;
        self
    }

    /// Sets [`recursion_limit`](Self::recursion_limit).
    #[must_use]
    pub fn recursion_limit(mut self, value: u32) -> Self {
        self.recursion_limit = value;
        self
    }

    /// Sets [`max_size`](Self::max_size).
    #[must_use]
    pub fn max_size(mut self, bytes: u64) -> Self {
        self.max_size = bytes;
        self
    }
}

/// How JSON becomes wire bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnmarshalOptions {
    /// Skips members that the message does not have, and enum names that the enum does not have, instead of
    /// refusing them. Default: `false`.
    pub discard_unknown: bool,
    /// Accepts messages that lack required fields (proto2, or the `LEGACY_REQUIRED` feature). Default: `false`.
    pub allow_partial: bool,
    /// Takes an `Any` of a type that the table does not have in the form that [`MarshalOptions::opaque_any`] prints:
    /// `@value` has its bytes. Default: `false`.
    pub opaque_any: bool,
    /// How deeply messages, and arrays and objects that are skipped, may nest, the outermost included.
    /// Default: [`DEFAULT_RECURSION_LIMIT`]; values above [`MAX_RECURSION_LIMIT`] count as that.
    pub recursion_limit: u32,
}

impl Default for UnmarshalOptions {
    fn default() -> Self {
        Self {
            discard_unknown: false,
            allow_partial: false,
            opaque_any: false,
            recursion_limit: DEFAULT_RECURSION_LIMIT,
        }
    }
}

impl UnmarshalOptions {
    /// Sets [`discard_unknown`](Self::discard_unknown).
    #[must_use]
    pub fn discard_unknown(mut self, value: bool) -> Self {
        self.discard_unknown = value;
        self
    }

    /// Sets [`allow_partial`](Self::allow_partial).
    #[must_use]
    pub fn allow_partial(mut self, value: bool) -> Self {
        self.allow_partial = value;
        self
    }

    /// Sets [`opaque_any`](Self::opaque_any).
    #[must_use]
    pub fn opaque_any(mut self, value: bool) -> Self {
        self.opaque_any = value;
        self
    }

    /// Sets [`recursion_limit`](Self::recursion_limit).
    #[must_use]
    pub fn recursion_limit(mut self, value: u32) -> Self {
        self.recursion_limit = value;
        self
    }
}
