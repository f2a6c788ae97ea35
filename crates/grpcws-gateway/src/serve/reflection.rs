//! Whether upstreams are asked for their descriptors, as people write it.

use clap::ValueEnum;
use serde::Deserialize;

use crate::descriptors::Reflection;

/// A [`Reflection`] of the command line or the configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ReflectionSetting {
    /// If there is neither --descriptor-set nor --proto
    WithoutFiles,
    /// Beside files too, which count more: what they lack comes from the upstreams
    Always,
}

impl From<ReflectionSetting> for Reflection {
    fn from(setting: ReflectionSetting) -> Self {
        match setting {
            ReflectionSetting::WithoutFiles => Self::WithoutFiles,
            ReflectionSetting::Always => Self::Always,
        }
    }
}
