//! Whether connections begin with the PROXY protocol, as the command line and the file say it.

use clap::ValueEnum;
use grpcws::server::ProxyProtocol;
use serde::Deserialize;

/// The values of `--proxy-protocol` and of `proxy-protocol`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ProxyProtocolSetting {
    /// No connection does
    Off,
    /// Those of trusted proxies whose first bytes are a header, version 1 or 2
    Optional,
    /// All do; connections of others than trusted proxies are closed
    Required,
}

impl From<ProxyProtocolSetting> for ProxyProtocol {
    fn from(setting: ProxyProtocolSetting) -> Self {
        match setting {
            ProxyProtocolSetting::Off => Self::Off,
            ProxyProtocolSetting::Optional => Self::Optional,
            ProxyProtocolSetting::Required => Self::Required,
        }
    }
}
