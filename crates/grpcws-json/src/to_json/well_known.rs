//! The well-known types that are one value: wrappers and `FieldMask`; the others have files of their own.

use std::ops::Range;

use super::writer::{Step, Stop, Writer};
use crate::append::NOTHING;
use crate::error::ToJsonErrorKind;
use crate::field_mask;
use crate::path::shortened;
use crate::table::{Kind, Shape};
use crate::wire::LENGTH_DELIMITED;

impl Writer<'_> {
    pub(super) fn well_known(&mut self, shape: Shape, pieces: &[Range<usize>], depth: u32) -> Step {
        match shape {
            Shape::Any => self.any(pieces, depth),
            Shape::Timestamp => self.timestamp(pieces),
            Shape::Duration => self.duration(pieces),
            Shape::FieldMask => self.field_mask(pieces),
            Shape::Struct => self.struct_object(pieces, depth),
            Shape::Value => self.value_of_struct(pieces, depth),
            Shape::ListValue => self.list_value(pieces, depth),
            Shape::Wrapper(kind) => self.wrapper(kind, pieces),
            // `message` prints plain objects itself.
            Shape::Object => Ok(()),
        }
    }

    fn wrapper(&mut self, kind: Kind, pieces: &[Range<usize>]) -> Step {
        let mut value = None;
        self.scan(pieces, |number, wire_type, reader| {
            if number == 1 && wire_type == kind.wire_type() {
                value = Some(*reader);
            }
            Ok(false)
        })?;
        match value {
            Some(mut reader) => self.scalar::<NOTHING>(kind, &mut reader).map(drop),
            None => {
                self.default_value(kind);
                Ok(())
            }
        }
    }

    fn field_mask(&mut self, pieces: &[Range<usize>]) -> Step {
        let mut paths = Vec::new();
        self.scan(pieces, |number, wire_type, reader| {
            if (number, wire_type) != (1, LENGTH_DELIMITED) {
                return Ok(false);
            }
            paths.push((reader.bytes()?, reader.position()));
            Ok(true)
        })?;
        self.out.push(b'"');
        for (index, (path, offset)) in paths.into_iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            if !field_mask::put_camel_case(&mut self.out, path) {
                let kind = ToJsonErrorKind::FieldMaskPath(shortened(path));
                return Err(Stop::new(kind, offset - path.len()));
            }
        }
        self.out.push(b'"');
        Ok(())
    }
}
