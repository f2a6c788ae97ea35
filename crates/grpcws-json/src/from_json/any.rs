//! `Any`: `@type` tells what the other members are, wherever it stands among them.

use super::message::duplicate_type;
use super::parser::{Parser, Step};
use crate::error::FromJsonErrorKind;
use crate::path::shortened;
use crate::table::{MessageType, Shape};
use crate::wire::{LENGTH_DELIMITED, begin_length, end_length, put_tag};

impl<'a> Parser<'a> {
    pub(super) fn any(&mut self, depth: u32) -> Step {
        self.peek();
        let start = self.at;
        let Some((type_url, type_at)) = self.find_type(depth)? else {
            return Ok(());
        };
        self.at = start;
        let resolved = std::str::from_utf8(&type_url).ok().and_then(|url| self.table.by_type_url(url));
        let Some(index) = resolved else {
            let url = shortened(&type_url);
            self.at = type_at;
            return Err(self.error(FromJsonErrorKind::UnresolvableAny(url)));
        };
        put_tag(self.out, 1, LENGTH_DELIMITED);
        self.length_delimited(&type_url);
        let before = self.out.len();
        put_tag(self.out, 2, LENGTH_DELIMITED);
        let mark = begin_length(self.out);
        let message = self.table.message_of(index);
        if message.is_wrapped_in_any() {
            self.wrapped(message, index, depth)?;
        } else {
            let depth = self.deeper(depth)?;
            self.object(message, true, depth)?;
        }
        if self.out.len() == mark {
            self.out.truncate(before);
        } else {
            end_length(self.out, mark);
        }
        Ok(())
    }

    /// Reads ahead for the member `@type`, and where its value stands. `None`, with the object read to its end, where
    /// there is none and need not be.
    fn find_type(&mut self, depth: u32) -> Step<Option<(Vec<u8>, usize)>> {
        let start = self.at;
        if !self.accept(b'{') {
            return Err(self.invalid("an object for google.protobuf.Any", self.at));
        }
        if self.accept(b'}') {
            return Ok(None);
        }
        let mut found = None;
        loop {
            let (name, _) = self.name()?;
            if *name == *b"@type" {
                if self.peek() != Some(b'"') {
                    return Err(self.invalid("a string for \"@type\"", self.at));
                }
                let type_at = self.at;
                found = Some((self.string()?.into_owned(), type_at));
                // What follows is read, and a second "@type" refused, when the members are.
                break;
            }
            // A message takes at most two levels of JSON: its object, and the array or map that it is in.
            self.skip_value(depth.saturating_mul(2))?;
            if !self.another_member()? {
                break;
            }
        }
        match found {
            Some((url, type_at)) if url.is_empty() => {
                self.at = type_at;
                Err(self.error(FromJsonErrorKind::MissingAnyType))
            }
            Some(found) => Ok(Some(found)),
            None if self.discard_unknown => Ok(None),
            None => {
                self.at = start;
                Err(self.error(FromJsonErrorKind::MissingAnyType))
            }
        }
    }

    /// Reads the members of an object in which `value` is the message.
    fn wrapped(&mut self, message: &'a MessageType, index: u32, depth: u32) -> Step {
        let start = self.at;
        let (mut found, mut found_type) = (false, false);
        self.at += 1;
        loop {
            let (name, name_at) = self.name()?;
            match &*name {
                b"value" if found => {
                    self.at = name_at;
                    return Err(self.error(FromJsonErrorKind::DuplicateField { name: "value".to_owned() }));
                }
                b"value" => {
                    found = true;
                    self.message(index, depth)?;
                }
                b"@type" if found_type => {
                    self.at = name_at;
                    return Err(self.error(duplicate_type()));
                }
                b"@type" => {
                    found_type = true;
                    self.skip_value(depth)?;
                }
                _ if self.discard_unknown => self.skip_value(depth)?,
                _ => {
                    self.at = name_at;
                    return Err(self.error(FromJsonErrorKind::UnknownField {
                        name: shortened(&name),
                        message: message.full_name.to_string(),
                    }));
                }
            }
            if !self.another_member()? {
                break;
            }
        }
        // Some encoders leave out the value of an `Empty`.
        if found || message.shape == Shape::Object {
            Ok(())
        } else {
            Err(self.invalid(format!("a member \"value\" for {}", message.full_name), start))
        }
    }
}
