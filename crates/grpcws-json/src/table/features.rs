//! Edition features: what a file, message, field or enum inherits and overrides.
//!
//! proto2 and proto3 are editions whose features are fixed.

use super::descriptor::{FeatureOverrides, FileDescriptor};
use crate::error::TableError;

const EDITION_PROTO2: u64 = 998;
const EDITION_PROTO3: u64 = 999;
const EDITION_2023: u64 = 1000;
const EDITION_2024: u64 = 1001;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Explicit,
    Implicit,
    Required,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Features {
    pub(super) presence: Presence,
    pub(super) closed_enum: bool,
    pub(super) packed: bool,
    pub(super) delimited: bool,
}

impl Features {
    pub(super) fn of_file(file: &FileDescriptor<'_>) -> Result<Self, TableError> {
        let unknown = |edition: String| TableError::UnknownEdition { file: file.name.to_owned(), edition };
        let edition = match (file.syntax, file.edition) {
            ("" | "proto2", 0) => EDITION_PROTO2,
            ("proto3", 0) => EDITION_PROTO3,
            (_, edition @ EDITION_PROTO2..=EDITION_2024) => edition,
            (syntax, 0) => return Err(unknown(format!("{syntax:?}"))),
            (_, edition) => return Err(unknown(edition.to_string())),
        };
        let defaults = match edition {
            EDITION_PROTO2 => {
                Self { presence: Presence::Explicit, closed_enum: true, packed: false, delimited: false }
            }
            EDITION_PROTO3 => {
                Self { presence: Presence::Implicit, closed_enum: false, packed: true, delimited: false }
            }
            EDITION_2023..=EDITION_2024 => {
                Self { presence: Presence::Explicit, closed_enum: false, packed: true, delimited: false }
            }
            other => return Err(unknown(other.to_string())),
        };
        Ok(defaults.overridden(file.features))
    }

    /// Values that are not known keep what is inherited.
    pub(super) fn overridden(mut self, overrides: FeatureOverrides) -> Self {
        match overrides.field_presence {
            Some(1) => self.presence = Presence::Explicit,
            Some(2) => self.presence = Presence::Implicit,
            Some(3) => self.presence = Presence::Required,
            _ => {}
        }
        match overrides.enum_type {
            Some(1) => self.closed_enum = false,
            Some(2) => self.closed_enum = true,
            _ => {}
        }
        match overrides.repeated_field_encoding {
            Some(1) => self.packed = true,
            Some(2) => self.packed = false,
            _ => {}
        }
        match overrides.message_encoding {
            Some(1) => self.delimited = false,
            Some(2) => self.delimited = true,
            _ => {}
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(syntax: &'static str, edition: u64) -> FileDescriptor<'static> {
        FileDescriptor { syntax, edition, ..FileDescriptor::default() }
    }

    #[test]
    fn defaults_by_edition() {
        let proto2 = Features::of_file(&file("", 0)).expect("proto2");
        assert!(proto2.closed_enum && !proto2.packed && proto2.presence == Presence::Explicit);
        let proto3 = Features::of_file(&file("proto3", 0)).expect("proto3");
        assert!(!proto3.closed_enum && proto3.packed && proto3.presence == Presence::Implicit);
        let edition = Features::of_file(&file("editions", 1000)).expect("edition 2023");
        assert!(!edition.closed_enum && edition.packed && edition.presence == Presence::Explicit);
    }

    #[test]
    fn unknown_editions_are_refused() {
        for (syntax, edition) in [("editions", 9999), ("editions", 900), ("proto4", 0), ("editions", 0)] {
            assert!(matches!(
                Features::of_file(&file(syntax, edition)),
                Err(TableError::UnknownEdition { .. })
            ));
        }
    }

    #[test]
    fn overrides_replace_what_is_inherited() {
        let overrides = FeatureOverrides {
            field_presence: Some(3),
            enum_type: Some(2),
            repeated_field_encoding: Some(2),
            message_encoding: Some(2),
        };
        let features =
            Features::of_file(&file("editions", 1000)).expect("edition 2023").overridden(overrides);
        assert_eq!(
            features,
            Features { presence: Presence::Required, closed_enum: true, packed: false, delimited: true }
        );
        assert_eq!(features.overridden(FeatureOverrides::default()), features);
    }
}
