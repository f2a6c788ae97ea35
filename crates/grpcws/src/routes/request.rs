//! A request that takes a route: what its path and its query set.

use bytes::Bytes;
use grpcws_json::Message;
use grpcws_proto::{Code, Status};

use super::binding::{Binding, Body};
use super::decode;
use super::error::{FieldError, Source, shortened};
use super::field_path::{FieldPath, Names};
use super::fields::Fields;
use super::merge::merge;
use super::router::split_verb;
use super::template::Variable;
use super::value::put_message;
use crate::services::Method;

/// The route that a path takes.
#[derive(Debug, Clone, Copy)]
pub struct RouteMatch<'a> {
    binding: &'a Binding,
    path: &'a str,
}

impl<'a> RouteMatch<'a> {
    pub(super) fn new(binding: &'a Binding, path: &'a str) -> Self {
        Self { binding, path }
    }

    /// The method to call.
    #[must_use]
    pub fn method(&self) -> &'a Method {
        &self.binding.method
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

    /// The type of the request messages that the client sends: the method's request, or the field of it that the
    /// route has as its body.
    #[must_use]
    pub fn payload(&self) -> &'a Message {
        self.binding.payload()
    }

    /// Sets fields of the request by the path and by the query, which is percent-encoded and without its `?`.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT, with the segment or parameter that sets no field of the request, sets it twice, or has no
    /// value of its type.
    pub fn bind(&self, query: Option<&str>) -> Result<BoundRequest, Status> {
        let mut fields = self.binding.fixed.clone();
        self.bind_path(&mut fields)?;
        for parameter in query.unwrap_or_default().split('&').filter(|parameter| !parameter.is_empty()) {
            self.bind_parameter(parameter, &mut fields)?;
        }
        Ok(BoundRequest { fields, body: self.binding.body.clone() })
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
            fields.set(target, &value, Source::Path).map_err(|error| invalid(&error))?;
        }
        Ok(())
    }

    fn bind_parameter(&self, parameter: &str, fields: &mut Fields) -> Result<(), Status> {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let invalid = |name: &str, reason: &dyn std::fmt::Display| {
            Status::invalid_argument(format!("query parameter {:?}: {reason}", shortened(name)))
        };
        let decoded = decode::query(name).map_err(|error| invalid(name, &error))?;
        let value = decode::query(value).map_err(|error| invalid(name, &error))?;
        self.target(&decoded)
            .and_then(|target| fields.set(&target, &value, Source::Query))
            .map_err(|error| invalid(&decoded, &error))
    }

    /// The field that a parameter sets.
    fn target(&self, name: &str) -> Result<FieldPath, FieldError> {
        let request = self.binding.method.request();
        let target = FieldPath::resolve(request, name, Names::ProtoThenJson)
            .or_else(|error| FieldPath::of_json_name(request, name).ok_or(error))?;
        match &self.binding.body {
            Body::Field { field, .. } if field.number() == target.outermost().number() => {
                Err(FieldError::Body)
            }
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
    /// INVALID_ARGUMENT where the bytes are no message.
    pub fn merge(&self, payload: Bytes) -> Result<Bytes, Status> {
        let mut message = Vec::new();
        let whole = match &self.body {
            Body::Field { field, .. } => {
                put_message(field, field.number(), &payload, &mut message);
                Bytes::from(message)
            }
            Body::None | Body::Whole => payload,
        };
        if self.fields.is_empty() {
            return Ok(whole);
        }
        let mut merged = Vec::with_capacity(whole.len());
        merge(&whole, &self.fields, &mut merged).map_err(|error| {
            Status::new(Code::InvalidArgument, format!("the request message is not protobuf: {error}"))
        })?;
        Ok(merged.into())
    }
}
