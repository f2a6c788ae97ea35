//! The documented differences from gRPC-Gateway.

/// A documented difference between gRPC-Gateway and this project, with how it may show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Difference {
    /// An empty value of a parameter, for a type that has none, sets nothing here and is refused there.
    EmptyValue,
    /// A parameter for what path or body set is refused here and ignored there.
    SetTwice,
    /// A query beside `body: "*"` is bound here and ignored there.
    QueryBesideWhole,
    /// A number that an enum does not have is taken here, as JSON has it, and refused there.
    EnumNumber,
    /// `name[]=` is a list here and refused there.
    EmptyBrackets,
    /// `.` and `..` as segments are refused here.
    DotSegment,
    /// An empty segment is no value of a variable here, and no match before a verb there.
    EmptySegment,
    /// Literals are compared without their escapes here.
    EscapedLiteral,
    /// `%2F`, and nothing else, stays encoded in a variable of several segments here, as google.api.http says. There, reserved
    /// characters do in a `**`, and nothing does elsewhere.
    ReservedEscape,
    /// A `FieldMask` in a query may have names as in JSON here, and what is no path is refused.
    MaskNames,
    /// Durations in queries are those of JSON here, and those of Go there.
    DurationUnits,
    /// Timestamps in queries are those of JSON here, and those of Go there.
    TimestampForms,
    /// The key of a map is all between the first and the last bracket here, and what is behind the last `[` there.
    BracketsInKey,
    /// A `**` that stands for nothing leaves a slash at the end of its variable there.
    RestOfNothing,
    /// A list inside of a message can be in a path here, and only one of the request itself there.
    ListInside,
    /// Two texts of one key, such as `1` and `true`, are refused here.
    KeyTwice,
    /// Two values of a map without a key are a key and a value there.
    MapWithoutKey,
    /// The values of a list under both of its names are joined here and refused there.
    TwoNames,
    /// A body that is no message is protojson here, and the JSON of Go there.
    ScalarBody,
}

/// How both may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shows {
    OnlyOurs,
    OnlyTheirs,
    BothBoundDifferently,
    OneOfThem,
    Any,
}

impl Difference {
    pub(crate) fn shows(self) -> Shows {
        match self {
            Self::EmptyValue
            | Self::EnumNumber
            | Self::EmptyBrackets
            | Self::EscapedLiteral
            | Self::TwoNames => Shows::OnlyOurs,
            Self::SetTwice | Self::MapWithoutKey | Self::KeyTwice | Self::DotSegment => Shows::OnlyTheirs,
            Self::ReservedEscape | Self::RestOfNothing => Shows::BothBoundDifferently,
            Self::EmptySegment | Self::DurationUnits | Self::TimestampForms | Self::ScalarBody => {
                Shows::OneOfThem
            }
            Self::QueryBesideWhole | Self::MaskNames | Self::BracketsInKey | Self::ListInside => Shows::Any,
        }
    }
}
