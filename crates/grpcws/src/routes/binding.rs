//! The binding of a template to a method: its variables are known to be fields of the request.

use grpcws_json::{FieldDescriptor, FieldKind, Message};

use super::error::{FieldError, RouteErrorReason, Source};
use super::extra::ExtraRoute;
use super::field_path::{FieldPath, Names};
use super::fields::Fields;
use super::template::{Template, Variable};
use crate::services::{HttpRule, Method};

/// A template that is bound to a method.
#[derive(Debug)]
pub(super) struct Binding {
    /// The HTTP method; none for an extra route.
    pub(super) verb: Option<Box<str>>,
    /// The template's text.
    pub(super) path: Box<str>,
    pub(super) template: Template,
    pub(super) method: Method,
    /// Where the values of the template's variables go, in their order.
    pub(super) targets: Vec<FieldPath>,
    pub(super) body: Body,
    /// The field that clients of JSON get of a response; none for the whole of it.
    pub(super) response_body: Option<FieldDescriptor>,
    /// The fixed fields.
    pub(super) fixed: Fields,
    /// Whether it is the one that is called if a client does not choose among those with the same paths.
    pub(super) is_default: bool,
}

/// What a request message of the client is.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// There is none.
    None,
    /// A whole request.
    Whole,
    /// A field of the request that is one message.
    Message { field: FieldDescriptor, message: Message },
    /// Any other field: a list, a map, a scalar, a group.
    Value { field: FieldDescriptor },
}

/// What a route says of its messages.
struct Rule<'a> {
    verb: Option<&'a str>,
    path: &'a str,
    body: Option<&'a str>,
    response_body: Option<&'a str>,
    fields: &'a [(String, String)],
}

impl Binding {
    pub(super) fn of_rule(method: &Method, rule: &HttpRule) -> Result<Self, RouteErrorReason> {
        let (verb, path) = (Some(rule.verb()), rule.path());
        let rule = Rule { verb, path, body: rule.body(), response_body: rule.response_body(), fields: &[] };
        Self::new(method, &rule)
    }

    pub(super) fn of_extra(method: &Method, extra: &ExtraRoute) -> Result<Self, RouteErrorReason> {
        let (body, response_body) = (extra.body.as_deref(), extra.response_body.as_deref());
        Self::new(method, &Rule { verb: None, path: &extra.path, body, response_body, fields: &extra.fields })
    }

    fn new(method: &Method, rule: &Rule<'_>) -> Result<Self, RouteErrorReason> {
        let Rule { verb, path, fields, .. } = *rule;
        let template = Template::parse(path)?;
        let body = Body::resolve(method, rule.body)?;
        let response_body = response_body(method, rule.response_body)?;
        let mut fixed = Fields::default();
        for (name, value) in fields {
            let target = FieldPath::resolve(method.request(), name, Names::ProtoThenJson);
            target
                .and_then(|target| fixed.set(&target, value, Source::Route))
                .map_err(|error| RouteErrorReason::Field { name: name.clone(), error })?;
        }
        let mut targets = Vec::with_capacity(template.variables.len());
        let mut taken = fixed.clone();
        for variable in &template.variables {
            let target = target(method.request(), variable, &mut taken).map_err(|error| {
                RouteErrorReason::Field { name: variable.field_path.clone().into(), error }
            })?;
            targets.push(target);
        }
        let (verb, path, method) = (verb.map(Into::into), path.into(), method.clone());
        Ok(Self { verb, path, template, method, targets, body, response_body, fixed, is_default: false })
    }

    /// Whether a client that asks for an HTTP method can get this route. `exact` leaves out the kind `*`.
    pub(super) fn has_verb(&self, verb: &str, exact: bool) -> bool {
        match self.verb.as_deref() {
            None => exact,
            Some("*") => !exact,
            Some(own) => exact && own.eq_ignore_ascii_case(verb),
        }
    }

    /// Whether no client can get `other` if both match the same paths, since all get this one.
    pub(super) fn shadows(&self, other: &Self) -> bool {
        match (&self.verb, &other.verb) {
            (None, _) => true,
            (Some(own), Some(other)) => own.eq_ignore_ascii_case(other),
            (Some(_), None) => false,
        }
    }

    /// Whether path and query are the whole request, so that the call starts at once.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self.body, Body::None)
    }

    pub(super) fn payload(&self) -> &Message {
        match &self.body {
            Body::Message { message, .. } => message,
            Body::None | Body::Whole | Body::Value { .. } => self.method.request(),
        }
    }
}

/// The field that a variable sets, which nothing else of the route sets.
fn target(request: &Message, variable: &Variable, taken: &mut Fields) -> Result<FieldPath, FieldError> {
    let target = FieldPath::resolve(request, &variable.field_path, Names::Proto)?;
    taken.reserve(&target, Source::Path)?;
    Ok(target)
}

impl Body {
    fn resolve(method: &Method, body: Option<&str>) -> Result<Self, RouteErrorReason> {
        let name = match body {
            None | Some("") if method.kind().is_client_streaming() => return Ok(Self::Whole),
            None | Some("") => return Ok(Self::None),
            Some("*") => return Ok(Self::Whole),
            Some(name) => name,
        };
        let field = method.request().field(name);
        let field = field.ok_or_else(|| RouteErrorReason::Body { name: name.to_owned() })?;
        Ok(match field.kind() {
            // What is between group tags could end the group, and set fields outside of it.
            FieldKind::Message(message) if !field.is_repeated() && !field.is_delimited() => {
                Self::Message { field, message }
            }
            _ => Self::Value { field },
        })
    }

    /// The field that the client's messages set.
    pub(super) fn field(&self) -> Option<&FieldDescriptor> {
        match self {
            Self::Message { field, .. } | Self::Value { field } => Some(field),
            Self::None | Self::Whole => None,
        }
    }

    /// As in `google.api.http`.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Whole => Some("*"),
            Self::Message { field, .. } | Self::Value { field } => Some(field.name()),
        }
    }
}

fn response_body(method: &Method, name: Option<&str>) -> Result<Option<FieldDescriptor>, RouteErrorReason> {
    let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(None) };
    let field = method.response().field(name);
    field.map(Some).ok_or_else(|| RouteErrorReason::ResponseBody { name: name.to_owned() })
}
