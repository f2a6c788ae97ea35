//! Routes that no annotation makes.

use super::error::{RouteError, RouteErrorReason};
use super::template::Template;

/// A route besides those of the annotations, for methods whose protos have none.
///
/// ```
/// use grpcws::routes::ExtraRoute;
/// use grpcws::services::Services;
///
/// let services = Services::from_file_descriptor_set(grpcws_test::FILE_DESCRIPTOR_SET)?;
/// let count = ExtraRoute::new("/count/{count}", "grpcws.test.v1.TestService/ServerStream").field("rate", "10");
/// let services = services.with_routes(&[count])?;
///
/// let route = services.routes().find("/count/5").ok_or("no route")?;
/// assert_eq!(route.method().name(), "ServerStream");
/// assert!(route.is_complete(), "the call needs no request message");
/// let request = route.bind(Some("size=100"))?;
/// let error = route.bind(Some("rate=1000")).unwrap_err();
/// assert_eq!(error.message(), "query parameter \"rate\": it is already set by the route");
///
/// assert!(ExtraRoute::new("/count/{count", "grpcws.test.v1.TestService/ServerStream").check().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExtraRoute {
    /// The path template, below the prefix: `/v1/games/{game_id}`.
    pub path: String,
    /// The method: `package.Service/Method`.
    pub method: String,
    /// What the request message of a client is: `*` for the whole request, or the name of a field of it. Default: a
    /// unary or server-streaming method has no request message, its request is complete with path and query; the
    /// messages of other methods are whole requests.
    pub body: Option<String>,
    /// The field of a response that clients of the JSON modes get in the place of the whole response. Default: none.
    pub response_body: Option<String>,
    /// Fields that every request has: the field's path (`shelf.id`) and its value, as a query parameter would have
    /// it. A list has a pair for each value. Neither path nor query can set them. Default: none.
    pub fields: Vec<(String, String)>,
}

impl ExtraRoute {
    /// A route without fixed fields from a path template to a method (`package.Service/Method`).
    #[must_use]
    pub fn new(path: impl Into<String>, method: impl Into<String>) -> Self {
        let (path, method) = (path.into(), method.into());
        Self { path, method, body: None, response_body: None, fields: Vec::new() }
    }

    /// Sets [`body`](Self::body).
    #[must_use]
    pub fn body(mut self, body: impl Into<String>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sets [`response_body`](Self::response_body).
    #[must_use]
    pub fn response_body(mut self, field: impl Into<String>) -> Self {
        self.response_body = Some(field.into());
        self
    }

    /// Adds one of the [`fields`](Self::fields).
    #[must_use]
    pub fn field(mut self, path: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((path.into(), value.into()));
        self
    }

    /// Checks what can be told without the services: the template, and that the method has the form of one.
    ///
    /// # Errors
    ///
    /// The route can be added to no services.
    pub fn check(&self) -> Result<(), RouteError> {
        let checked = Template::parse(&self.path)
            .map_err(RouteErrorReason::from)
            .and_then(|_| self.method_name().map(|_| ()).ok_or(RouteErrorReason::UnknownMethod));
        checked.map_err(|reason| RouteError {
            path: self.path.clone(),
            method: self.method.clone(),
            verb: None,
            reason: Box::new(reason),
        })
    }

    /// The names of the service and of its method.
    pub(super) fn method_name(&self) -> Option<(&str, &str)> {
        self.method
            .rsplit_once(['/', '.'])
            .filter(|(service, method)| !service.is_empty() && !method.is_empty())
    }
}
