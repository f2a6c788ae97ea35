//! Fields of a request by their paths: `shelf.id`, by the names of JSON or of the `.proto` file.

use grpcws_json::{DEFAULT_RECURSION_LIMIT, FieldDescriptor, FieldKind, Message};

use super::error::{FieldError, shortened};
use super::value;

/// A field that a text can set, and the messages that it is in.
#[derive(Debug, Clone)]
pub(super) struct FieldPath {
    /// From the request inwards; the last one is the field itself.
    pub(super) parents: Vec<FieldDescriptor>,
    pub(super) field: FieldDescriptor,
}

impl FieldPath {
    /// Finds the field.
    pub(super) fn resolve(request: &Message, path: &str) -> Result<Self, FieldError> {
        let mut parents: Vec<FieldDescriptor> = Vec::new();
        let mut message = request.clone();
        let mut names = path.split('.').peekable();
        while let Some(name) = names.next() {
            let field = message.field(name).ok_or_else(|| FieldError::Unknown {
                name: shortened(name),
                message: message.full_name().to_owned(),
            })?;
            if names.peek().is_none() {
                value::check(&field)?;
                return Ok(Self { parents, field });
            }
            message = inner(&field)?;
            parents.push(field);
            if parents.len() >= DEFAULT_RECURSION_LIMIT as usize {
                return Err(FieldError::TooDeep);
            }
        }
        // `split` yields at least one name, so the loop has returned.
        Err(FieldError::TooDeep)
    }

    /// The field of the request that the path begins with.
    pub(super) fn outermost(&self) -> &FieldDescriptor {
        self.parents.first().unwrap_or(&self.field)
    }
}

/// The message that a field on the way is.
fn inner(field: &FieldDescriptor) -> Result<Message, FieldError> {
    let name = || field.name().to_owned();
    if field.is_map() {
        return Err(FieldError::Map { name: name() });
    }
    match field.kind() {
        FieldKind::Message(_) if field.is_repeated() => Err(FieldError::Repeated { name: name() }),
        FieldKind::Message(message) => Ok(message),
        _ => Err(FieldError::NotMessage { name: name() }),
    }
}
