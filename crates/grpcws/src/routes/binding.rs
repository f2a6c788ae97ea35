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
    /// The template's text.
    pub(super) path: Box<str>,
    pub(super) template: Template,
    pub(super) method: Method,
    /// Where the values of the template's variables go, in their order.
    pub(super) targets: Vec<FieldPath>,
    pub(super) body: Body,
    /// The fixed fields.
    pub(super) fixed: Fields,
}

/// What a request message of the client is.
#[derive(Debug, Clone)]
pub(super) enum Body {
    /// There is none.
    None,
    /// A whole request.
    Whole,
    /// A field of the request.
    Field { field: FieldDescriptor, message: Message },
}

impl Binding {
    pub(super) fn of_rule(method: &Method, rule: &HttpRule) -> Result<Self, RouteErrorReason> {
        Self::new(method, rule.path(), rule.body(), &[])
    }

    pub(super) fn of_extra(method: &Method, extra: &ExtraRoute) -> Result<Self, RouteErrorReason> {
        Self::new(method, &extra.path, extra.body.as_deref(), &extra.fields)
    }

    fn new(
        method: &Method,
        path: &str,
        body: Option<&str>,
        fields: &[(String, String)],
    ) -> Result<Self, RouteErrorReason> {
        let template = Template::parse(path)?;
        let body = Body::resolve(method, body)?;
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
        Ok(Self { path: path.into(), template, method: method.clone(), targets, body, fixed })
    }

    /// Whether path and query are the whole request, so that the call starts at once.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self.body, Body::None)
    }

    pub(super) fn payload(&self) -> &Message {
        match &self.body {
            Body::Field { message, .. } => message,
            Body::None | Body::Whole => self.method.request(),
        }
    }
}

/// The field that a variable sets: one value that nothing else of the route sets.
fn target(request: &Message, variable: &Variable, taken: &mut Fields) -> Result<FieldPath, FieldError> {
    let target = FieldPath::resolve(request, &variable.field_path, Names::Proto)?;
    if target.field.is_repeated() {
        return Err(FieldError::Repeated { name: target.field.name().to_owned() });
    }
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
        // What is between group tags could end the group, and set fields outside of it.
        let fits = |field: &FieldDescriptor| !field.is_repeated() && !field.is_delimited();
        let field = method.request().field(name).filter(fits);
        match field.as_ref().map(FieldDescriptor::kind).zip(field) {
            Some((FieldKind::Message(message), field)) => Ok(Self::Field { field, message }),
            _ => Err(RouteErrorReason::Body { name: name.to_owned() }),
        }
    }
}
