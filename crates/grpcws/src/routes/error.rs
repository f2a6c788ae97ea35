//! What can be wrong with a route, or with a request that takes it.

use super::template::TemplateError;

/// A route that is not there, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("route {}{path} of {method}: {reason}", verb.as_deref().map(|verb| format!("{verb} ")).unwrap_or_default())]
#[non_exhaustive]
pub struct RouteError {
    /// The path template.
    pub path: String,
    /// The method that it is bound to: `game.v1.GameService.Subscribe`.
    pub method: String,
    /// The HTTP method of the annotation; `None` for an extra route.
    pub verb: Option<String>,
    /// What is wrong; the text of the error has it too.
    pub reason: Box<RouteErrorReason>,
}

/// Why a route is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteErrorReason {
    /// The path is not a valid template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// No service has the method. Write it as `package.Service/Method`.
    #[error("there is no such method")]
    UnknownMethod,
    /// A variable of the path, or a fixed field, is none that a text can set.
    #[error("{name:?}: {error}")]
    Field {
        /// The field path.
        name: String,
        /// What is wrong with it; the text of the error has it too.
        error: FieldError,
    },
    /// The body is a field that the request does not have. Names are those of the `.proto` file.
    #[error("the request has no field {name:?}, which is to be its body")]
    Body {
        /// The field's name.
        name: String,
    },
    /// The body of the response is a field that the response does not have. Names are those of the `.proto` file.
    #[error("the response has no field {name:?}, which is to be its body")]
    ResponseBody {
        /// The field's name.
        name: String,
    },
    /// Another route has the same path and the same HTTP method, or is an extra route with the same path.
    #[error("the path is that of {method}")]
    Taken {
        /// The method that the path is bound to.
        method: String,
    },
}

/// Why a text cannot set a field of a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// The message has no such field.
    #[error("{message} has no field {name:?}")]
    Unknown {
        /// The name that was looked for, in JSON or in the `.proto` file.
        name: String,
        /// The full name of the message.
        message: String,
    },
    /// The name is the one in JSON, where only names of the `.proto` file count: in a path template.
    #[error("{name:?} is the name in JSON: write {proto_name:?}, as in the .proto file")]
    JsonName {
        /// The name that was looked for.
        name: String,
        /// The name of that field in the `.proto` file.
        proto_name: String,
    },
    /// The path goes on behind a field that is not a message.
    #[error("{name:?} is not a message and has no fields")]
    NotMessage {
        /// The field's name.
        name: String,
    },
    /// The path goes on behind a field that is a list, or a variable of a path names one.
    #[error("{name:?} is repeated")]
    Repeated {
        /// The field's name.
        name: String,
    },
    /// The field is a map. A parameter of a query names a key of it.
    #[error("{name:?} is a map: set its entries by parameters like {name}[key]=value")]
    Map {
        /// The field's name.
        name: String,
    },
    /// A key is given for a field that is not a map.
    #[error("{name:?} is not a map and has no keys")]
    NotMap {
        /// The field's name.
        name: String,
    },
    /// An entry of a map is given twice.
    #[error("the key {key:?} is given twice")]
    Key {
        /// The beginning of the key.
        key: String,
    },
    /// The field is a message that has no text form.
    #[error("{name:?} is a {message}: set its fields by paths like {name}.field")]
    Message {
        /// The field's name.
        name: String,
        /// The full name of its type.
        message: String,
    },
    /// The path has more names than messages may nest.
    #[error("it nests too deeply")]
    TooDeep,
    /// The field has a value already.
    #[error("it is already set by the {0}")]
    Taken(Source),
    /// Another field of the same oneof has a value already.
    #[error("another field of its oneof is already set")]
    Oneof,
    /// The field is part of the body.
    #[error("it is part of the body")]
    Body,
    /// The text is not a value of the field's type.
    #[error("expected {expected}, found {found:?}")]
    Value {
        /// What would be valid.
        expected: String,
        /// The beginning of what is there.
        found: String,
    },
}

/// Where the value of a field comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// A fixed field of the route.
    Route,
    /// A variable of the path.
    Path,
    /// A parameter of the query.
    Query,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Route => "route",
            Self::Path => "path",
            Self::Query => "query",
        })
    }
}

/// Characters of a request's text that an error quotes.
const QUOTED: usize = 60;

/// The beginning of a request's text, for an error.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
