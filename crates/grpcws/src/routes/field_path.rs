//! Fields of a request by their paths: `shelf.id`.

use grpcws_json::{DEFAULT_RECURSION_LIMIT, FieldDescriptor, FieldKind, Message};

use super::error::{FieldError, shortened};
use super::value;

/// Which names a path may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// Those of the `.proto` file. What `google.api.http` says is about them alone: whoever reads a template has to know
    /// which field it means.
    Proto,
    /// Those of the `.proto` file, and those of JSON that no field has there.
    ProtoThenJson,
}

impl Names {
    fn find(self, message: &Message, name: &str) -> Result<FieldDescriptor, FieldError> {
        if let Some(field) = message.field(name) {
            return Ok(field);
        }
        match (self, message.field_by_json_name(name)) {
            (Self::ProtoThenJson, Some(field)) => Ok(field),
            (Self::Proto, Some(field)) => {
                Err(FieldError::JsonName { name: shortened(name), proto_name: field.name().to_owned() })
            }
            (_, None) => {
                Err(FieldError::Unknown { name: shortened(name), message: message.full_name().to_owned() })
            }
        }
    }
}

/// A field that a text can set, and the messages that it is in.
#[derive(Debug, Clone)]
pub(super) struct FieldPath {
    /// From the request inwards; the last one is the field itself.
    pub(super) parents: Vec<FieldDescriptor>,
    pub(super) field: FieldDescriptor,
    /// The key of the entry, if the field is a map.
    pub(super) key: Option<Box<str>>,
}

impl FieldPath {
    /// Finds the field.
    pub(super) fn resolve(request: &Message, path: &str, names: Names) -> Result<Self, FieldError> {
        let found = Self::find(request, path, names)?;
        value::check(&found.field)?;
        Ok(found)
    }

    /// Finds the field of a parameter: by names of the `.proto` file or of JSON, with the key of a map's entry in
    /// brackets, or with empty ones behind a list, as some pages write it.
    pub(super) fn of_parameter(request: &Message, name: &str) -> Result<Self, FieldError> {
        let error = match Self::resolve(request, name, Names::ProtoThenJson) {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        if let Some(found) = Self::of_json_name(request, name) {
            return Ok(found);
        }
        let Some((path, key)) = name.strip_suffix(']').and_then(|name| name.split_once('[')) else {
            return Err(error);
        };
        let Ok(found) = Self::find(request, path, Names::ProtoThenJson) else { return Err(error) };
        if found.field.is_map() {
            value::entry_fields(&found.field)?;
            return Ok(Self { key: Some(key.into()), ..found });
        }
        if !(key.is_empty() && found.field.is_repeated()) {
            return Err(FieldError::NotMap { name: found.field.name().to_owned() });
        }
        value::check(&found.field)?;
        Ok(found)
    }

    fn find(request: &Message, path: &str, names: Names) -> Result<Self, FieldError> {
        let mut parents: Vec<FieldDescriptor> = Vec::new();
        let mut message = request.clone();
        let mut path = path.split('.').peekable();
        while let Some(name) = path.next() {
            let field = names.find(&message, name)?;
            if path.peek().is_none() {
                return Ok(Self { parents, field, key: None });
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

    /// The field whose name in JSON is this whole text, dots included.
    fn of_json_name(request: &Message, name: &str) -> Option<Self> {
        let field = request.field_by_json_name(name).filter(|field| value::check(field).is_ok())?;
        Some(Self { parents: Vec::new(), field, key: None })
    }

    /// Whether an empty text is a value of it.
    pub(super) fn can_be_empty(&self) -> bool {
        match value::entry_fields(&self.field) {
            Ok((_, value)) => value::can_be_empty(&value),
            Err(_) => value::can_be_empty(&self.field),
        }
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
