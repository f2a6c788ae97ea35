//! Messages: objects with a member per field.

use super::parser::{Parser, Step};
use super::seen::Seen;
use crate::error::{FromJsonError, FromJsonErrorKind};
use crate::path::{Segment, shortened, shortened_name};
use crate::table::{Field, MessageType, NONE, Shape};

impl<'a> Parser<'a> {
    /// Reads a message and writes its fields, without the length.
    pub(super) fn message(&mut self, index: u32, depth: u32) -> Step {
        self.peek();
        let depth = self.deeper(depth)?;
        let message = self.table.message_of(index);
        match message.shape {
            Shape::Object => self.object(message, false, depth),
            shape => self.well_known(message, shape, depth),
        }
    }

    /// Reads an object's members. In an `Any`, one of them is `@type`, which was read before.
    pub(super) fn object(&mut self, message: &'a MessageType, in_any: bool, depth: u32) -> Step {
        if !self.accept(b'{') {
            return Err(self.invalid(format!("an object for {}", message.full_name), self.at));
        }
        let mut seen = Seen::default();
        let mut any_type = in_any.then_some(false);
        if !self.accept(b'}') {
            let mut expected = message.declared_first;
            loop {
                self.make_room(0);
                if let Some((index, field, key_at)) =
                    self.member(message, expected, any_type.as_mut(), depth)?
                {
                    expected = field.declared_next;
                    if !seen.insert(index) {
                        return Err(duplicate(field, key_at));
                    }
                    self.field(message, field, key_at, &mut seen, depth)
                        .map_err(|error| within_field(error, field))?;
                }
                if !self.another_member()? {
                    break;
                }
            }
        }
        if message.required.is_empty() || self.allow_partial {
            Ok(())
        } else {
            self.check_required(message, &seen)
        }
    }

    /// Reads a key and the colon: which field it is, and where the key stands. `None` where the member was skipped.
    #[inline]
    fn member(
        &mut self,
        message: &'a MessageType,
        expected: u32,
        any_type: Option<&mut bool>,
        depth: u32,
    ) -> Step<Option<(u32, &'a Field, usize)>> {
        self.peek();
        let key_at = self.at;
        // Most encoders write the fields as they are declared, and no space before the colon.
        if let Some(field) = message.fields.get(expected as usize)
            && self.text.get(self.at..).is_some_and(|rest| field.json_key.begins(rest))
        {
            self.at += field.json_key.len();
            return Ok(Some((expected, field, key_at)));
        }
        let (name, _) = self.name()?;
        let found = message.names.find(&name);
        if let Some(index) = found
            && let Some(field) = message.fields.get(index as usize)
        {
            return Ok(Some((index, field, key_at)));
        }
        let is_type = match any_type {
            Some(seen) if *name == *b"@type" => {
                if std::mem::replace(seen, true) {
                    return Err(FromJsonError::new(duplicate_type(), key_at));
                }
                true
            }
            _ => false,
        };
        if !is_type && !self.discard_unknown {
            let kind = FromJsonErrorKind::UnknownField {
                name: if name.first() == Some(&b'[') { shortened_name(&name) } else { shortened(&name) },
                message: message.full_name.to_string(),
            };
            return Err(FromJsonError::new(kind, key_at));
        }
        self.skip_value(depth)?;
        Ok(None)
    }

    /// Two members of one oneof exclude each other.
    #[inline]
    pub(super) fn check_oneof(
        &self,
        message: &MessageType,
        field: &Field,
        key_at: usize,
        seen: &mut Seen,
    ) -> Step {
        if field.oneof == NONE {
            return Ok(());
        }
        // Oneofs are counted on behind the fields.
        let number = u32::try_from(message.fields.len()).unwrap_or(NONE).saturating_add(field.oneof);
        if seen.insert(number) {
            return Ok(());
        }
        let oneof = message.oneofs.get(field.oneof as usize).map_or("", |name| name);
        let kind =
            FromJsonErrorKind::OneofConflict { name: field.json_name.to_string(), oneof: oneof.to_owned() };
        Err(FromJsonError::new(kind, key_at))
    }

    #[cold]
    fn check_required(&self, message: &MessageType, seen: &Seen) -> Step {
        for &index in &message.required {
            if seen.contains(index) {
                continue;
            }
            let field = message.fields.get(index as usize).map_or("", |field| &field.json_name);
            let kind = FromJsonErrorKind::MissingRequired {
                field: field.to_owned(),
                message: message.full_name.to_string(),
            };
            return Err(FromJsonError::new(kind, self.at.saturating_sub(1)));
        }
        Ok(())
    }
}

fn duplicate_type() -> FromJsonErrorKind {
    FromJsonErrorKind::DuplicateField { name: "@type".to_owned() }
}

#[cold]
fn duplicate(field: &Field, at: usize) -> FromJsonError {
    FromJsonError::new(FromJsonErrorKind::DuplicateField { name: field.json_name.to_string() }, at)
}

/// Errors that are about the member itself already name it.
#[cold]
fn within_field(error: FromJsonError, field: &Field) -> FromJsonError {
    if matches!(error.kind(), FromJsonErrorKind::OneofConflict { name, .. } if *name == *field.json_name) {
        return error;
    }
    error.within(Segment::Field(field.json_name.clone()))
}
