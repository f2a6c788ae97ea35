//! What becomes of query parameters that no field has, as the command line and the configuration file write it.

use clap::ValueEnum;
use grpcws::UnknownParameters;
use serde::Deserialize;

/// What becomes of query parameters whose names no field of a bound route's request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum UnknownParametersSetting {
    /// Ignored in seed mode, where a page cannot read a refusal; refused in v1.
    RefusedInV1,
    /// Ignored in every mode.
    Ignored,
    /// Refused in every mode.
    Refused,
}

impl From<UnknownParametersSetting> for UnknownParameters {
    fn from(setting: UnknownParametersSetting) -> Self {
        match setting {
            UnknownParametersSetting::RefusedInV1 => Self::RefusedInV1,
            UnknownParametersSetting::Ignored => Self::Ignored,
            UnknownParametersSetting::Refused => Self::Refused,
        }
    }
}
