//! Values that are read and not used. They must be JSON all the same.

use super::any::TYPE;
use super::parser::{Parser, Step};

impl Parser<'_> {
    pub(super) fn skip_value(&mut self, depth: u32) -> Step {
        #[cfg(test)]
        {
            self.skipped += 1;
        }
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'{') => self.skip_object(depth),
            Some(b'[') => self.skip_array(depth),
            Some(b'-' | b'0'..=b'9') => self.bare_number().map(drop),
            _ => {
                let literal =
                    [&b"true"[..], b"false", b"null"].iter().any(|literal| self.accept_literal(literal));
                if literal { Ok(()) } else { Err(self.syntax("not a JSON value")) }
            }
        }
    }

    fn skip_object(&mut self, depth: u32) -> Step {
        let depth = self.deeper(depth)?;
        let start = self.at;
        self.at += 1;
        if self.accept(b'}') {
            return Ok(());
        }
        let (mut first, mut noted) = (true, !self.any_types.ahead);
        loop {
            let (name, _) = self.name()?;
            if !noted && *name == *TYPE {
                noted = true;
                // A type that comes first needs no note.
                if !first {
                    self.peek();
                    self.any_types.note(start, self.at);
                }
            }
            first = false;
            self.skip_value(depth)?;
            if !self.another_member()? {
                return Ok(());
            }
        }
    }

    fn skip_array(&mut self, depth: u32) -> Step {
        let depth = self.deeper(depth)?;
        self.at += 1;
        if self.accept(b']') {
            return Ok(());
        }
        loop {
            self.skip_value(depth)?;
            if !self.another_element()? {
                return Ok(());
            }
        }
    }
}
