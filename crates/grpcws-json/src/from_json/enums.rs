//! Enum values: names, and numbers.

use super::parser::{Parser, Step};
use crate::error::{FromJsonError, FromJsonErrorKind};
use crate::path::shortened;
use crate::table::Kind;

impl Parser<'_> {
    /// Reads an enum value; `None` where it is unknown and to be discarded.
    pub(super) fn enum_value(&mut self, index: u32) -> Step<Option<i32>> {
        let found = self.table.enum_of(index);
        let next = self.peek();
        let start = self.at;
        let unknown = |value: String| {
            let kind =
                FromJsonErrorKind::UnknownEnumValue { value, enumeration: found.full_name.to_string() };
            FromJsonError::new(kind, start)
        };
        match next {
            Some(b'"') => {
                let name = self.string()?;
                match found.number(&name) {
                    Some(number) => Ok(Some(number)),
                    None if self.discard_unknown => Ok(None),
                    None => Err(unknown(format!("{:?}", shortened(&name)))),
                }
            }
            Some(b'n') if found.null_value && self.accept_null() => Ok(Some(0)),
            Some(b'-' | b'0'..=b'9') => {
                let number = self.signed32(Kind::Enum(index))?;
                if !found.closed || found.quoted_name(number).is_some() {
                    Ok(Some(number))
                } else if self.discard_unknown {
                    Ok(None)
                } else {
                    Err(unknown(number.to_string()))
                }
            }
            _ => Err(self.invalid(format!("a value of enum {}", found.full_name), start)),
        }
    }
}
