//! What a descriptor set says of services and their methods, loaded at run time.
//!
//! [`Services`] are the services of a descriptor set, or of several, with the [`Table`](crate::json::Table) of each, which
//! transcodes the messages. [`Descriptors`] is the handle that whoever serves them shares with whoever loads them, so that
//! newer ones can take their place while calls go on.
//!
//! ```
//! use grpcws::MethodKind;
//! use grpcws::services::{Descriptors, Services};
//!
//! // A `FileDescriptorSet` as protoc, protox, buf and server reflection give it.
//! let services = Services::from_file_descriptor_set(grpcws_test::FILE_DESCRIPTOR_SET)?;
//! let method = services.method("grpcws.test.v1.TestService", "Bidi").ok_or("no such method")?;
//! assert_eq!(method.path(), "/grpcws.test.v1.TestService/Bidi");
//! assert_eq!(method.kind(), MethodKind::Bidi);
//! assert_eq!(method.request().full_name(), "grpcws.test.v1.BidiRequest");
//!
//! let descriptors = Descriptors::pending();
//! assert!(descriptors.current().is_none());
//! descriptors.replace(services);
//! assert!(descriptors.current().is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod build;
mod descriptor;
mod descriptors;
mod error;
mod lookup;
mod method;
mod rule;
mod service;

pub use descriptors::Descriptors;
pub use error::ServicesError;
pub(crate) use lookup::Side;
pub use lookup::WantedType;
pub use method::Method;
pub use rule::HttpRule;
pub use service::{Service, Services};
