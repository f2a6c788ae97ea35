//! `Any`: `@type` tells what the other members are, wherever it stands among them.

use std::borrow::Cow;

use super::parser::{Parser, Step};
use crate::error::FromJsonErrorKind;
use crate::path::{shortened, shortened_name};
use crate::table::{MessageType, Shape};
use crate::wire::{LENGTH_DELIMITED, begin_length, end_length, put_tag};

/// The member that names the type.
pub(super) const TYPE: &[u8] = b"@type";

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
            if self.opaque_any && self.opaque(&type_url, depth)? {
                return Ok(());
            }
            let url = shortened_name(&type_url);
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

    /// Finds the value of the member `@type`, and where it stands. `None`, with the object read to its end, where there is
    /// none and need not be.
    fn find_type(&mut self, depth: u32) -> Step<Option<(Cow<'a, [u8]>, usize)>> {
        let start = self.at;
        if !self.accept(b'{') {
            return Err(self.invalid("an object for google.protobuf.Any", self.at));
        }
        if self.accept(b'}') {
            return Ok(None);
        }
        if let Some(type_at) = self.any_types.take(start) {
            self.at = type_at;
            return self.type_url().map(Some);
        }
        self.any_types.begin(start);
        loop {
            let (name, _) = self.name()?;
            if *name == *TYPE {
                // What follows is read, and a second "@type" refused, when the members are.
                self.any_types.finish(self.at);
                return self.type_url().map(Some);
            }
            // A message takes at most two levels of JSON: its object, and the array or map that it is in.
            self.skip_value(depth.saturating_mul(2))?;
            if !self.another_member()? {
                break;
            }
        }
        self.any_types.finish(self.at);
        if self.discard_unknown {
            return Ok(None);
        }
        self.at = start;
        Err(self.error(FromJsonErrorKind::MissingAnyType))
    }

    fn type_url(&mut self) -> Step<(Cow<'a, [u8]>, usize)> {
        if self.peek() != Some(b'"') {
            return Err(self.invalid("a string for \"@type\"", self.at));
        }
        let type_at = self.at;
        let url = self.string()?;
        if url.is_empty() {
            self.at = type_at;
            return Err(self.error(FromJsonErrorKind::MissingAnyType));
        }
        Ok((url, type_at))
    }

    /// Reads an object whose type is not in the table, and has its bytes in `@value`. `false`, with nothing written, where
    /// it has other members in their place.
    fn opaque(&mut self, type_url: &[u8], depth: u32) -> Step<bool> {
        let start = self.out.len();
        put_tag(self.out, 1, LENGTH_DELIMITED);
        self.length_delimited(type_url);
        let (mut found, mut found_type) = (false, false);
        self.at += 1;
        loop {
            let (name, name_at) = self.name()?;
            match &*name {
                b"@value" => {
                    self.once(&mut found, "@value", name_at)?;
                    put_tag(self.out, 2, LENGTH_DELIMITED);
                    self.bytes_value()?;
                }
                b"@type" => {
                    self.once(&mut found_type, "@type", name_at)?;
                    self.skip_value(depth)?;
                }
                b"@error" => self.skip_value(depth)?,
                _ if self.discard_unknown => self.skip_value(depth)?,
                _ => {
                    found = false;
                    break;
                }
            }
            if !self.another_member()? {
                break;
            }
        }
        if !found {
            self.out.truncate(start);
        }
        Ok(found)
    }

    /// Notes that a member has come; it may come once.
    fn once(&mut self, found: &mut bool, name: &str, name_at: usize) -> Step {
        if std::mem::replace(found, true) {
            self.at = name_at;
            return Err(self.error(FromJsonErrorKind::DuplicateField { name: name.to_owned() }));
        }
        Ok(())
    }

    /// Reads the members of an object in which `value` is the message.
    fn wrapped(&mut self, message: &'a MessageType, index: u32, depth: u32) -> Step {
        let start = self.at;
        let (mut found, mut found_type) = (false, false);
        self.at += 1;
        loop {
            let (name, name_at) = self.name()?;
            match &*name {
                b"value" => {
                    self.once(&mut found, "value", name_at)?;
                    self.message(index, depth)?;
                }
                b"@type" => {
                    self.once(&mut found_type, "@type", name_at)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Table, UnmarshalOptions};

    /// Reads an `Any` and tells how many values were read and not used.
    fn skipped(json: &str) -> usize {
        let table = Table::from_file_descriptor_set(&[]).expect("the well-known types are always there");
        let any = table.message("google.protobuf.Any").expect("a well-known type");
        let options = UnmarshalOptions::default().recursion_limit(u32::MAX).discard_unknown(true);
        let mut out = Vec::new();
        let mut parser = Parser::new(&any.data, json.as_bytes(), 0, &options, &mut out);
        parser.outermost(any.index).unwrap_or_else(|error| panic!("{error}: {json}"));
        assert_eq!(parser.offset(), json.len());
        parser.skipped
    }

    /// Were what is nested read ahead of on each level, the innermost values would be passed once for each.
    #[test]
    fn values_are_passed_a_bounded_number_of_times() {
        let zeros = "0,".repeat(50) + "0";
        let any = r#""@type":"google.protobuf.Any""#;
        for (before, behind) in [
            (String::new(), format!(",{any}")),
            (format!(r#""unknown":[{zeros}],"#), format!(",{any}")),
            (format!(r#""unknown":{{"a":{{"b":1,"@type":0}},"@type":[{zeros}]}},"#), format!(",{any}")),
            (format!(r#""unknown":[{zeros}],"#), format!(r#",{any},"more":[{zeros}]"#)),
            (format!("{any},"), String::new()),
            (String::new(), String::new()),
        ] {
            let innermost = format!(r#"{{"value":[{zeros}],"@type":"a/google.protobuf.ListValue"}}"#);
            let all = (0..400).fold(innermost, |inner, _| format!(r#"{{{before}"value":{inner}{behind}}}"#));
            let json = format!(r#"{{"value":{all},{any}}}"#);
            let (values, skipped) = (json.matches([':', '0']).count(), skipped(&json));
            assert!(skipped <= 3 * values, "{skipped} of {values}: {before} {behind}");
        }
    }
}
