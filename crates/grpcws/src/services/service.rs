//! The services of a descriptor set.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;

use grpcws_json::{Message, Table};

use super::build;
use super::error::ServicesError;
use super::method::Method;
use crate::routes::{ExtraRoute, RouteError, Routes};

/// The services of a descriptor set, or of [several](Self::of_several), each with the messages of its own set. Cheap to
/// clone.
#[derive(Clone)]
pub struct Services {
    data: Arc<ServicesData>,
    routes: Arc<Routes>,
    /// Which services may still come; none where that is not known of any.
    may_come: Option<MayCome>,
}

type MayCome = Arc<dyn Fn(&str) -> bool + Send + Sync>;

pub(super) struct ServicesData {
    /// One for each descriptor set.
    pub(super) tables: Vec<Table>,
    pub(super) services: Vec<Service>,
    pub(super) by_name: HashMap<Box<str>, usize>,
}

impl Services {
    /// Reads a serialized `google.protobuf.FileDescriptorSet`, which must contain every file that its files import.
    /// Accepts proto2, proto3 and the editions that [`Table`] knows.
    ///
    /// # Errors
    ///
    /// The bytes are not a descriptor set, name types that are not in it, or define something twice.
    pub fn from_file_descriptor_set(bytes: &[u8]) -> Result<Self, ServicesError> {
        let data = build::build(bytes)?;
        Ok(Self::with_data(data))
    }

    /// The services of several descriptor sets, whose methods keep the messages of their own: two servers may know
    /// different revisions of one file. Of services with one name the first is kept. Routes that were added by
    /// [`with_routes`](Self::with_routes) are not taken over.
    #[must_use]
    pub fn of_several(sets: impl IntoIterator<Item = Self>) -> Self {
        let mut data = ServicesData { tables: Vec::new(), services: Vec::new(), by_name: HashMap::new() };
        for set in sets {
            data.tables.extend_from_slice(&set.data.tables);
            for service in &set {
                if let Entry::Vacant(entry) = data.by_name.entry(service.full_name.clone()) {
                    entry.insert(data.services.len());
                    data.services.push(service.clone());
                }
            }
        }
        Self::with_data(data)
    }

    /// The same without the services that `keep` refuses by their full names, and without routes that were added.
    #[must_use]
    pub fn retain(&self, keep: impl Fn(&str) -> bool) -> Self {
        let services: Vec<Service> =
            self.iter().filter(|service| keep(service.full_name())).cloned().collect();
        let names = services.iter().map(|service| service.full_name.clone());
        let by_name = names.zip(0..).collect();
        Self::with_data(ServicesData { tables: self.data.tables.clone(), services, by_name })
    }

    fn with_data(data: ServicesData) -> Self {
        let routes = Routes::new(&data.services);
        Self { data: Arc::new(data), routes: Arc::new(routes), may_come: None }
    }

    /// The same services with routes besides those of their annotations, in the place of any that were added before.
    ///
    /// # Errors
    ///
    /// A route is not valid, its method is not there, or another one of them has its path.
    pub fn with_routes(self, extra: &[ExtraRoute]) -> Result<Self, RouteError> {
        let (services, errors) = self.with_valid_routes(extra);
        errors.into_iter().next().map_or(Ok(services), Err)
    }

    /// The same with those of the routes that can be added, and why the others cannot.
    #[must_use]
    pub fn with_valid_routes(self, extra: &[ExtraRoute]) -> (Self, Vec<RouteError>) {
        let (routes, errors) = Routes::with_extra(&self.data.services, extra);
        (Self { routes: Arc::new(routes), ..self }, errors)
    }

    /// The same, of which some are still to come: those whose full names the function accepts. A call of such a method, and
    /// of a path that no route has, is refused for now, with UNAVAILABLE or HTTP 503, and not for good.
    #[must_use]
    pub fn incomplete(self, may_come: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self { may_come: Some(Arc::new(may_come)), ..self }
    }

    /// Whether all services are there that there will be.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.may_come.is_none()
    }

    /// Whether a service of this full name may still come.
    #[must_use]
    pub fn may_come(&self, full_name: &str) -> bool {
        self.may_come.as_ref().is_some_and(|may_come| may_come(full_name))
    }

    /// The method of this name of the service of this full name: `("game.v1.GameService", "Subscribe")`.
    #[must_use]
    pub fn method(&self, service: &str, method: &str) -> Option<&Method> {
        self.service(service)?.method(method)
    }

    /// The service of this full name.
    #[must_use]
    pub fn service(&self, full_name: &str) -> Option<&Service> {
        self.data.services.get(*self.data.by_name.get(full_name)?)
    }

    /// All services, in the order of the files and of their declaration.
    pub fn iter(&self) -> std::slice::Iter<'_, Service> {
        self.data.services.iter()
    }

    /// All methods of all services.
    pub fn methods(&self) -> impl Iterator<Item = &Method> {
        self.iter().flat_map(Service::methods)
    }

    /// The routes by the annotations of the methods, and those that were added.
    #[must_use]
    pub fn routes(&self) -> &Routes {
        &self.routes
    }

    /// The message type of this full name, also of one that no method has; where several descriptor sets have it, that of
    /// the first. What belongs to a method is in the [`table`](grpcws_json::Message::table) of its messages.
    #[must_use]
    pub fn message(&self, full_name: &str) -> Option<Message> {
        self.data.tables.iter().find_map(|table| table.message(full_name))
    }
}

impl<'a> IntoIterator for &'a Services {
    type Item = &'a Service;
    type IntoIter = std::slice::Iter<'a, Service>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Service::full_name)).finish()
    }
}

/// A gRPC service: its methods by name.
#[derive(Debug, Clone)]
pub struct Service {
    pub(super) full_name: Box<str>,
    pub(super) deprecated: bool,
    pub(super) methods: Vec<Method>,
    pub(super) by_name: HashMap<Box<str>, usize>,
}

impl Service {
    /// The full name: `game.v1.GameService`.
    #[must_use]
    pub fn full_name(&self) -> &str {
        &self.full_name
    }

    /// Whether the option `deprecated` is set.
    #[must_use]
    pub fn is_deprecated(&self) -> bool {
        self.deprecated
    }

    /// The method of this name.
    #[must_use]
    pub fn method(&self, name: &str) -> Option<&Method> {
        self.methods.get(*self.by_name.get(name)?)
    }

    /// All methods, in the order of their declaration.
    pub fn methods(&self) -> std::slice::Iter<'_, Method> {
        self.methods.iter()
    }
}
