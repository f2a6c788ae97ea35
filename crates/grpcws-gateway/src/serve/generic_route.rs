//! Which methods can be called at `/package.Service/Method`, as the command line and the file say it.

use clap::ValueEnum;
use grpcws::bridge::GenericRoute;
use serde::Deserialize;

/// The values of `--generic-route` and of `generic-route`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum GenericRouteSetting {
    /// All methods
    Open,
    /// Those without a route of their own, by google.api.http or [[route]]
    Unbound,
    /// None: calls are made at routes only
    Off,
}

impl From<GenericRouteSetting> for GenericRoute {
    fn from(setting: GenericRouteSetting) -> Self {
        match setting {
            GenericRouteSetting::Open => Self::Open,
            GenericRouteSetting::Unbound => Self::Unbound,
            GenericRouteSetting::Off => Self::Off,
        }
    }
}
