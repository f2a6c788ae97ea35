//! How sets of options are declared and checked.
//!
//! Each option is declared once, in one line of [`options!`](crate::options), which makes of it a private field with
//! its default, a getter, a setter of the builder, and the check of its range. A set can only come out of `build`, so
//! one that cannot work does not exist.
//!
//! The kind in front of an option's name decides its type and what is checked:
//!
//! | kind | type | in the builder | checked |
//! | --- | --- | --- | --- |
//! | `time` | `Option<Duration>` | takes a `Duration` or an `Option`; zero is `None`, which turns it off | 1 ms to 2^53 − 1 ms |
//! | `duration` | `Duration` | cannot be turned off | 1 ms to 2^53 − 1 ms |
//! | `number [range]` | `u64`, `usize`, `u32` | | in the range |
//! | `value` | a `Copy` type | | – |
//! | `held` | any other type | takes what converts into it | – |
//! | `own` | any other type | has its setter beside the declaration | – |
//!
//! What depends on more than one option is checked by the set's own `check`. With `group` a set contains another one,
//! and its builder has those of the other's setters that are listed: one more line for each.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Why a set of options cannot be built: the option, and what works in its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{option}: {reason}")]
#[non_exhaustive]
pub struct OptionsError {
    /// The name of the option, as that of its setter.
    pub option: &'static str,
    /// What is wrong with its value, and what works.
    pub reason: String,
}

impl OptionsError {
    /// An error of this option.
    #[must_use]
    pub fn new(option: &'static str, reason: impl Into<String>) -> Self {
        Self { option, reason: reason.into() }
    }
}

/// The longest time that an option takes, in milliseconds: the largest integer that JSON carries exactly.
const MAX_MILLIS: u128 = (1 << 53) - 1;

/// Checks a number against the range in which it works.
///
/// # Errors
///
/// The number is outside of the range.
#[doc(hidden)]
pub fn check_number<T: PartialOrd + Display>(
    option: &'static str,
    value: T,
    range: &RangeInclusive<T>,
) -> Result<(), OptionsError> {
    if range.contains(&value) {
        return Ok(());
    }
    let (least, most) = (range.start(), range.end());
    Err(OptionsError::new(option, format!("{value} is out of range: use {least} to {most}")))
}

/// Checks a time that cannot be turned off.
///
/// # Errors
///
/// The time is below 1 ms, or longer than 2^53 − 1 ms.
#[doc(hidden)]
pub fn check_duration(option: &'static str, time: Duration) -> Result<(), OptionsError> {
    if time.is_zero() {
        return Err(OptionsError::new(
            option,
            "0 s is no time, and this one cannot be turned off: use 1 ms or more",
        ));
    }
    if (1..=MAX_MILLIS).contains(&time.as_millis()) {
        return Ok(());
    }
    Err(OptionsError::new(option, format!("{time:?} is out of range: use 1 ms to {MAX_MILLIS} ms")))
}

/// Declares a set of options and its builder, as the module's documentation says.
#[doc(hidden)]
#[macro_export]
macro_rules! options {
    (
        $(#[$meta:meta])*
        $set:ident, $builder:ident {
            $(
                $(#[$doc:meta])*
                $kind:ident $name:ident $([$range:expr])? $(: $type:ty)? = $default:expr;
            )*
        }
        $(
            group {
                $(#[$group_doc:meta])*
                $group:ident: $group_set:ty, $group_builder:ty {
                    $( $group_kind:ident $group_name:ident $(: $group_type:ty)?; )*
                }
            }
        )?
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone)]
        pub struct $set {
            $( pub(crate) $name: $crate::options!(@type $kind $($type)?), )*
            $( pub(crate) $group: $group_set, )?
        }

        impl Default for $set {
            fn default() -> Self {
                Self {
                    $( $name: $default, )*
                    $( $group: <$group_set>::default(), )?
                }
            }
        }

        impl $set {
            /// A builder that has the defaults.
            pub fn builder() -> $builder {
                Self::default().to_builder()
            }

            /// A builder that has these options, to change some of them.
            pub fn to_builder(&self) -> $builder {
                $builder {
                    options: self.clone(),
                    refused: None,
                    $( $group: self.$group.to_builder(), )?
                }
            }

            $( $crate::options!(@getter $kind [$(#[$doc])*] $name $($type)?); )*

            $(
                $(#[$group_doc])*
                #[must_use]
                pub fn $group(&self) -> &$group_set {
                    &self.$group
                }
            )?
        }

        #[doc = concat!("Makes [`", stringify!($set), "`]. Each setter sets the option of its name, which is documented there.")]
        #[derive(Debug, Clone)]
        #[must_use = "options are made by `build`"]
        pub struct $builder {
            options: $set,
            /// The first value that a setter could not take.
            refused: Option<$crate::OptionsError>,
            $( $group: $group_builder, )?
        }

        impl $builder {
            $( $crate::options!(@setter $set $kind $name $($type)?); )*

            $(
                #[doc = concat!("Sets all of [`", stringify!($group), "`](", stringify!($set), "::", stringify!($group), ").")]
                pub fn $group(mut self, options: &$group_set) -> Self {
                    self.$group = options.to_builder();
                    self
                }

                $( $crate::options!(@delegate $group $group_set, $group_kind $group_name $($group_type)?); )*
            )?

            /// The options, if they can work.
            ///
            /// # Errors
            ///
            /// The first option that cannot, and what would work in its place.
            pub fn build(self) -> Result<$set, $crate::OptionsError> {
                if let Some(error) = self.refused {
                    return Err(error);
                }
                #[allow(unused_mut)]
                let mut options = self.options;
                $( options.$group = self.$group.build()?; )?
                $( $crate::options!(@check $kind $name, options $(, $range)?); )*
                options.check()?;
                Ok(options)
            }
        }
    };

    (@type time) => { Option<std::time::Duration> };
    (@type duration) => { std::time::Duration };
    (@type $kind:ident $type:ty) => { $type };

    (@getter time [$(#[$doc:meta])*] $name:ident) => {
        $(#[$doc])*
        #[must_use]
        pub const fn $name(&self) -> Option<std::time::Duration> {
            self.$name
        }
    };
    (@getter duration [$(#[$doc:meta])*] $name:ident) => {
        $(#[$doc])*
        #[must_use]
        pub const fn $name(&self) -> std::time::Duration {
            self.$name
        }
    };
    (@getter number [$(#[$doc:meta])*] $name:ident $type:ty) => {
        $crate::options!(@getter value [$(#[$doc])*] $name $type);
    };
    (@getter value [$(#[$doc:meta])*] $name:ident $type:ty) => {
        $(#[$doc])*
        #[must_use]
        pub const fn $name(&self) -> $type {
            self.$name
        }
    };
    (@getter $kind:ident [$(#[$doc:meta])*] $name:ident $type:ty) => {
        $(#[$doc])*
        #[must_use]
        pub const fn $name(&self) -> &$type {
            &self.$name
        }
    };

    (@setter $set:ident time $name:ident) => {
        #[doc = concat!("Sets [`", stringify!($name), "`](", stringify!($set), "::", stringify!($name), "); `None` and zero turn it off.")]
        pub fn $name(mut self, time: impl Into<Option<std::time::Duration>>) -> Self {
            self.options.$name = time.into().filter(|time| !time.is_zero());
            self
        }
    };
    (@setter $set:ident duration $name:ident) => {
        $crate::options!(@setter $set value $name std::time::Duration);
    };
    (@setter $set:ident number $name:ident $type:ty) => {
        $crate::options!(@setter $set value $name $type);
    };
    (@setter $set:ident value $name:ident $type:ty) => {
        #[doc = concat!("Sets [`", stringify!($name), "`](", stringify!($set), "::", stringify!($name), ").")]
        pub fn $name(mut self, $name: $type) -> Self {
            self.options.$name = $name;
            self
        }
    };
    (@setter $set:ident held $name:ident $type:ty) => {
        #[doc = concat!("Sets [`", stringify!($name), "`](", stringify!($set), "::", stringify!($name), ").")]
        pub fn $name(mut self, $name: impl Into<$type>) -> Self {
            self.options.$name = $name.into();
            self
        }
    };
    (@setter $set:ident own $name:ident $type:ty) => {};

    (@delegate $group:ident $set:ty, time $name:ident) => {
        #[doc = concat!("Sets [`", stringify!($name), "`](", stringify!($set), "::", stringify!($name), "); `None` and zero turn it off.")]
        pub fn $name(mut self, time: impl Into<Option<std::time::Duration>>) -> Self {
            self.$group = self.$group.$name(time);
            self
        }
    };
    (@delegate $group:ident $set:ty, duration $name:ident) => {
        $crate::options!(@delegate $group $set, value $name std::time::Duration);
    };
    (@delegate $group:ident $set:ty, $kind:ident $name:ident $type:ty) => {
        #[doc = concat!("Sets [`", stringify!($name), "`](", stringify!($set), "::", stringify!($name), ").")]
        pub fn $name(mut self, $name: $type) -> Self {
            self.$group = self.$group.$name($name);
            self
        }
    };

    (@check time $name:ident, $options:ident) => {
        if let Some(time) = $options.$name {
            $crate::check_duration(stringify!($name), time)?;
        }
    };
    (@check duration $name:ident, $options:ident) => {
        $crate::check_duration(stringify!($name), $options.$name)?;
    };
    (@check number $name:ident, $options:ident, $range:expr) => {
        $crate::check_number(stringify!($name), $options.$name, &$range)?;
    };
    (@check $kind:ident $name:ident, $options:ident) => {};
}
