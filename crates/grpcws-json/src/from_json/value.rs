//! `Struct`, `Value` and `ListValue`: any JSON.

use super::parser::{Parser, Step};
use crate::path::Segment;
use crate::table::Kind;
use crate::wire::{FIXED64, LENGTH_DELIMITED, VARINT, begin_length, end_length, put_tag};

impl Parser<'_> {
    pub(super) fn value_of_struct(&mut self, depth: u32) -> Step {
        match self.peek() {
            Some(b'n') if self.accept_null() => {
                put_tag(self.out, 1, VARINT);
                self.out.push(0);
            }
            Some(b'-' | b'0'..=b'9') => {
                put_tag(self.out, 2, FIXED64);
                self.scalar(Kind::Double)?;
            }
            Some(b'"') => {
                put_tag(self.out, 3, LENGTH_DELIMITED);
                self.scalar(Kind::String)?;
            }
            Some(b't' | b'f') => {
                put_tag(self.out, 4, VARINT);
                self.scalar(Kind::Bool)?;
            }
            Some(b'{') => {
                let depth = self.deeper(depth)?;
                self.nested(5, |parser| parser.struct_object(depth))?;
            }
            Some(b'[') => {
                let depth = self.deeper(depth)?;
                self.nested(6, |parser| parser.list_value(depth))?;
            }
            _ => return Err(self.syntax("not a JSON value")),
        }
        Ok(())
    }

    pub(super) fn struct_object(&mut self, depth: u32) -> Step {
        let depth = self.deeper(depth)?;
        self.entries(|parser, name, _| {
            parser.nested(1, |parser| {
                put_tag(parser.out, 1, LENGTH_DELIMITED);
                parser.length_delimited(name);
                parser.nested(2, |parser| parser.value_of_struct(depth))
            })
        })
    }

    pub(super) fn list_value(&mut self, depth: u32) -> Step {
        let depth = self.deeper(depth)?;
        if !self.accept(b'[') {
            return Err(self.invalid("an array for google.protobuf.ListValue", self.at));
        }
        if self.accept(b']') {
            return Ok(());
        }
        let mut index = 0;
        loop {
            self.make_room(0);
            self.nested(1, |parser| parser.value_of_struct(depth))
                .map_err(|error| error.within(Segment::Index(index)))?;
            index += 1;
            if !self.another_element()? {
                return Ok(());
            }
        }
    }

    /// Writes a length-delimited field.
    fn nested(&mut self, number: u32, content: impl FnOnce(&mut Self) -> Step) -> Step {
        put_tag(self.out, number, LENGTH_DELIMITED);
        let mark = begin_length(self.out);
        content(self)?;
        end_length(self.out, mark);
        Ok(())
    }
}
