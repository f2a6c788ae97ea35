//! What messages hold and the table lacks.

use crate::error::{FromJsonError, FromJsonErrorKind};

/// How many are noted of one message.
pub(crate) const MOST: usize = 16;

/// The longest name that is noted.
const LONGEST: usize = 512;

/// A type or an extension that a message has and the table lacks. Server reflection can be asked for either.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MissingType {
    /// The full name of the message type of an `Any`, or of an extension.
    Symbol(String),
    /// An extension by its number.
    Extension {
        /// The full name of the message that is extended.
        message: String,
        /// The number of the field.
        number: u32,
    },
}

impl MissingType {
    /// What kept a JSON text from being read, if it is a type or an extension that the table lacks.
    #[must_use]
    pub fn of_error(error: &FromJsonError) -> Option<Self> {
        match error.kind() {
            FromJsonErrorKind::UnresolvableAny(url) => symbol(type_name(url)),
            FromJsonErrorKind::UnknownField { name, .. } => {
                symbol(name.strip_prefix('[')?.strip_suffix(']')?)
            }
            _ => None,
        }
    }
}

/// What [`Message::to_json_noting`](crate::Message::to_json_noting) has found to be missing: each once, and at most 16.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MissingTypes(Vec<MissingType>);

impl MissingTypes {
    /// Whether nothing is missing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is missing.
    pub fn iter(&self) -> impl Iterator<Item = &MissingType> {
        self.0.iter()
    }

    /// Notes the type of an `Any`, by its URL or name.
    pub fn note_any(&mut self, url: &str) {
        if let Some(missing) = symbol(type_name(url)) {
            self.note(missing);
        }
    }

    pub(crate) fn note_extension(&mut self, message: &str, number: u32) {
        self.note(MissingType::Extension { message: message.to_owned(), number });
    }

    fn note(&mut self, missing: MissingType) {
        if self.0.len() < MOST && !self.0.contains(&missing) {
            self.0.push(missing);
        }
    }
}

impl IntoIterator for MissingTypes {
    type Item = MissingType;
    type IntoIter = std::vec::IntoIter<MissingType>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

fn type_name(url: &str) -> &str {
    url.rsplit_once('/').map_or(url, |(_, name)| name)
}

/// The symbol of this name, if it is one that a file can declare.
fn symbol(name: &str) -> Option<MissingType> {
    let is_identifier = |part: &str| {
        let first = part.bytes().next();
        first.is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    (name.len() <= LONGEST && name.split('.').all(is_identifier))
        .then(|| MissingType::Symbol(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_a_file_can_declare_are_asked_for() {
        assert_eq!(symbol(type_name("a/b.C")), Some(MissingType::Symbol("b.C".to_owned())));
        for name in ["", "a..b", ".a", "1a", "a b", "é", &"a".repeat(513)] {
            assert_eq!(symbol(name), None, "{name}");
        }
    }
}
