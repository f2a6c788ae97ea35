//! What is printed for fields that are not set, where the options ask for it.

use super::writer::{Unpopulated, Writer};
use crate::append::NOTHING;
use crate::table::{Cardinality, Field, Kind, MessageType, NONE};

impl Writer<'_> {
    /// Prints the unset fields between two indices.
    #[inline]
    pub(super) fn unpopulated_fields(&mut self, message: &MessageType, from: u32, to: u32) {
        if self.unpopulated != Unpopulated::Omit && from < to {
            self.print_unpopulated(message, from, to);
        }
    }

    fn print_unpopulated(&mut self, message: &MessageType, from: u32, to: u32) {
        let to = (to as usize).min(message.fields.len());
        for field in message.fields.get(from as usize..to).unwrap_or_default() {
            if field.oneof == NONE && !field.extension {
                self.print_default(field);
            }
        }
    }

    fn print_default(&mut self, field: &Field) {
        let before = self.out.len();
        self.key(field);
        match field.cardinality {
            Cardinality::Repeated => self.out.extend_from_slice(b"[]"),
            Cardinality::Map => self.out.extend_from_slice(b"{}"),
            Cardinality::Singular if field.implicit => self.default_value(field.kind),
            Cardinality::Singular if self.unpopulated == Unpopulated::DefaultsAndNull => {
                self.out.extend_from_slice(b"null");
            }
            Cardinality::Singular => {
                self.out.truncate(before);
                return;
            }
        }
        self.out.push(b',');
    }

    /// Prints what a field that is not set reads as: `null` if it has presence.
    pub(super) fn value_of_unset(&mut self, field: &Field) {
        match field.cardinality {
            Cardinality::Repeated => self.out.extend_from_slice(b"[]"),
            Cardinality::Map => self.out.extend_from_slice(b"{}"),
            Cardinality::Singular if field.implicit => self.default_value(field.kind),
            Cardinality::Singular => self.out.extend_from_slice(b"null"),
        }
    }

    /// Prints the zero of a scalar type.
    pub(super) fn default_value(&mut self, kind: Kind) {
        let text: &[u8] = match kind {
            Kind::Int64 | Kind::Uint64 | Kind::Fixed64 | Kind::Sfixed64 | Kind::Sint64 => b"\"0\"",
            Kind::Bool => b"false",
            Kind::String | Kind::Bytes => b"\"\"",
            Kind::Enum(index) => {
                let first = self.table.enum_of(index).first;
                return self.enum_value::<NOTHING>(index, first);
            }
            Kind::Message(_) | Kind::Group(_) => b"{}",
            _ => b"0",
        };
        self.out.extend_from_slice(text);
    }
}
