//! The well-known types that are one value: wrappers and `FieldMask`; the others have files of their own.

use super::parser::{Parser, Step};
use super::scalar::Written;
use crate::field_mask;
use crate::table::{Kind, MessageType, Shape};
use crate::wire::{LENGTH_DELIMITED, begin_length, end_length, put_tag};

impl<'a> Parser<'a> {
    pub(super) fn well_known(&mut self, message: &'a MessageType, shape: Shape, depth: u32) -> Step {
        match shape {
            Shape::Any => self.any(depth),
            Shape::Timestamp => self.timestamp(),
            Shape::Duration => self.duration(),
            Shape::FieldMask => self.field_mask(),
            Shape::Struct => self.struct_object(depth),
            Shape::Value => self.value_of_struct(depth),
            Shape::ListValue => self.list_value(depth),
            Shape::Wrapper(kind) => self.wrapper(kind),
            Shape::Object => self.object(message, false, depth),
        }
    }

    fn wrapper(&mut self, kind: Kind) -> Step {
        let before = self.out.len();
        put_tag(self.out, 1, kind.wire_type());
        if self.scalar(kind)? != Written::Value {
            self.out.truncate(before);
        }
        Ok(())
    }

    fn field_mask(&mut self) -> Step {
        let start = self.at;
        let text = self.string_for("google.protobuf.FieldMask")?;
        if text.is_empty() {
            return Ok(());
        }
        for path in text.split(|&byte| byte == b',') {
            put_tag(self.out, 1, LENGTH_DELIMITED);
            let mark = begin_length(self.out);
            if !field_mask::put_snake_case(self.out, path) {
                return Err(self.invalid("field paths in lowerCamelCase with commas between them", start));
            }
            end_length(self.out, mark);
        }
        Ok(())
    }

    /// Reads the string that a type with this name is written as.
    pub(super) fn string_for(&mut self, name: &str) -> Step<std::borrow::Cow<'a, [u8]>> {
        if self.peek() != Some(b'"') {
            return Err(self.invalid(format!("a string for {name}"), self.at));
        }
        self.string()
    }
}
