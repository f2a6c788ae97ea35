//! Routes by path templates: paths and queries that make requests.
//!
//! Every service has its generic routes, `/{package.Service}/{Method}`. Besides those, a method has a route for each
//! annotation `google.api.http`, and for each [`ExtraRoute`]. [`Routes::find`] finds the route of a path,
//! [`RouteMatch::bind`] sets the request's fields by the path and the query.
//!
//! A WebSocket has no HTTP method, so a client names that of an annotation in the query: [`Routes::choose`].
//!
//! | method | body of the annotation | the call |
//! | --- | --- | --- |
//! | unary, server streaming | none | starts at once; path and query are the request |
//! | unary, server streaming | `*` or a field | starts with the first `data`, which is the request or that field of it |
//! | client streaming, bidi | none or `*` | each `data` is a request |
//! | client streaming, bidi | a field | each `data` is the value of that field, and the request is made around it |
//!
//! A field may be of any kind. In `grpcws.v1.proto` a frame is the field if that is one message, and else a request with
//! nothing but that field. `response_body` is the field of the response that clients of JSON get.
//!
//! **What the path and the query set is set in every request message, whatever the client's message has there.** Lists, maps
//! and messages with a text form are replaced, not extended. So a proxy that checks the path of a handshake, because
//! it knows who may enter which room, has checked the requests of the stream as well, **but only if the method's
//! generic route is closed**: there the client sets every field. [`GenericRoute`](crate::bridge::GenericRoute) closes
//! it, and it is open by default. If the methods of one path need different rights, it has to check `method=` too.
//!
//! # From text to fields
//!
//! - A path is a name of a field, or several with dots between them. Templates and bodies have the names of the `.proto`
//!   file, and no others. A query has these too, or names of JSON that no field has in the `.proto` file: where the names
//!   of two fields cross, the one in the `.proto` file counts.
//! - Lists take one value for each occurrence of the parameter, whose name may end with `[]`. In a path they have commas.
//! - The entries of a map are `name[key]=value`.
//! - Numbers are decimal; `true` and `false`, or what Go's `strconv.ParseBool` takes; enums by name or number; bytes in base64
//!   of either alphabet.
//! - `Timestamp`, `Duration` and the wrappers are written as in JSON, without the quotes. The paths of a `FieldMask`
//!   have commas between them and are written as in JSON or as in the `.proto` file. `Struct`, `Value` and `ListValue` are JSON.
//! - Other messages have no text form.
//! - An empty value of a type that has no empty text sets nothing: forms send what was not filled in.
//! - A parameter that no field has is an error, or is ignored: see
//!   [`unknown_parameters`](crate::ConnectionOptions::unknown_parameters). One for a field that is set already is an error.
//!
//! A variable for one segment is decoded; one for several keeps `%2F`, so that it has as many slashes as its pattern.
//! A path with `.` or `..` as a segment, with a NUL or with an escape that is not valid is refused.

mod binding;
mod choice;
pub(crate) mod decode;
mod error;
mod extra;
mod field_path;
mod fields;
mod merge;
mod request;
mod router;
mod table;
mod template;
mod value;

pub use error::{FieldError, RouteError, RouteErrorReason, Source};
pub use extra::ExtraRoute;
pub(crate) use request::Unexpected;
pub use request::{BoundRequest, RouteMatch};
pub use table::{RouteEntry, Routes};
pub use template::TemplateError;
