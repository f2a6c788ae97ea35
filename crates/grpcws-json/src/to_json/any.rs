//! `Any`: the members of the message that it holds, and `@type`.

use std::ops::Range;

use super::string::put_string;
use super::writer::{Step, Stop, Writer};
use crate::base64;
use crate::error::ToJsonErrorKind;
use crate::path::shortened;
use crate::table::Shape;
use crate::wire::LENGTH_DELIMITED;

impl Writer<'_> {
    pub(super) fn any(&mut self, pieces: &[Range<usize>], depth: u32) -> Step {
        let offset = pieces.first().map_or(0, |piece| piece.start);
        let mut type_url: &[u8] = &[];
        let mut value = offset..offset;
        self.scan(pieces, |number, wire_type, reader| {
            match (number, wire_type) {
                (1, LENGTH_DELIMITED) => type_url = reader.bytes()?,
                (2, LENGTH_DELIMITED) => value = reader.payload()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let url =
            std::str::from_utf8(type_url).map_err(|_| Stop::new(ToJsonErrorKind::InvalidUtf8, offset))?;
        if url.is_empty() && value.is_empty() {
            self.out.extend_from_slice(b"{}");
            return Ok(());
        }
        let Some(index) = self.table.by_type_url(url) else {
            if let Some(missing) = &mut self.missing {
                missing.note_any(url);
            }
            if self.opaque_any {
                return self.opaque(url, value);
            }
            return Err(Stop::new(ToJsonErrorKind::UnresolvableAny(shortened(type_url)), offset));
        };
        self.out.extend_from_slice(b"{\"@type\":");
        put_string(&mut self.out, url);
        self.out.push(b',');
        let message = self.table.message_of(index);
        let value = std::slice::from_ref(&value);
        if message.is_wrapped_in_any() {
            self.out.extend_from_slice(b"\"value\":");
            self.message(index, value, depth)?;
        } else {
            debug_assert_eq!(message.shape, Shape::Object);
            let depth = self.deeper(depth, offset)?;
            self.fields(message, value, depth)?;
        }
        self.close(b'}');
        Ok(())
    }

    /// Prints an `Any` whose type is not in the table.
    fn opaque(&mut self, url: &str, value: Range<usize>) -> Step {
        self.out.extend_from_slice(b"{\"@type\":");
        put_string(&mut self.out, url);
        self.out.extend_from_slice(b",\"@value\":\"");
        let bytes = self.input.get(value.clone()).unwrap_or_default();
        self.make_room(bytes.len().div_ceil(3).saturating_mul(4), value.end)?;
        base64::encode(bytes, &mut self.out);
        self.out.extend_from_slice(b"\",\"@error\":\"the type is not among the descriptors\"}");
        Ok(())
    }
}
