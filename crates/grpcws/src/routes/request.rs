//! A request that takes a route: what its path and its query set.

use bytes::Bytes;
use grpcws_json::{FieldDescriptor, Message};
use grpcws_proto::Status;
use prost::DecodeError;

use super::binding::{Binding, Body};
use super::choice::{Choice, PARAMETER, needs_choice};
use super::decode;
use super::error::{FieldError, Source, shortened};
use super::field_path::FieldPath;
use super::fields::Fields;
use super::merge::{merge, other_field};
use super::router::split_verb;
use super::template::Variable;
use super::value::put_message;
use crate::codec::Codec;
use crate::services::Method;

/// The route that a path takes.
#[derive(Debug, Clone)]
pub struct RouteMatch<'a> {
    binding: &'a Binding,
    path: &'a str,
    choice: Choice,
    /// The routes that have the same paths, if the client chose none of them.
    others: Vec<&'a Binding>,
}

/// What a request message does that a client sends to a route that has none.
#[derive(Debug)]
pub(crate) enum Unexpected<'a> {
    /// It is the request of another route of the same method.
    Taken(RouteMatch<'a>),
    /// It is refused, since the client may have meant another method.
    Refused(Status),
}

impl<'a> RouteMatch<'a> {
    pub(super) fn new(binding: &'a Binding, path: &'a str, choice: Choice, others: Vec<&'a Binding>) -> Self {
        Self { binding, path, choice, others }
    }

    /// The method to call.
    #[must_use]
    pub fn method(&self) -> &'a Method {
        &self.binding.method
    }

    /// The HTTP method of the annotation; `None` for an extra route.
    #[must_use]
    pub fn verb(&self) -> Option<&'a str> {
        self.binding.verb.as_deref()
    }

    /// The path template, which is the same for all paths that take this route.
    #[must_use]
    pub fn template(&self) -> &'a str {
        &self.binding.path
    }

    /// Whether path and query are the whole request, so that the call starts at once and the client sends no request
    /// message.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.binding.is_complete()
    }

    /// The type of the request messages that the client sends in `grpcws.v1.proto`: the field of the request that the
    /// route has as its body if that is one message, and else the method's request, which then has nothing but the body
    /// in it.
    #[must_use]
    pub fn payload(&self) -> &'a Message {
        self.binding.payload()
    }

    /// The field of the request that the client's messages are; `None` if they are whole requests, or if there are none.
    #[must_use]
    pub fn body(&self) -> Option<&'a FieldDescriptor> {
        self.binding.body.field()
    }

    /// The field of the response that clients of JSON get; `None` for the whole of it.
    #[must_use]
    pub fn response_body(&self) -> Option<&'a FieldDescriptor> {
        self.binding.response_body.as_ref()
    }

    /// What transcodes the messages.
    pub(crate) fn codec(&self) -> Codec {
        let codec = Codec::of(self.payload(), self.method().response());
        let codec = match &self.binding.body {
            Body::Value { field } => codec.request_field(field.clone()),
            Body::None | Body::Whole | Body::Message { .. } => codec,
        };
        codec.response_field(self.binding.response_body.clone())
    }

    /// What a request message of the client does if this route has none, but others with the same paths do. `None` if the
    /// client has chosen this one, or if no other has a message.
    pub(crate) fn unexpected(&self) -> Option<Unexpected<'a>> {
        if self.choice == Choice::Verb || !self.is_complete() {
            return None;
        }
        let with_body: Vec<&'a Binding> =
            self.others.iter().copied().filter(|other| !other.is_complete()).collect();
        let same = with_body.iter().find(|other| other.method.path() == self.method().path());
        match same {
            Some(same) => Some(Unexpected::Taken(Self::new(same, self.path, self.choice, Vec::new()))),
            None if with_body.is_empty() => None,
            None => Some(Unexpected::Refused(needs_choice(self.binding, &with_body))),
        }
    }

    /// Whether a parameter of this name sets a field of the request.
    pub(super) fn has_field(&self, name: &str) -> bool {
        self.target(name).is_ok()
    }

    /// Sets fields of the request by the path and by the query, which is percent-encoded and without its `?`.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT, with the segment or parameter that sets no field of the request, sets it twice, or has no
    /// value of its type.
    pub fn bind(&self, query: Option<&str>) -> Result<BoundRequest, Status> {
        let (bound, unknown) = self.bind_known(query)?;
        unknown.map_or(Ok(bound), Err)
    }

    /// As [`bind`](Self::bind), but passes over parameters whose names no field has. The second value is the error of the
    /// first of them.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn bind_known(&self, query: Option<&str>) -> Result<(BoundRequest, Option<Status>), Status> {
        let mut fields = self.binding.fixed.clone();
        self.bind_path(&mut fields)?;
        let mut unknown = None;
        for parameter in query.unwrap_or_default().split('&').filter(|parameter| !parameter.is_empty()) {
            let passed_over = self.bind_parameter(parameter, &mut fields)?;
            unknown = unknown.or(passed_over);
        }
        Ok((BoundRequest { fields, body: self.binding.body.clone() }, unknown))
    }

    fn bind_path(&self, fields: &mut Fields) -> Result<(), Status> {
        let template = &self.binding.template;
        let segments = self.path.strip_prefix('/').unwrap_or(self.path);
        let segments = match &template.verb {
            Some(_) => split_verb(segments).map_or(segments, |(segments, _)| segments),
            None => segments,
        };
        check_captured(segments)?;
        for (variable, target) in template.variables.iter().zip(&self.binding.targets) {
            let invalid = |reason: &dyn std::fmt::Display| {
                Status::invalid_argument(format!("path variable {:?}: {reason}", &*variable.field_path))
            };
            let raw =
                captured(segments, variable, template.segments.len() == variable.first + variable.count);
            let decoded = if variable.multiple { decode::segments(raw) } else { decode::segment(raw) };
            let value = decoded.map_err(|error| invalid(&error))?;
            // As gRPC-Gateway has it: a list in a path has commas.
            let separator = |character| target.field.is_repeated() && character == ',';
            for value in value.split(separator) {
                fields.set(target, value, Source::Path).map_err(|error| invalid(&error))?;
            }
        }
        Ok(())
    }

    /// Sets the field of a parameter. Returns the error of one whose name no field has.
    fn bind_parameter(&self, parameter: &str, fields: &mut Fields) -> Result<Option<Status>, Status> {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let invalid = |name: &str, reason: &dyn std::fmt::Display| {
            Status::invalid_argument(format!("query parameter {:?}: {reason}", shortened(name)))
        };
        let decoded = decode::query(name).map_err(|error| invalid(name, &error))?;
        let value = decode::query(value).map_err(|error| invalid(name, &error))?;
        let target = match self.target(&decoded) {
            Ok(target) => target,
            Err(_) if self.choice == Choice::Verb && decoded == PARAMETER => return Ok(None),
            Err(error @ FieldError::Unknown { .. }) => return Ok(Some(invalid(&decoded, &error))),
            Err(error) => return Err(invalid(&decoded, &error)),
        };
        if value.is_empty() && !target.can_be_empty() {
            return Ok(None);
        }
        fields.set(&target, &value, Source::Query).map_err(|error| invalid(&decoded, &error))?;
        Ok(None)
    }

    /// The field that a parameter sets.
    fn target(&self, name: &str) -> Result<FieldPath, FieldError> {
        let target = FieldPath::of_parameter(self.binding.method.request(), name)?;
        match self.binding.body.field() {
            Some(field) if field.number() == target.outermost().number() => Err(FieldError::Body),
            _ => Ok(target),
        }
    }
}

/// Refuses a path that is not valid also where no variable captures the part that is at fault.
fn check_captured(segments: &str) -> Result<(), Status> {
    for segment in segments.split('/') {
        decode::segment(segment).map_err(|error| {
            Status::invalid_argument(format!("path segment {:?}: {error}", shortened(segment)))
        })?;
    }
    Ok(())
}

/// The part of the path that a variable captures.
fn captured<'p>(segments: &'p str, variable: &Variable, to_the_end: bool) -> &'p str {
    // Where the `**` stands for nothing, not even its slash is there.
    let Some(start) = nth_segment(segments, variable.first) else { return "" };
    let rest = segments.get(start..).unwrap_or_default();
    if to_the_end {
        return rest;
    }
    match nth_segment(rest, variable.count) {
        // Without the slash behind it.
        Some(end) => rest.get(..end.saturating_sub(1)).unwrap_or_default(),
        None => rest,
    }
}

/// Where the segment with this number, from 0, begins.
fn nth_segment(segments: &str, number: usize) -> Option<usize> {
    match number.checked_sub(1) {
        None => Some(0),
        Some(slash) => segments.match_indices('/').nth(slash).map(|(at, _)| at + 1),
    }
}

/// A request of which path and query have set their fields.
#[derive(Debug, Clone)]
pub struct BoundRequest {
    fields: Fields,
    body: Body,
}

impl BoundRequest {
    /// The request with nothing but these fields: what a [complete](RouteMatch::is_complete) route sends.
    #[must_use]
    pub fn message(&self) -> Bytes {
        let mut message = Vec::new();
        merge(&[], &self.fields, &mut message).expect("there is nothing to be read");
        message.into()
    }

    /// The request that a message of the client makes, which is of the [payload](RouteMatch::payload)'s type: these
    /// fields are set in it, whatever it has there.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT if the bytes are no message, or have fields besides the one that is the body of the route.
    pub fn merge(&self, payload: Bytes) -> Result<Bytes, Status> {
        let not_protobuf = |error: DecodeError| {
            Status::invalid_argument(format!("the request message is not protobuf: {error}"))
        };
        let whole = match &self.body {
            Body::Message { field, .. } => {
                let mut message = Vec::new();
                put_message(field, field.number(), &payload, &mut message);
                Bytes::from(message)
            }
            Body::Value { field } => {
                let (number, name) = (field.number(), field.name());
                if let Some(other) = other_field(&payload, number).map_err(not_protobuf)? {
                    let text = format!(
                        "the request message has the field {other}, but only {name:?} ({number}) is the body here"
                    );
                    return Err(Status::invalid_argument(text));
                }
                payload
            }
            Body::None | Body::Whole => payload,
        };
        if self.fields.is_empty() {
            return Ok(whole);
        }
        let mut merged = Vec::with_capacity(whole.len());
        merge(&whole, &self.fields, &mut merged).map_err(not_protobuf)?;
        Ok(merged.into())
    }
}
