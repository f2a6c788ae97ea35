//! The field path of an error, gathered while the call stack unwinds.

use std::fmt::Write as _;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    Field(Box<str>),
    Index(usize),
    Key(Box<str>),
}

/// Bytes of a peer's text that an error quotes.
const QUOTED: usize = 80;
/// The same of a name of a type: longer than any that is in use.
const QUOTED_NAME: usize = 256;

/// The beginning of a peer's text, for an error.
#[cold]
pub(crate) fn shortened(text: &[u8]) -> String {
    shortened_to(text, QUOTED)
}

/// The same of a name that a type or an extension may have, which is asked for by that.
#[cold]
pub(crate) fn shortened_name(text: &[u8]) -> String {
    shortened_to(text, QUOTED_NAME)
}

fn shortened_to(text: &[u8], length: usize) -> String {
    let shown = String::from_utf8_lossy(text.get(..text.len().min(length)).unwrap_or_default()).into_owned();
    if text.len() > length { shown + "…" } else { shown }
}

/// Segments, innermost first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Path(Vec<Segment>);

impl Path {
    pub(crate) fn push_outer(&mut self, segment: Segment) {
        self.0.push(segment);
    }

    /// `commands[3].target`, `players["bob"].score`; empty for the outermost message itself.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        for segment in self.0.iter().rev() {
            match segment {
                Segment::Field(name) => {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.push_str(name);
                }
                Segment::Index(index) => {
                    let _ = write!(text, "[{index}]");
                }
                Segment::Key(key) => {
                    let _ = write!(text, "[{key:?}]");
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_outermost_first() {
        let mut path = Path::default();
        path.push_outer(Segment::Field("x".into()));
        path.push_outer(Segment::Key("a\"b".into()));
        path.push_outer(Segment::Field("points".into()));
        path.push_outer(Segment::Index(3));
        path.push_outer(Segment::Field("shapes".into()));
        assert_eq!(path.render(), r#"shapes[3].points["a\"b"].x"#);
    }
}
