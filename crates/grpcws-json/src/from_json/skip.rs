//! Values that are read and not used. They must be JSON all the same.

use super::parser::{Parser, Step};

impl Parser<'_> {
    pub(super) fn skip_value(&mut self, depth: u32) -> Step {
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
        self.at += 1;
        if self.accept(b'}') {
            return Ok(());
        }
        loop {
            self.name()?;
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
